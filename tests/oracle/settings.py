"""Which transforms are compared with mmdet, with which settings and how closely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.expand import Expand
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.iou_crop import MinIoURandomCrop
from ftloader.detection.transforms.normalize import Normalize
from ftloader.detection.transforms.pad import Pad
from ftloader.detection.transforms.resize import RandomChoiceResize, RandomResize, Resize
from tests.golden.outcome import EXACT, Tolerance

MEAN = (123.675, 116.28, 103.53)


@dataclass(frozen=True, slots=True)
class Compared:
    """One transform to compare.

    Attributes:
        transform: ours, with its settings.
        tolerance: how far the outcomes may be apart, outlines being bitmaps.
        polygons: how far they may be apart, outlines being polygons; None where mmdet cannot.
        outlined: leave out objects without an outline, which ours treats in its own way.
    """

    transform: Transform[Any]
    tolerance: Tolerance = EXACT
    polygons: Tolerance | None = EXACT
    outlined: bool = False


#: mmdet cuts polygons at the crop's edge (with shapely) and rasterises then; ours stay whole.
CUT = Tolerance(mask_share=0.02, mask_pixels=2)

COMPARED = {
    "flip-horizontal": Compared(RandomFlip(1.0)),
    "flip-vertical": Compared(RandomFlip(0.0, vertical=1.0)),
    "flip-diagonal": Compared(RandomFlip(0.0, diagonal=1.0)),
    "resize-1333x800": Compared(Resize((1333, 800))),
    "resize-shrinking": Compared(Resize((131, 79))),
    "resize-exact": Compared(Resize((301, 203), keep_ratio=False)),
    "random-resize": Compared(RandomResize((512, 512), ratio_range=(0.1, 2.0))),
    "random-resize-two": Compared(RandomResize(((500, 200), (640, 480)))),
    "random-choice-resize": Compared(RandomChoiceResize(((400, 300), (700, 500)))),
    "pad-divisor": Compared(Pad(divisor=32)),
    "pad-square-114": Compared(Pad(square=True, value=114)),
    "pad-size-colour": Compared(Pad(size=(700, 690), value=(1, 2, 3))),
    "normalize": Compared(Normalize()),
    "crop-absolute": Compared(RandomCrop((300, 200)), polygons=CUT),
    "crop-absolute-range": Compared(
        RandomCrop((100, 400), "absolute_range", recompute_boxes=True, allow_negative_crop=True),
        polygons=None,
        outlined=True,
    ),
    "crop-relative": Compared(RandomCrop((0.6, 0.9), "relative"), polygons=CUT),
    "crop-relative-range": Compared(
        RandomCrop((0.3, 0.3), "relative_range", clip_boxes=False), polygons=CUT
    ),
    "min-iou-crop": Compared(MinIoURandomCrop(), polygons=CUT),
    "expand": Compared(Expand(MEAN, probability=1.0), polygons=None),
    "expand-black": Compared(Expand(ratio_range=(1, 2)), polygons=None),
    "filter": Compared(FilterAnnotations((8.0, 8.0))),
    "filter-masks": Compared(FilterAnnotations(min_mask_area=150), polygons=None),
    "filter-keep-empty": Compared(FilterAnnotations((400.0, 300.0), drop_empty=False)),
}
