"""torchvision v2's way: functionals on tensors and on Pillow images.

Imported only where torchvision is installed. Image tensors are views of (H, W, 3) arrays, that is
in the memory format "channels last", in which torchvision resizes uint8 fastest. Boxes and masks
are tensors of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import io
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from torchvision.tv_tensors import BoundingBoxes, Mask
from torchvision.tv_tensors import Image as ImageTensor

from .case import Bound, Outcome, Task

torch.set_num_threads(1)

Values = tuple[Any, ...]
# Does the same to the image, the boxes and the masks; the task is there for its parameters.
Step = Callable[[Any, Task], Any]


def decode(tasks: Sequence[Task]) -> Bound:
    arguments = [torch.frombuffer(bytearray(task.jpeg), dtype=torch.uint8) for task in tasks]

    def call(data: Any) -> Any:
        return io.decode_jpeg(data, mode=io.ImageReadMode.RGB)

    return Bound(arguments, call, lambda image: Outcome(array_of(image)))


def resize_tensor(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _resize)


def resize_pil(tasks: Sequence[Task]) -> Bound:
    return _pil(tasks, _resize)


def resize_masks(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _resize, masks=True)


def flip_tensor(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _flip)


def flip_pil(tasks: Sequence[Task]) -> Bound:
    return _pil(tasks, _flip)


def flip_masks(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _flip, masks=True)


def crop_tensor(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _crop, boxes=False)


def crop_pil(tasks: Sequence[Task]) -> Bound:
    return _pil(tasks, _crop, boxes=False)


def crop_masks(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _crop, masks=True, boxes=False)


def pad_tensor(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _pad)


def pad_pil(tasks: Sequence[Task]) -> Bound:
    return _pil(tasks, _pad)


def normalize(tasks: Sequence[Task]) -> Bound:
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

    def call(image: Any) -> Any:
        return F.normalize(F.to_dtype(image, torch.float32, scale=True), mean, std)

    return Bound(
        [tensor_of(task.sample.image) for task in tasks],
        call,
        lambda image: Outcome(array_of(image)),
    )


def distort_tensor(tasks: Sequence[Task]) -> Bound:
    return Bound(
        [tensor_of(task.sample.image) for task in tasks],
        _distort,
        lambda image: Outcome(array_of(image)),
    )


def distort_pil(tasks: Sequence[Task]) -> Bound:
    return Bound(
        [Image.fromarray(task.sample.image) for task in tasks],
        _distort,
        lambda image: Outcome(np.asarray(image)),
    )


def expand_tensor(tasks: Sequence[Task]) -> Bound:
    return _tensors(tasks, _expand)


def expand_pil(tasks: Sequence[Task]) -> Bound:
    return _pil(tasks, _expand)


def iou_crop(tasks: Sequence[Task]) -> Bound:
    step = v2.RandomIoUCrop()

    def call(values: Values) -> Values:
        image, boxes, labels = values
        done = step({"image": image, "boxes": boxes, "labels": labels})
        return done["image"], done["boxes"]

    arguments = [(*_values(task), torch.from_numpy(task.sample.labels.copy())) for task in tasks]
    return Bound(arguments, call, lambda values: Outcome(array_of(values[0])))


def filter_annotations(tasks: Sequence[Task]) -> Bound:
    step = v2.SanitizeBoundingBoxes(min_size=8)

    def call(values: Values) -> Values:
        image, boxes, labels = values
        done = step({"image": image, "boxes": boxes, "labels": labels})
        return done["image"], done["boxes"]

    arguments = [(*_values(task), torch.from_numpy(task.sample.labels.copy())) for task in tasks]
    return Bound(arguments, call, lambda values: Outcome(array_of(values[0])))


def tensor_of(image: Any) -> Any:
    return ImageTensor(torch.from_numpy(image.copy()).permute(2, 0, 1))


def array_of(image: Any) -> Any:
    return image.as_subclass(torch.Tensor).permute(1, 2, 0).numpy()


def _resize(value: Any, task: Task) -> Any:
    return F.resize(value, [task.params.height, task.params.width], antialias=True)


def _flip(value: Any, task: Task) -> Any:
    return F.horizontal_flip(value)


def _crop(value: Any, task: Task) -> Any:
    params = task.params
    return F.crop(value, params.y, params.x, params.height, params.width)


def _pad(value: Any, task: Task) -> Any:
    width, height = task.sample.info.size
    return F.pad(value, [0, 0, task.params.width - width, task.params.height - height], fill=0)


def _expand(value: Any, task: Task) -> Any:
    (width, height), params = task.sample.info.size, task.params
    right, lower = params.width - width - params.x, params.height - height - params.y
    return F.pad(value, [params.x, params.y, right, lower], fill=[123, 116, 103])


def _distort(image: Any) -> Any:
    # Its own definitions of the same four changes, with factors from the middle of the ranges.
    image = F.adjust_brightness(image, 1.1)
    image = F.adjust_contrast(image, 0.8)
    image = F.adjust_saturation(image, 1.3)
    return F.adjust_hue(image, 0.02)


def _values(task: Task, masks: bool = False) -> Values:
    sample = task.sample
    size = sample.image.shape[:2]
    boxes = BoundingBoxes(torch.from_numpy(sample.boxes.copy()), format="XYXY", canvas_size=size)
    values = (tensor_of(sample.image), boxes)
    return (*values, Mask(torch.from_numpy(sample.masks()))) if masks else values


def _tensors(tasks: Sequence[Task], step: Step, masks: bool = False, boxes: bool = True) -> Bound:
    def call(ready: tuple[Task, Values]) -> Values:
        return tuple(step(value, ready[0]) for value in ready[1])

    def outcome(values: Values) -> Outcome:
        # Where ftloader drops what lies outside, torchvision leaves that to another transform.
        return Outcome(array_of(values[0]), values[1].numpy() if boxes else None)

    return Bound([(task, _values(task, masks)) for task in tasks], call, outcome)


def _pil(tasks: Sequence[Task], step: Step, boxes: bool = True) -> Bound:
    def call(ready: tuple[Task, Values]) -> Values:
        return tuple(step(value, ready[0]) for value in ready[1])

    def outcome(values: Values) -> Outcome:
        return Outcome(np.asarray(values[0]), values[1].numpy() if boxes else None)

    arguments = [(task, (Image.fromarray(task.sample.image), _values(task)[1])) for task in tasks]
    return Bound(arguments, call, outcome)
