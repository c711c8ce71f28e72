"""albumentations' transforms: called by keywords, with boxes where they are set up for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .base import Convention, View
from .coded import pictures
from .plain import finished
from .views import view


@dataclass(frozen=True, slots=True)
class BoxSetup:
    """How a ``Compose`` wants its boxes.

    Attributes:
        format: one of albumentations' four.
        label_field: keyword of the labels, None if they are the boxes' fifth column.
    """

    format: str
    label_field: str | None


class Albumentations(Convention):
    """``transform(image=..., bboxes=..., labels=...)``; the image alone without ``bbox_params``.

    Args:
        transform: whose setup decides what it is given.
    """

    name: ClassVar[str] = "albumentations"

    def __init__(self, transform: Any = None) -> None:
        self._setup = _setup(transform)

    def samples(self) -> Sequence[Any]:
        """Make dicts of the keywords."""
        made: list[dict[str, Any]] = []
        for coded in pictures():
            sample: dict[str, Any] = {"image": coded.image.copy()}
            setup = self._setup
            if setup is not None:
                boxes = _to(setup.format, coded.boxes, coded.size)
                if setup.label_field is None:
                    boxes = np.column_stack([boxes, coded.labels])
                else:
                    sample[setup.label_field] = coded.labels.tolist()
                sample["bboxes"] = boxes
            made.append(sample)
        return made

    def call(self, transform: Any, sample: Any, rng: Generator) -> Any:
        """Call it with a sample's keywords, or with a sample as the image."""
        if isinstance(sample, Mapping):
            return finished(transform(**sample))
        return finished(transform(image=sample))

    def view(self, value: Any) -> View | None:
        """Return the picture and the objects, boxes in pixels."""
        seen = view(value)
        setup = self._setup
        if seen is None or setup is None or not isinstance(value, Mapping):
            return seen
        boxes = np.asarray(value.get("bboxes", ()), np.float64)
        if boxes.size == 0:
            return View(seen.image, np.zeros((0, 4)), np.zeros(0, np.int64))
        named = boxes[:, 4] if setup.label_field is None else value.get(setup.label_field, ())
        height, width = seen.image.shape[:2]
        corners = _from(setup.format, boxes[:, :4], (width, height))
        return View(seen.image, corners, np.asarray(named, np.float64).astype(np.int64))


def _setup(transform: Any) -> BoxSetup | None:
    processor = getattr(transform, "processors", {}).get("bboxes")
    params = getattr(processor, "params", None)
    if params is None:
        return None
    names = list(params.label_fields or ())
    return BoxSetup(str(params.format), names[0] if names else None)


def _to(kind: str, boxes: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return corner boxes in pixels in one of albumentations' formats."""
    low, high = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    match kind:
        case "coco":
            return np.hstack([low, high - low])
        case "yolo":
            return np.hstack([(low + high) / 2, high - low]) / (*size, *size)
        case "albumentations":
            return np.hstack([low, high]) / (*size, *size)
    return np.hstack([low, high])


def _from(kind: str, boxes: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return boxes of one of albumentations' formats as corners in pixels."""
    first, second = boxes[:, :2], boxes[:, 2:]
    match kind:
        case "coco":
            return np.hstack([first, first + second])
        case "yolo":
            return np.hstack([first - second / 2, first + second / 2]) * (*size, *size)
        case "albumentations":
            return boxes * (*size, *size)
    return boxes
