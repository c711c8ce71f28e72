"""Detection data: COCO folders, image decoding, masks and annotations.

Knows nothing of pipelines and engines: everything here is a pure function or a frozen dataclass,
safe to call from any thread.
"""

from ftloader.detection.annotations import (
    Annotations,
    Segmentation,
    concatenate,
    filter_annotations,
    ignored,
    instance_masks,
    mask_boxes,
)
from ftloader.detection.augment import Augment, Loaded, Plan
from ftloader.detection.coco import CocoFolder, CocoIndex, ImageInfo, Skipped, open_coco
from ftloader.detection.image import decode, fit_within, resize
from ftloader.detection.masks import (
    Rle,
    decode_rle,
    encode_rle,
    pack_counts,
    polygons_to_mask,
    unpack_counts,
)
from ftloader.detection.sample import Sample, SampleInfo

__all__ = [
    "Annotations",
    "Augment",
    "CocoFolder",
    "CocoIndex",
    "ImageInfo",
    "Loaded",
    "Plan",
    "Rle",
    "Sample",
    "SampleInfo",
    "Segmentation",
    "Skipped",
    "concatenate",
    "decode",
    "decode_rle",
    "encode_rle",
    "filter_annotations",
    "fit_within",
    "ignored",
    "instance_masks",
    "mask_boxes",
    "open_coco",
    "pack_counts",
    "polygons_to_mask",
    "resize",
    "unpack_counts",
]
