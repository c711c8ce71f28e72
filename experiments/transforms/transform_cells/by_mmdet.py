"""mmdet's and mmcv's way: a transform object changes a dictionary.

Imported only where both are installed. Images are in their own order of channels, BGR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from pycocotools import mask as coco_mask

from ftloader.lab.absent import leave_out

from .case import Bound, Outcome, Task

# The compiled part of mmcv has no wheels, and no transform needs it.
leave_out("mmcv.ops")

from mmdet.datasets.transforms import transforms as steps  # noqa: E402 (only now importable)
from mmdet.structures.bbox import HorizontalBoxes  # noqa: E402
from mmdet.structures.mask import BitmapMasks  # noqa: E402

# One thread, as everybody here.
cv2.setNumThreads(1)
torch.set_num_threads(1)

Results = dict[str, Any]
Build = Callable[[Task], Any]


def decode(tasks: Sequence[Task]) -> Bound:
    return Bound([task.jpeg for task in tasks], mmcv.imfrombytes, lambda bgr: Outcome(rgb(bgr)))


def resize(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _resize)


def resize_pillow(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, lambda task: _resize(task, "pillow"))


def resize_masks(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _resize, masks=True)


def flip(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _flip, finish=_contiguous)


def flip_masks(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _flip, masks=True, finish=_contiguous)


def crop(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _crop)


def crop_masks(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, _crop, masks=True)


def pad(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, lambda task: steps.Pad(size_divisor=32))


def normalize(tasks: Sequence[Task]) -> Bound:
    def call(image: Any) -> Any:
        return mmcv.imnormalize(image, _MEAN, _STD, to_rgb=True)

    return Bound([bgr(task.sample.image) for task in tasks], call, Outcome)


def expand(tasks: Sequence[Task]) -> Bound:
    def build(task: Task) -> Any:
        width, height = task.sample.info.size
        # Any ratio will do that truncates to the canvas that was drawn.
        ratio = max(task.params.width / width, task.params.height / height) + 1e-9
        made = steps.Expand(mean=_MEAN.tolist(), prob=1.0)
        made._random_prob = lambda: 0.0
        made._random_ratio = lambda: ratio
        made._random_left_top = lambda ratio, h, w: (task.params.x, task.params.y)
        return made

    return _bound(tasks, build)


def distort(tasks: Sequence[Task]) -> Bound:
    def build(task: Task) -> Any:
        params, made = task.params, steps.PhotoMetricDistortion()
        flags = (
            params.brightness != 0,
            params.contrast != 1,
            params.saturation != 1,
            params.hue != 0,
            params.channels != (0, 1, 2),
        )
        order = np.array([2 - params.channels[2 - i] for i in range(3)])
        sizes = (params.brightness, params.contrast, params.saturation, params.hue, order)
        made._random_flags = lambda: (1, *flags, *sizes)
        return made

    def outcome(results: Results) -> Outcome:
        # mmdet leaves floats that reach beyond 0 and 255.
        whole = np.floor(rgb(results["img"]) + 0.5).clip(0, 255)
        return Outcome(whole.astype(np.uint8), results["gt_bboxes"].tensor.numpy())

    return replace(_bound(tasks, build), outcome=outcome)


def iou_crop(tasks: Sequence[Task]) -> Bound:
    return _bound(tasks, lambda task: steps.MinIoURandomCrop())


def filter_annotations(tasks: Sequence[Task]) -> Bound:
    from mmdet.datasets.transforms.loading import FilterAnnotations

    return _bound(tasks, lambda task: FilterAnnotations(min_gt_bbox_wh=(8, 8), keep_empty=False))


def mosaic(tasks: Sequence[Task]) -> Bound:
    def build(task: Task) -> Any:
        params = task.params
        # Truncated to the centre that was drawn.
        places = [(params.x + 0.5) / 640, (params.y + 0.5) / 640]
        return _Scripted(steps.Mosaic((640, 640)), [0.0, *places], [])

    return _mixed(tasks, build, lambda task: task.params.partners)


def mixup(tasks: Sequence[Task]) -> Bound:
    def build(task: Task) -> Any:
        params, (width, height) = task.params, task.sample.info.size
        side = int(640 * params.factor)
        # Only places that are to be chosen are drawn, the upper edge first.
        places = [params.y] * (side > height) + [params.x] * (side > width)
        return _Scripted(steps.MixUp((640, 640)), [params.factor, float(params.flip)], places)

    return _mixed(tasks, build, lambda task: (task.params.partner,))


class _Scripted:
    """A transform that is told what it draws.

    mmdet draws inside ``transform``, from the name ``random`` of its module.
    """

    def __init__(self, made: Any, reals: Sequence[float], integers: Sequence[int]) -> None:
        self._made, self._reals, self._integers = made, reals, integers

    def transform(self, results: Results) -> Results:
        reals, integers, before = iter(self._reals), iter(self._integers), steps.random
        steps.random = SimpleNamespace(
            uniform=lambda *bounds: next(reals), randint=lambda *bounds: next(integers)
        )
        try:
            found: Results = self._made.transform(results)
        finally:
            steps.random = before
        return found


def rasterize(tasks: Sequence[Task]) -> Bound:
    """What mmdet's loading does with ``poly2mask``: pycocotools, one object after the other."""

    def call(task: Task) -> Any:
        height, width = task.sample.info.height, task.sample.info.width
        found = []
        for outline in task.sample.info.annotations.segmentations:
            if isinstance(outline, tuple):
                parts = [part.tolist() for part in outline]
                packed = coco_mask.merge(coco_mask.frPyObjects(parts, height, width))
            else:
                counts = outline.counts
                plain = counts if isinstance(counts, bytes) else counts.tolist()
                packed = {"size": [height, width], "counts": plain}
                if not isinstance(plain, bytes):
                    packed = coco_mask.frPyObjects(packed, height, width)
            found.append(coco_mask.decode(packed))
        return BitmapMasks(found, height, width)

    return Bound(tasks, call, lambda masks: Outcome(masks.masks))


