"""The work that every contender does: samples of an epoch, and batches of samples.

A sample is keyed by its position in the epoch, so what comes out does not depend on who makes it.
The epoch repeats the images in memory as often as a trial needs; the random streams do not repeat.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ftloader import lab
from ftloader.batching import PaddedBatch
from ftloader.detection.augment import Augment
from ftloader.detection.image import decode
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms.compose import Compose
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.resize import Resize
from ftloader.lab.inputs import in_memory
from ftloader.safety import ThreadSafety

# The Python-heavy work is that of experiments/scaling, by itself.
sys.path.append(str(Path(__file__).parents[2] / "scaling"))
from scaling_parts import objects

SIDE = 320
RECIPE = Compose([Resize((SIDE, SIDE), keep_ratio=False), RandomFlip(0.5)])
#: Batches that may be ready ahead of the reader, for each worker: torch's default, for everybody.
AHEAD = 2

Batch = dict[str, Any]


class Images:
    """The images of a run as a data set of any length, as ftloader, torch and a list index it.

    Thread safety: immutable.
    """

    thread_safety = ThreadSafety.READ_ONLY

    def __init__(self, inputs: lab.Inputs, length: int) -> None:
        folder = in_memory(inputs)
        self._infos = [_without_outlines(folder.sample_info(i)) for i in range(len(folder))]
        self._jpegs = [sample.jpeg for sample in inputs.samples]
        self._length = length
        self.seed = inputs.seed
        self._augment = Augment(self, RECIPE, self.seed)

    def __len__(self) -> int:
        return self._length

    def sample_info(self, i: int) -> SampleInfo:
        """Return what is known of a sample without its pixels."""
        return replace(self._infos[i % len(self._infos)], index=i, image_id=i)

    def load(self, i: int) -> Sample:
        """Return a sample as it is stored, decoded."""
        return Sample(decode(self._jpegs[i % len(self._jpegs)]), self.sample_info(i))

    def __getitem__(self, i: int) -> Sample:
        """Return a sample as a batch takes it: decoded, resized, perhaps mirrored."""
        (sample,) = self._augment(i)
        return sample


class Outlines:
    """The annotations of the images, with the Python-heavy work of ``experiments/scaling``.

    Thread safety: immutable; the work is a pure function.
    """

    thread_safety = ThreadSafety.READ_ONLY

    def __init__(self, inputs: lab.Inputs, length: int) -> None:
        self._items = objects.prepare_labelled(inputs)
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> tuple[np.ndarray[Any, Any], ...]:
        """Return position, boxes, labels, and the masks' own boxes; the masks stay behind."""
        boxes, labels, _masks, tight = objects.load_annotations(self._items[i % len(self._items)])
        return np.array([i]), boxes, labels, tight


@dataclass(frozen=True)
class Work:
    """What a contender is to do.

    Attributes:
        data: the samples, by position in the epoch; ``len(data)`` of them, in whole batches.
        collate: makes a batch of samples.
        workers: threads or processes that may work at once.
        size: samples in a batch.
    """

    data: Any
    collate: Callable[[Sequence[Any]], Batch]
    workers: int
    size: int

    @property
    def ahead(self) -> int:
        """How many batches may be ready."""
        return AHEAD * self.workers

    def batch(self, places: Sequence[int]) -> Batch:
        """Make a whole batch in one call, as torch's workers do."""
        return self.collate([self.data[place] for place in places])

    def groups(self) -> list[range]:
        """Return the positions of each batch, in order."""
        return [range(at, at + self.size) for at in range(0, len(self.data), self.size)]


def stack(samples: Sequence[Sample]) -> Batch:
    """Copy images of one size into one array; boxes and labels stay lists."""
    images = np.empty((len(samples), SIDE, SIDE, 3), np.uint8)
    for slot, sample in enumerate(samples):
        images[slot] = sample.image
    return {
        "images": images,
        "boxes": [sample.boxes for sample in samples],
        "labels": [sample.labels for sample in samples],
        "ids": np.array([sample.info.image_id for sample in samples]),
    }


def gather(samples: Sequence[tuple[np.ndarray[Any, Any], ...]]) -> Batch:
    """Collect the annotations of several images."""
    names = ("ids", "boxes", "labels", "tight")
    return dict(zip(names, map(list, zip(*samples, strict=True)), strict=True))


def make(inputs: lab.Inputs, settings: Mapping[str, int | float | str], batches: int) -> Work:
    """Return the work of a cell, with so many batches in the epoch."""
    workers, size = int(settings["workers"]), int(settings["batch"])
    if settings["work"] == "annotations":
        return Work(Outlines(inputs, batches * size), gather, workers, size)
    return Work(Images(inputs, batches * size), stack, workers, size)


def numbers(batch: Any) -> list[Any]:
    """Return what is in a batch, whatever holds it: arrays, in an order of their own."""
    if isinstance(batch, PaddedBatch):
        held = {"images": batch.images, "boxes": list(batch.boxes), "labels": list(batch.labels)}
        batch = {**held, "ids": batch.image_ids}
    return [_plain(batch[name]) for name in sorted(batch)]


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, np.ndarray) else value.numpy()  # a tensor of torch's


@contextmanager
def forking() -> Iterator[None]:
    """Start processes without what Python and torch have to say about how many, and how.

    That a process with threads is forked, and more workers than cores: both are meant here.
    """
    with warnings.catch_warnings(action="ignore"):
        yield


def _without_outlines(info: SampleInfo) -> SampleInfo:
    """Leave the boxes only: what becomes of outlines is the business of other experiments."""
    none = ((),) * len(info.annotations)
    return replace(info, annotations=replace(info.annotations, segmentations=none))
