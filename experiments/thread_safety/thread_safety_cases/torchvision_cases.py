"""torchvision's transforms v2, those used for detection first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torchvision.transforms import v2 as t

# The audit's threads are the ones to be watched.
torch.set_num_threads(1)

STYLE = "torchvision"

CASES: dict[str, Callable[[], Any]] = {
    "Resize": lambda: t.Resize((64, 96), antialias=True),
    "RandomResize": lambda: t.RandomResize(48, 96, antialias=True),
    "RandomShortestSize": lambda: t.RandomShortestSize([48, 64, 96], antialias=True),
    "ScaleJitter": lambda: t.ScaleJitter((96, 96), antialias=True),
    "RandomHorizontalFlip": lambda: t.RandomHorizontalFlip(0.5),
    "RandomCrop": lambda: t.RandomCrop(48, pad_if_needed=True),
    "RandomIoUCrop": lambda: t.RandomIoUCrop(),
    "RandomZoomOut": lambda: t.RandomZoomOut(),
    "RandomPhotometricDistort": lambda: t.RandomPhotometricDistort(),
    "ColorJitter": lambda: t.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "RandomAffine": lambda: t.RandomAffine(10, (0.1, 0.1), (0.8, 1.2)),
    "RandomErasing": lambda: t.RandomErasing(0.5),
    "SanitizeBoundingBoxes": lambda: t.SanitizeBoundingBoxes(),
    "Normalize": lambda: t.Compose(
        [t.ToDtype(torch.float32, scale=True), t.Normalize([0.5] * 3, [0.2] * 3)]
    ),
    "RandAugment": lambda: t.RandAugment(),
    "Compose (SSD)": lambda: t.Compose(
        [
            t.RandomPhotometricDistort(),
            t.RandomZoomOut(),
            t.RandomIoUCrop(),
            t.RandomHorizontalFlip(),
            t.SanitizeBoundingBoxes(),
        ]
    ),
}
