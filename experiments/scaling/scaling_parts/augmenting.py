"""Transforms: a mosaic of decoded images, and a whole recipe from bytes to a training sample.

Random numbers come from streams keyed by seed, epoch and image, so that every arm, thread and
process makes the same samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftloader import lab
from ftloader.detection.augment import Augment
from ftloader.detection.sample import Sample
from ftloader.detection.transforms.mosaic import Mosaic
from ftloader.detection.transforms.recipes import mask_rcnn
from ftloader.lab.inputs import in_memory
from ftloader.rng import sample_rng

from .mapped import mapped

Arrays = tuple[np.ndarray[Any, Any], ...]
SIZE = (640, 640)


@dataclass(frozen=True)
class Mixed:
    """What a mosaic is made of: decided, read and decoded beforehand."""

    mosaic: Mosaic
    params: Any
    sample: Sample
    partners: Mapping[int, Sample]


def prepare_mosaics(inputs: lab.Inputs) -> Sequence[Mixed]:
    data = in_memory(inputs)
    samples = [data.load(place) for place in range(len(data))]
    mosaic = Mosaic(data, SIZE)

    def one(place: int) -> Mixed:
        params = mosaic.draw(sample_rng(inputs.seed, 0, place), samples[place].info)
        partners = {other: samples[other] for other in mosaic.partners(params)}
        return Mixed(mosaic, params, samples[place], partners)

    return [one(place) for place in range(len(data))]


def make_mosaic(item: Mixed) -> Arrays:
    made = item.mosaic.apply(item.sample, item.params, item.partners)
    return made.image, made.boxes, made.labels


@dataclass(frozen=True)
class Indexed:
    """An image by its position, and what is to be done to it."""

    augment: Augment
    index: int


def prepare_indices(inputs: lab.Inputs) -> Sequence[Indexed]:
    augment = Augment(in_memory(inputs), mask_rcnn(), seed=inputs.seed)
    return [Indexed(augment, index) for index in range(len(augment))]


def augmented(item: Indexed) -> Arrays:
    # The recipe drops nothing: there is one sample.
    (sample,) = item.augment(item.index)
    masks = sample.info.annotations.segmentations
    return sample.image, sample.boxes, sample.labels, *masks


WORKLOADS = (
    mapped(
        name="mosaic",
        title="Mosaic",
        about="four decoded images fitted into 640 × 640 each, on a canvas of 1280 × 1280, with "
        "their objects; resizing and copying pixels release the GIL, moving and clipping outlines "
        "in small NumPy calls holds it",
        prepare=prepare_mosaics,
        call=make_mosaic,
    ),
    mapped(
        name="recipe",
        title="Full recipe (Mask R-CNN)",
        about="from an image's position to a training sample: objects looked up, JPEG decoded, "
        "image and outlines resized to fit 1333 × 800 and flipped at random, outlines made masks; "
        "decoding and resizing release the GIL, the objects and the masks hold it",
        prepare=prepare_indices,
        call=augmented,
    ),
)
