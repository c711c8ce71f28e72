"""Every transform with settings that matter, and every recipe made small.

``TRANSFORMS`` and ``RECIPES`` make a transform for a data set. A transform that is exported and
has no entry fails the suite.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import ftloader.detection.transforms as package
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.compose import Compose, RandomApply, RandomChoice
from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.expand import Expand
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.iou_crop import MinIoURandomCrop
from ftloader.detection.transforms.mixup import MixUp
from ftloader.detection.transforms.mosaic import Mosaic
from ftloader.detection.transforms.normalize import Normalize
from ftloader.detection.transforms.pad import Pad
from ftloader.detection.transforms.photometric import PhotoMetricDistortion
from ftloader.detection.transforms.rasterize import Rasterize
from ftloader.detection.transforms.recipes import (
    detr,
    faster_rcnn,
    lsj,
    mask_rcnn,
    multi_scale,
    ssd,
    yolox,
)
from ftloader.detection.transforms.resize import RandomChoiceResize, RandomResize, Resize

from .samples import InMemory

Make = Callable[[InMemory], Transform[Any]]

TRANSFORMS: dict[str, Make] = {
    "resize": lambda data: Resize((41, 25)),
    "resize-enlarging": lambda data: Resize((133, 80)),
    "resize-exact": lambda data: Resize((30, 50), keep_ratio=False),
    "random-resize-ratios": lambda data: RandomResize((40, 40), (0.1, 2.0)),
    "random-resize-scales": lambda data: RandomResize(((41, 25), (60, 40))),
    "random-choice-resize": lambda data: RandomChoiceResize(((41, 25), (60, 40))),
    "flip": lambda data: RandomFlip(0.3, 0.3, 0.3),
    "crop-absolute": lambda data: RandomCrop((20, 17)),
    "crop-absolute-range": lambda data: RandomCrop(
        (5, 30), "absolute_range", allow_negative_crop=True, recompute_boxes=True
    ),
    "crop-relative": lambda data: RandomCrop((0.5, 0.7), "relative"),
    "crop-relative-range": lambda data: RandomCrop((0.3, 0.3), "relative_range", True),
    "iou-crop": lambda data: MinIoURandomCrop(),
    "expand": lambda data: Expand((123.675, 116.28, 103.53), probability=0.8),
    "filter": lambda data: FilterAnnotations((12, 9)),
    "filter-masks": lambda data: FilterAnnotations((1, 1), min_mask_area=40, drop_empty=False),
    "photometric": lambda data: PhotoMetricDistortion(),
    "normalize": lambda data: Normalize(),
    "pad-divisor": lambda data: Pad(divisor=32),
    "pad-size": lambda data: Pad(size=(64, 64), value=114),
    "pad-square": lambda data: Pad(square=True, value=114),
    "rasterize": lambda data: Rasterize(),
    "mosaic": lambda data: Mosaic(data, (40, 32)),
    "mixup": lambda data: MixUp(data, (40, 32)),
    "compose": lambda data: Compose([RandomFlip(), Resize((41, 25)), FilterAnnotations((4, 4))]),
    "compose-unread": lambda data: Compose([Expand(), RandomResize((40, 40), (0.5, 2))]),
    "random-apply": lambda data: RandomApply(Resize((41, 25))),
    "random-choice": lambda data: RandomChoice(
        [Resize((41, 25)), RandomCrop((20, 17))], (0.3, 0.7)
    ),
}

#: The builders of ``recipes.RECIPES`` by the same names, at about a twelfth of the size.
RECIPES: dict[str, Make] = {
    "faster-rcnn-1333x800": lambda data: faster_rcnn(scale=(111, 67)),
    "mask-rcnn-1333x800": lambda data: mask_rcnn(scale=(111, 67)),
    "multi-scale-480-800": lambda data: multi_scale(shortest=(40, 53, 67), longest=111),
    "detr-480-800": lambda data: detr(shortest=(40, 53, 67), longest=111),
    "lsj-1024": lambda data: lsj(size=(85, 85)),
    "ssd-300": lambda data: ssd(size=25),
    "ssd-512": lambda data: ssd(size=43),
    "yolox-640": lambda data: yolox(data, size=(53, 53)),
}

CASES = TRANSFORMS | RECIPES


def all_transforms() -> set[type[Transform[Any]]]:
    """Return every concrete transform that some module of the package defines."""
    found = set()
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for thing in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(thing) and issubclass(thing, Transform):
                found.add(thing)
    return {kind for kind in found if not inspect.isabstract(kind)}
