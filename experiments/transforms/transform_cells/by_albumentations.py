"""albumentations' way: a ``Compose`` of one transform, with boxes and masks.

Imported only where albumentations is installed. Parameters are fixed when the transform is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

# It asks the network for a newer version when it is imported, unless it is told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import numpy as np

from .case import Bound, Outcome, Task

cv2.setNumThreads(1)

Build = Callable[[Task], Any]


def resize(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _resize)


def resize_area(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, lambda task: _resize(task, cv2.INTER_AREA))


def resize_masks(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _resize, masks=True)


def flip(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, lambda task: A.HorizontalFlip(p=1.0))


def flip_masks(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, lambda task: A.HorizontalFlip(p=1.0), masks=True)


def crop(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _crop)


def crop_masks(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _crop, masks=True)


def pad(tasks: Sequence[Task]) -> Bound:
    def build(task: Task) -> Any:
        width, height = task.sample.info.size
        added = (0, 0, task.params.width - width, task.params.height - height)
        return A.Pad(padding=added, fill=0, p=1.0)

    return _bound(tasks, build)


def expand(tasks: Sequence[Task]) -> Bound:
    def build(task: Task) -> Any:
        (width, height), params = task.sample.info.size, task.params
        right, lower = params.width - width - params.x, params.height - height - params.y
        return A.Pad(padding=(params.x, params.y, right, lower), fill=(123, 116, 103), p=1.0)

    return _bound(tasks, build)


def normalize(tasks: Sequence[Task]) -> Bound:
    step = A.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), p=1.0)
    return _images(tasks, step)


def distort(tasks: Sequence[Task]) -> Bound:
    """Its own definitions of the same four changes, with fixed factors."""
    step = A.ColorJitter((1.1, 1.1), (0.8, 0.8), (1.3, 1.3), (0.02, 0.02), p=1.0)
    return _images(tasks, step)


def _resize(task: Task, how: int = cv2.INTER_LINEAR) -> Any:
    return A.Resize(task.params.height, task.params.width, interpolation=how, p=1.0)


def _crop(task: Task) -> Any:
    params = task.params
    right, lower = params.x + params.width, params.y + params.height
    return A.Crop(params.x, params.y, right, lower, p=1.0)


def _images(tasks: Sequence[Task], step: Any) -> Bound:
    def call(image: Any) -> Any:
        return step(image=image)["image"]

    return Bound([task.sample.image.copy() for task in tasks], call, Outcome)


def _bound(tasks: Sequence[Task], build: Build, masks: bool = False) -> Bound:
    def call(ready: tuple[Any, dict[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = ready[0](**ready[1])
        return result

    def composed(task: Task) -> Any:
        # Boxes that reach out of the image are refused unless they are clipped.
        boxes = A.BboxParams("pascal_voc", label_fields=["labels"], clip=True)
        return A.Compose([build(task)], bbox_params=boxes)

    def values(task: Task) -> dict[str, Any]:
        sample = task.sample
        found = {"image": sample.image.copy(), "bboxes": sample.boxes, "labels": sample.labels}
        return {**found, "masks": sample.masks()} if masks else found

    return Bound(
        [(composed(task), values(task)) for task in tasks],
        call,
        lambda result: Outcome(result["image"], np.asarray(result["bboxes"], np.float32)[:, :4]),
    )
