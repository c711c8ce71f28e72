"""(a) Steps that are about objects: filtering, cropping by overlap, and everything with masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ftloader.detection.sample import Sample
from ftloader.detection.transforms.base import NO_PARTNERS
from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.iou_crop import MinIoURandomCrop
from ftloader.detection.transforms.rasterize import Rasterize
from ftloader.rng import sample_rng

from .case import SEED, Bound, Case, Outcome, Peer, Task, applied, outcome_of
from .steps import ALBUMENTATIONS, FULL, MMDET, TENSOR, TORCHVISION

TO_BITMAPS = Rasterize()


def with_draw(tasks: Sequence[Task], transform: Any) -> Bound:
    """Draw and apply, anew each time, from the same streams in every window."""
    rngs = [sample_rng(SEED, 1, place) for place in range(len(tasks))]

    def call(ready: tuple[Sample, Any]) -> Sample | None:
        found: Sample | None = transform(*ready)
        return found

    return Bound(
        [(task.sample, rng) for task, rng in zip(tasks, rngs, strict=True)],
        call,
        lambda sample: Outcome(np.zeros(0) if sample is None else sample.image),
    )


def judged(tasks: Sequence[Task], transform: Any) -> Bound:
    """Draw too: that is where a filter looks at the objects."""
    rng = sample_rng(SEED, 0, 0)  # nothing is taken from it
    return Bound(tasks, lambda task: transform(task.sample, rng, NO_PARTNERS), outcome_of)


def bitmaps(tasks: Sequence[Task], transform: Any) -> Bound:
    """Start from bitmaps, made before the clock starts."""
    made = []
    for task in tasks:
        sample = TO_BITMAPS.apply(task.sample, TO_BITMAPS.draw(sample_rng(SEED, 0, 0), _info(task)))
        made.append(Task(task.jpeg, sample, task.params, task.partners))
    return applied(made, transform)


def masks_made(tasks: Sequence[Task], transform: Any) -> Bound:
    """Move polygons, and rasterise them at the end."""

    def call(task: Task) -> tuple[Sample, Any]:
        sample = transform.apply(task.sample, task.params)
        return sample, sample.masks()

    return Bound(tasks, call, lambda pair: outcome_of(pair[0]))


def rasterized(tasks: Sequence[Task], transform: Any) -> Bound:
    def outcome(sample: Sample) -> Outcome:
        return Outcome(np.stack(sample.info.annotations.segmentations))

    return Bound(tasks, lambda task: transform.apply(task.sample, task.params), outcome)


def _info(task: Task) -> Any:
    return task.sample.info


MORE = {
    "ftloader_bitmaps": ("ftloader, from bitmaps", bitmaps),
    "ftloader_masks": ("ftloader, with polygons rasterised behind it", masks_made),
}
PEERS = {
    "mmdet": ("mmdet", MMDET),
    "tv_tensor": (TENSOR, TORCHVISION),
    "albumentations": ("albumentations", ALBUMENTATIONS),
}


def with_masks(step: str) -> tuple[Peer, ...]:
    # The outputs differ in the masks' form; images and boxes are compared with masks elsewhere.
    return tuple(
        Peer(name, f"{title}, from bitmaps", module, f"{step}_masks", None, judged=False)
        for name, (title, module) in PEERS.items()
    )


CASES = (
    Case(
        "filter",
        "Filter boxes",
        "boxes up to 8 pixels wide or high go; drawing is where ftloader decides, and is timed",
        lambda data: FilterAnnotations(min_size=(8, 8), drop_empty=False),
        (
            Peer("mmdet", "mmdet", MMDET, "filter_annotations"),
            Peer("tv_tensor", TENSOR, TORCHVISION, "filter_annotations", judged=False),
        ),
        ours=judged,
    ),
    Case(
        "iou_crop",
        "Crop by overlap",
        "drawing and applying, each with its own random numbers: the draws cannot be shared, so "
        "outputs are not compared; torchvision's rule is another one: not judged",
        lambda data: MinIoURandomCrop(),
        (
            Peer("mmdet", "mmdet", MMDET, "iou_crop", None),
            Peer("tv_tensor", TENSOR, TORCHVISION, "iou_crop", None, judged=False),
        ),
        ours=with_draw,
        compared=False,
    ),
    Case(
        "rasterize",
        "Rasterise outlines",
        "all outlines of an image to bitmaps of its size; pycocotools as mmdet's loading calls it",
        lambda data: TO_BITMAPS,
        (Peer("mmdet", "pycocotools, by mmdet", MMDET, "rasterize"),),
        ours=rasterized,
    ),
    Case(
        "resize_masks",
        "Resize, with masks",
        "to fit 1333 × 800, with the objects' masks: ftloader's polygons stay polygons, the others "
        "resize bitmaps",
        lambda data: FULL,
        with_masks("resize"),
        more=MORE,
    ),
    Case(
        "flip_masks",
        "Mirror, with masks",
        "left and right are swapped, with masks",
        lambda data: RandomFlip(1.0),
        with_masks("flip"),
        more=MORE,
    ),
    Case(
        "crop_masks",
        "Crop, with masks",
        "a rectangle of 384 × 384 (or less), with masks; mmdet's and torchvision's are views",
        lambda data: RandomCrop((384, 384), allow_negative_crop=True),
        with_masks("crop"),
        more=MORE,
    ),
)
