"""Detection transforms: each decides first (``draw``) and is pure afterwards (``apply``).

``base.py`` says what all of them promise, ``recipes.py`` puts them together as detectors want them.
"""

from ftloader.detection.transforms.base import NO_PARTNERS, Partners, Transform
from ftloader.detection.transforms.choose import (
    RandomApply,
    RandomApplyParams,
    RandomChoice,
    RandomChoiceParams,
)
from ftloader.detection.transforms.compose import Compose
from ftloader.detection.transforms.crop import CropParams, RandomCrop
from ftloader.detection.transforms.expand import Expand, ExpandParams
from ftloader.detection.transforms.filter import FilterAnnotations, FilterParams
from ftloader.detection.transforms.flip import FlipParams, RandomFlip
from ftloader.detection.transforms.iou_crop import MinIoUCropParams, MinIoURandomCrop
from ftloader.detection.transforms.mixup import MixUp, MixUpParams
from ftloader.detection.transforms.mosaic import InfoSource, Mosaic, MosaicParams
from ftloader.detection.transforms.normalize import Normalize, NormalizeParams
from ftloader.detection.transforms.pad import Pad, PadParams
from ftloader.detection.transforms.photometric import PhotoMetricDistortion, PhotoMetricParams
from ftloader.detection.transforms.rasterize import Rasterize, RasterizeParams
from ftloader.detection.transforms.recipes import RECIPES
from ftloader.detection.transforms.resize import (
    RandomChoiceResize,
    RandomResize,
    Resize,
    ResizeParams,
)

__all__ = [
    "NO_PARTNERS",
    "RECIPES",
    "Compose",
    "CropParams",
    "Expand",
    "ExpandParams",
    "FilterAnnotations",
    "FilterParams",
    "FlipParams",
    "InfoSource",
    "MinIoUCropParams",
    "MinIoURandomCrop",
    "MixUp",
    "MixUpParams",
    "Mosaic",
    "MosaicParams",
    "Normalize",
    "NormalizeParams",
    "Pad",
    "PadParams",
    "Partners",
    "PhotoMetricDistortion",
    "PhotoMetricParams",
    "RandomApply",
    "RandomApplyParams",
    "RandomChoice",
    "RandomChoiceParams",
    "RandomChoiceResize",
    "RandomCrop",
    "RandomFlip",
    "RandomResize",
    "Rasterize",
    "RasterizeParams",
    "Resize",
    "ResizeParams",
    "Transform",
]
