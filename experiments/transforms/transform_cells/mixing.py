"""(a) Steps that mix several images, beside mmdet: nobody else has them for boxes."""

from __future__ import annotations

from ftloader.detection.transforms.mixup import MixUp
from ftloader.detection.transforms.mosaic import Mosaic

from .case import Case, Peer
from .steps import MMDET, ROUNDING

SIZE = (640, 640)

CASES = (
    Case(
        "mosaic",
        "Mosaic",
        "four decoded images fitted into 640 × 640 each, on a canvas of 1280 × 1280, with boxes; "
        "mmdet copies all four samples first",
        lambda data: Mosaic(data, SIZE),
        (Peer("mmdet", "mmdet, OpenCV", MMDET, "mosaic", ROUNDING),),
    ),
    Case(
        "mixup",
        "MixUp",
        "a second decoded image, fitted into 640 × 640, resized by 0.5 to 1.5, mirrored or not and "
        "blended in, with boxes; where it shrinks, ftloader filters and OpenCV does not",
        lambda data: MixUp(data, SIZE),
        (Peer("mmdet", "mmdet, OpenCV", MMDET, "mixup", None),),
    ),
)
