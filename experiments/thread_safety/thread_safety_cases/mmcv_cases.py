"""mmcv's transforms, which mmdet and visdet use and copied.

Where OpenCV and PyYAML cannot be had (3.13t), mmcv is loaded without them: the cases here need
neither, images are resized by Pillow.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from ftloader.lab.absent import leave_out

_MISSING = [name for name in ("cv2", "yaml") if importlib.util.find_spec(name) is None]
if _MISSING:
    leave_out(*_MISSING)

from mmcv import transforms as t  # noqa: E402 (only now importable)

STYLE = "dict"
_SCALES = [(48, 48), (96, 96), (160, 160)]
_BY_PILLOW = {"backend": "pillow"}

CASES: dict[str, Callable[[], Any]] = {
    "Resize": lambda: t.Resize(scale=(96, 64), keep_ratio=True, **_BY_PILLOW),
    "RandomResize": lambda: t.RandomResize(
        scale=[_SCALES[0], _SCALES[-1]], keep_ratio=True, **_BY_PILLOW
    ),
    "RandomChoiceResize": lambda: t.RandomChoiceResize(_SCALES, keep_ratio=False, **_BY_PILLOW),
    "RandomFlip": lambda: t.RandomFlip(prob=0.5),
    "CenterCrop": lambda: t.CenterCrop((48, 48)),
    "RandomChoice": lambda: t.RandomChoice(
        [[t.RandomFlip(prob=1.0)], [t.Resize(scale=(64, 64), **_BY_PILLOW)]]
    ),
    "RandomApply": lambda: t.RandomApply([t.RandomFlip(prob=1.0)], prob=0.5),
    "Compose": lambda: t.Compose(
        [t.RandomResize(scale=[_SCALES[0], _SCALES[-1]], **_BY_PILLOW), t.RandomFlip(prob=0.5)]
    ),
    "TransformBroadcaster": lambda: t.TransformBroadcaster(
        [t.RandomFlip(prob=0.5)],
        mapping={"img": ["img", "img"], "gt_bboxes": ["gt_bboxes", "gt_bboxes"]},
        auto_remap=True,
        share_random_params=True,
    ),
}
if "cv2" not in _MISSING:  # these call OpenCV
    CASES |= {
        "Normalize": lambda: t.Normalize(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4]),
        "Pad": lambda: t.Pad(size_divisor=32),
        "RandomGrayscale": lambda: t.RandomGrayscale(prob=0.5),
    }
