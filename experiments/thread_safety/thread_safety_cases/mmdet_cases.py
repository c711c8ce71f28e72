"""mmdet's own transforms, those that draw and those that keep something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftloader.lab.absent import leave_out

# The compiled part of mmcv has no wheels, and no transform calls it.
leave_out("mmcv.ops")

from mmdet.datasets.transforms import transforms as t  # noqa: E402 (only now importable)

STYLE = "dict"

CASES: dict[str, Callable[[], Any]] = {
    "Resize": lambda: t.Resize(scale=(96, 64), keep_ratio=True),
    "RandomFlip": lambda: t.RandomFlip(prob=0.5),
    "RandomCrop": lambda: t.RandomCrop(crop_size=(48, 48), allow_negative_crop=True),
    "MinIoURandomCrop": lambda: t.MinIoURandomCrop(),
    "Expand": lambda: t.Expand(),
    "PhotoMetricDistortion": lambda: t.PhotoMetricDistortion(),
    "Pad": lambda: t.Pad(size_divisor=32),
    "RandomAffine": lambda: t.RandomAffine(),
    "YOLOXHSVRandomAug": lambda: t.YOLOXHSVRandomAug(),
    "CachedMosaic": lambda: t.CachedMosaic(img_scale=(64, 64), max_cached_images=8),
    "CachedMixUp": lambda: t.CachedMixUp(img_scale=(64, 64), max_cached_images=8),
}