def bgr(image: Any) -> Any:
    return np.ascontiguousarray(image[..., ::-1])


def rgb(image: Any) -> Any:
    return image[..., ::-1]


_MEAN = np.array([123.675, 116.28, 103.53])
_STD = np.array([58.395, 57.12, 57.375])


def _resize(task: Task, backend: str = "cv2") -> Any:
    size = (task.params.width, task.params.height)
    return steps.Resize(scale=size, keep_ratio=False, backend=backend)


def _flip(task: Task) -> Any:
    return steps.RandomFlip(prob=1.0, direction=task.params.direction)


def _crop(task: Task) -> Any:
    params = task.params
    made = steps.RandomCrop((params.width, params.height), allow_negative_crop=True)
    made._get_crop_size = lambda size: (params.height, params.width)
    made._rand_offset = lambda margin: (params.y, params.x)
    return made


def _contiguous(results: Results) -> Results:
    # mmcv mirrors by a view with negative strides; packing makes a copy of it later.
    results["img"] = np.ascontiguousarray(results["img"])
    return results


def _bound(
    tasks: Sequence[Task],
    build: Build,
    masks: bool = False,
    finish: Callable[[Results], Results] | None = None,
) -> Bound:
    def call(ready: tuple[Any, Results]) -> Results:
        results = ready[0].transform(ready[1])
        return finish(results) if finish else results

    arguments = [(build(task), results_of(task, masks)) for task in tasks]
    return Bound(arguments, call, outcome_of, _fresh)


def results_of(task: Task, masks: bool = False) -> Results:
    """Return a sample as mmdet's loading gives it."""
    sample = task.sample
    results: Results = {
        "img": bgr(sample.image),
        "img_shape": sample.image.shape[:2],
        "ori_shape": sample.image.shape[:2],
        "gt_bboxes": HorizontalBoxes(sample.boxes.copy()),
        "gt_bboxes_labels": sample.labels.copy(),
        "gt_ignore_flags": sample.crowd.copy(),
    }
    if masks:
        results["gt_masks"] = BitmapMasks(sample.masks(), *sample.image.shape[:2])
    return results


def outcome_of(results: Results) -> Outcome:
    return Outcome(rgb(results["img"]), results["gt_bboxes"].tensor.numpy())


def _mixed(tasks: Sequence[Task], build: Build, wanted: Callable[[Task], Sequence[int]]) -> Bound:
    def with_partners(task: Task) -> Results:
        others = [replace(task, sample=task.partners[i]) for i in wanted(task)]
        return results_of(task) | {"mix_results": [results_of(other) for other in others]}

    def fresh(ready: tuple[Any, Results]) -> tuple[Any, Results]:
        made, results = _fresh(ready)
        return made, results | {"mix_results": [_fresh((0, r))[1] for r in results["mix_results"]]}

    arguments = [(build(task), with_partners(task)) for task in tasks]
    return Bound(arguments, lambda ready: ready[0].transform(ready[1]), outcome_of, fresh)


def _fresh(ready: tuple[Any, Results]) -> tuple[Any, Results]:
    # Boxes are changed in place.
    return ready[0], {**ready[1], "gt_bboxes": ready[1]["gt_bboxes"].clone()}
