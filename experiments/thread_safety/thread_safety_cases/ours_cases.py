"""Every transform and recipe of ftloader's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftloader.audit.conventions.recipes import MadeDataset
from ftloader.detection import transforms as t

STYLE = "ftloader"
_SIZE = (96, 64)

CASES: dict[str, Callable[[], Any]] = {
    "Resize": lambda: t.Resize(_SIZE),
    "RandomResize": lambda: t.RandomResize(_SIZE, (0.5, 2.0)),
    "RandomChoiceResize": lambda: t.RandomChoiceResize(((64, 48), _SIZE, (160, 120))),
    "RandomFlip": lambda: t.RandomFlip(),
    "RandomCrop": lambda: t.RandomCrop((48, 48)),
    "MinIoURandomCrop": lambda: t.MinIoURandomCrop(),
    "Expand": lambda: t.Expand(),
    "PhotoMetricDistortion": lambda: t.PhotoMetricDistortion(),
    "Normalize": lambda: t.Normalize(),
    "Pad": lambda: t.Pad(divisor=32),
    "FilterAnnotations": lambda: t.FilterAnnotations(),
    "Rasterize": lambda: t.Rasterize(),
    "Mosaic": lambda: t.Mosaic(MadeDataset(), size=_SIZE),
    "MixUp": lambda: t.MixUp(MadeDataset(), size=_SIZE),
    "RandomApply": lambda: t.RandomApply(t.RandomFlip(), 0.5),
    "RandomChoice": lambda: t.RandomChoice([t.RandomFlip(), t.Pad(divisor=32)]),
}
CASES |= {
    f"recipe {name}": (lambda make=make: make(MadeDataset())) for name, make in t.RECIPES.items()
}
