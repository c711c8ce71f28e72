"""Imports the references, and nothing else does: here their warnings and side effects end.

mmdet imports compiled operators (``mmcv.ops``) that the lite build of mmcv does not have and that
no transform calls; stand-ins take their place.
"""

from __future__ import annotations

import os
import warnings
from importlib.metadata import version

from ftloader.lab.absent import leave_out

PACKAGES = (
    "mmdet",
    "mmcv-lite",
    "mmengine",
    "torchvision",
    "torch",
    "pycocotools",
    "opencv-python-headless",
    "pillow",
    "numpy",
)


# mmdet imports albumentations where it is there, which asks the network for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
leave_out("mmcv.ops")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import cv2
    import mmcv
    import mmcv.image.geometric
    import mmcv.transforms.processing
    import mmdet.datasets.transforms.transforms as mmdet_transforms
    import torch
    import torchvision.transforms.v2 as torchvision_transforms
    from mmdet.datasets import CocoDataset
    from mmdet.datasets.transforms import LoadAnnotations
    from mmdet.datasets.transforms.loading import FilterAnnotations
    from mmdet.structures.bbox import HorizontalBoxes
    from mmdet.structures.mask import BitmapMasks, PolygonMasks
    from pycocotools import mask as coco_masks
    from torchvision import tv_tensors

# Two test processes share two cores with others; the references need no threads of their own.
cv2.setNumThreads(1)
torch.set_num_threads(1)

__all__ = [
    "BitmapMasks",
    "CocoDataset",
    "FilterAnnotations",
    "HorizontalBoxes",
    "LoadAnnotations",
    "PolygonMasks",
    "coco_masks",
    "cv2",
    "mmcv",
    "mmdet_transforms",
    "torch",
    "torchvision_transforms",
    "tv_tensors",
    "versions",
]


def versions() -> dict[str, str]:
    """Return the versions of everything that results depend on."""
    return {name: version(name) for name in PACKAGES}
