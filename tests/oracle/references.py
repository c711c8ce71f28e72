"""Imports the references, and nothing else does: here their warnings and side effects end.

mmdet imports compiled operators (``mmcv.ops``) that the lite build of mmcv does not have and that
no transform calls; empty classes stand in for them.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import types
import warnings
from importlib.metadata import version
from typing import Any

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


class _NoOperators(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers ``import mmcv.ops`` with a module in which every name is an empty class."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name == "mmcv.ops" or name.startswith("mmcv.ops."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        def empty(name: str) -> type:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

        module.__getattr__ = empty  # type: ignore[method-assign]


# mmdet imports albumentations where it is there, which asks the network for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
sys.meta_path.insert(0, _NoOperators())
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
