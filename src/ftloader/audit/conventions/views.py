"""The picture and the objects in whatever a transform takes or returns.

Pictures are found as arrays, tensors (channels first or last), Pillow images, in ftloader's
``Sample``, in pairs of an image and its target, and in dicts under the usual keys.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...detection import Sample
from .base import View

_IMAGES = ("image", "img", "inputs")
_BOXES = ("boxes", "gt_bboxes", "bboxes")
_LABELS = ("labels", "gt_bboxes_labels", "gt_labels", "class_labels")


def view(value: Any) -> View | None:
    """Return the picture and the objects of an input or an output, None if it has no picture."""
    if isinstance(value, Sample):
        return _view(value.image, value.boxes, value.labels)
    if isinstance(value, Mapping):
        packed = getattr(value.get("data_samples"), "gt_instances", None)
        if packed is not None:  # what mmdet packs for its models
            return _view(value.get("inputs"), packed.bboxes, packed.labels)
        return _view(_first(value, _IMAGES), _first(value, _BOXES), _first(value, _LABELS))
    if isinstance(value, list) and len(value) == 1:  # what a generator yielded
        return view(value[0])
    if isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[1], Mapping):
        return _view(value[0], _first(value[1], _BOXES), _first(value[1], _LABELS))
    return _view(value, None, None)


def array(value: Any) -> NDArray[Any] | None:
    """Return the memory of an array or a tensor as an array, None if it is neither or elsewhere."""
    if isinstance(value, np.ndarray):
        return value
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return None
    try:
        plain: NDArray[Any] = value.detach().as_subclass(torch.Tensor).numpy()
    except (RuntimeError, TypeError):  # on a device, sparse, or of a type that NumPy lacks
        return None
    return plain


def _view(image: Any, boxes: Any, labels: Any) -> View | None:
    pixels = np.asarray(image) if isinstance(image, Image.Image) else array(image)
    if pixels is None or pixels.ndim != 3:
        return None
    if pixels.shape[0] == 3 and pixels.shape[2] != 3:
        pixels = pixels.transpose(1, 2, 0)
    return View(pixels, _table(boxes), _numbers(labels))


def _table(boxes: Any) -> NDArray[np.float64]:
    found = _array(boxes)
    if found is None or found.ndim != 2 or found.shape[1] < 4:
        return np.zeros((0, 4))
    return found[:, :4].astype(np.float64)


def _numbers(labels: Any) -> NDArray[np.int64]:
    found = _array(labels)
    if found is None or found.ndim != 1 or not np.issubdtype(found.dtype, np.number):
        return np.zeros(0, np.int64)
    return found.astype(np.int64)


def _array(value: Any) -> NDArray[Any] | None:
    # mmdet's boxes hold a tensor.
    found = array(getattr(value, "tensor", value))
    if found is None and isinstance(value, (list, tuple)):
        try:
            found = np.asarray(value, np.float64)
        except (TypeError, ValueError):  # ragged, or of words
            return None
    return found


def _first(value: Mapping[Any, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None)
