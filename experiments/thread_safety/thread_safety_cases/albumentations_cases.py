"""albumentations' transforms, inside the Compose that gives them boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import albumentations as t
import cv2

# The audit's threads are the ones to be watched.
cv2.setNumThreads(1)

STYLE = "albumentations"


def boxed(*steps: Any) -> Any:
    boxes = t.BboxParams(format="pascal_voc", label_fields=["labels"])
    return t.Compose(list(steps), bbox_params=boxes, seed=1)


CASES: dict[str, Callable[[], Any]] = {
    "HorizontalFlip": lambda: boxed(t.HorizontalFlip(p=0.5)),
    "RandomResizedCrop": lambda: boxed(t.RandomResizedCrop((64, 64))),
    "LongestMaxSize": lambda: boxed(t.LongestMaxSize(96)),
    "PadIfNeeded": lambda: boxed(t.PadIfNeeded(128, 128)),
    "Affine": lambda: boxed(t.Affine(scale=(0.8, 1.2), rotate=(-10, 10))),
    "RandomBrightnessContrast": lambda: boxed(t.RandomBrightnessContrast()),
    "HueSaturationValue": lambda: boxed(t.HueSaturationValue()),
    "CoarseDropout": lambda: boxed(t.CoarseDropout()),
    "BBoxSafeRandomCrop": lambda: boxed(t.BBoxSafeRandomCrop()),
    "OneOf": lambda: boxed(t.OneOf([t.HorizontalFlip(p=1), t.VerticalFlip(p=1)])),
    "HorizontalFlip alone": lambda: t.HorizontalFlip(p=0.5),
}
