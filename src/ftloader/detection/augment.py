"""From an index to an augmented sample: what a pipeline's stages do.

``Augment`` joins a data set, a recipe and a seed. The random stream of a sample is keyed by (seed,
epoch, index), so what comes out for an index is the same on any engine and thread, in any order,
and when it is asked for again. What a recipe drops yields nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from numpy.typing import ArrayLike

from ftloader.detection._foresight import foreseen
from ftloader.detection.image import decode
from ftloader.detection.sample import Image, Sample, SampleInfo
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.compose import steps
from ftloader.detection.transforms.mosaic import InfoSource
from ftloader.detection.transforms.resize import ResizeParams
from ftloader.errors import DataError, summary
from ftloader.rng import sample_rng
from ftloader.safety import ThreadSafety
from ftloader.sizes import Sizes

_SCALES = (1, 2, 4, 8)


#: A sample by its index, or by its index and how often it had come before in this epoch.
Which = int | tuple[int, int]


class SampleSource(InfoSource, Protocol):
    """A data set to augment, such as :class:`~ftloader.detection.CocoFolder`.

    Thread safety: must be safe to ask from any thread.
    """

    def load(self, i: int, /) -> Sample:
        """Return sample ``i``."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to a sample, decided before its pixels are read.

    Attributes:
        index: the sample's position in the data set.
        key: its file name, by which errors and logs call it.
        params: what the recipe drew.
        size: exact width and height of the image that will come out, pixels.
        partners: other samples that the recipe needs.
    """

    index: int
    key: str
    params: Any
    size: tuple[int, int]
    partners: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A plan with the pixels that it needs.

    Attributes:
        plan: what is to be done.
        sample: the sample; its image may be smaller than its info says (scaled decoding).
        partners: the other samples, by index.
    """

    plan: Plan
    sample: Sample
    partners: Mapping[int, Sample]

    @property
    def key(self) -> str:
        """The sample's file name."""
        return self.plan.key

    @property
    def nbytes(self) -> int:
        """Bytes that all samples keep alive."""
        return self.sample.nbytes + sum(sample.nbytes for sample in self.partners.values())


@dataclass(frozen=True, slots=True)
class Augment:
    """A data set under a recipe: an operation for a pipeline.

    In one stage, from indices to samples::

        Pipeline(range(len(data))).pipe(Augment(data, recipe, seed=1), concurrency=8)

    or in three, where reading and computing want different concurrencies::

        pipe(augment.plans).pipe(augment.load, concurrency=16).pipe(augment.apply, concurrency=8)

    A sample that an epoch serves more than once (weighted sampling) is asked for by a pair, its
    index and how often it had come before: each time it is augmented in another way.

    ``scaled_decoding`` has the JPEG decoder deliver an image at 1/2, 1/4 or 1/8 where the first
    step that changes pixels is a resize to at most half the size in both directions. It saves
    most of the decoding of large images. It is off by default: the pixels differ a little from
    those of decoding in full (the boxes do not), and COCO's images are hardly ever halved.
    Partners are always decoded in full.

    Attributes:
        dataset: where samples come from; with ``scaled_decoding`` it has ``read_bytes`` too.
        recipe: what is done to them.
        seed: the run's seed, 0 to 2**64 - 1.
        epoch: 0 to 2**64 - 1; see :meth:`at_epoch`.
        scaled_decoding: whether images may be decoded at a fraction of their size.

    Raises:
        ValueError: a seed or an epoch out of range, or scaled decoding of a data set that has no
            ``read_bytes``.

    Thread safety: immutable; share it freely.
    Determinism: the same data, recipe, seed, epoch and index give the same bits on every engine,
    thread and interpreter with the same NumPy and Pillow.
    """

    dataset: SampleSource
    recipe: Transform[Any]
    seed: int = 0
    epoch: int = 0
    scaled_decoding: bool = False

    def __post_init__(self) -> None:
        sample_rng(self.seed, self.epoch, 0)  # refuses what is out of range
        if self.scaled_decoding and not hasattr(self.dataset, "read_bytes"):
            raise ValueError(
                f"Augment: scaled decoding needs the files, and {type(self.dataset).__name__} "
                f"has no read_bytes(index); leave scaled_decoding off"
            )

    @property
    def thread_safety(self) -> ThreadSafety:
        """What the recipe promises; the data set must be safe to ask from any thread."""
        return self.recipe.thread_safety

    def __len__(self) -> int:
        """How many samples there are before any is dropped."""
        return len(self.dataset)

    def __deepcopy__(self, memo: dict[int, Any]) -> Augment:
        """Return one for another thread: a recipe of its own, the same data set."""
        memo[id(self.dataset)] = self.dataset
        return replace(self, recipe=copy.deepcopy(self.recipe, memo))

    def at_epoch(self, epoch: int) -> Augment:
        """Return the same for another epoch."""
        return replace(self, epoch=epoch)

    def sizes(
        self,
        samples: ArrayLike | None = None,
        draws: ArrayLike | None = None,
        *,
        exact_boxes: bool = False,
    ) -> Sizes:
        """Return what the recipe will make of samples, without reading a pixel.

        Args:
            samples: indices, in the order in which they will be asked for; all by default.
            draws: how often each had come before; 0 by default.
            exact_boxes: follow the objects through the recipe. Otherwise objects are counted as
                they are annotated, partners' included: never too few, and an order of magnitude
                faster.

        Returns:
            One row per sample; width 0 where the recipe drops it.

        Raises:
            IndexError: there is no such sample.
            DataError: the recipe cannot cope with a sample, which the message names.
        """
        return foreseen(self, samples, draws, exact_boxes)

    def plan(self, index: int, draw: int = 0) -> Plan | None:
        """Decide what will be done to a sample; None if the recipe drops it.

        Reads no pixels: a whole epoch can be planned before it is loaded.

        Args:
            index: the sample's position in the data set.
            draw: how often it had come before in this epoch.

        Raises:
            IndexError: there is no such sample.
            DataError: the recipe cannot cope with the sample, which the message names.
        """
        info = self.dataset.sample_info(index)
        with _naming(info):
            params = self.recipe.draw(sample_rng(self.seed, self.epoch, index, draw), info)
            if params is None:
                return None
            size = self.recipe.output_size(info, params)
            return Plan(index, info.file_name, params, size, self.recipe.partners(params))

    def plans(self, which: Which) -> Generator[Plan]:
        """Yield the plan of a sample, or nothing if the recipe drops it (see :meth:`plan`)."""
        plan = self.plan(*_pair(which))
        if plan is not None:
            yield plan

    def load(self, plan: Plan) -> Loaded:
        """Read and decode what a plan needs.

        Raises:
            DataError: a file cannot be read or decoded; the message names the sample, and the
                partner if it is one.
        """
        info = self.dataset.sample_info(plan.index)
        with _naming(info):
            at_least = self._fraction(info, plan.params) if self.scaled_decoding else None
            if at_least is None:
                sample = self.dataset.load(plan.index)
            else:
                sample = Sample(self._decode(info, at_least), info)
            return Loaded(plan, sample, {i: self.dataset.load(i) for i in plan.partners})

    def apply(self, loaded: Loaded) -> Sample:
        """Do what was planned.

        Raises:
            DataError: it cannot be done; the message names the sample.
        """
        with _naming(loaded.sample.info):
            return self.recipe.apply(loaded.sample, loaded.plan.params, loaded.partners)

    def __call__(self, which: Which) -> Generator[Sample]:
        """Yield the augmented sample, or nothing if the recipe drops it.

        Raises:
            IndexError: there is no such sample.
            DataError: as for :meth:`plan`, :meth:`load` and :meth:`apply`.
        """
        plan = self.plan(*_pair(which))
        if plan is not None:
            yield self.apply(self.load(plan))

    def _fraction(self, info: SampleInfo, params: Any) -> tuple[int, int] | None:
        """Return the size that a scaled image must reach, None if it must not be scaled."""
        for step, own in steps(self.recipe, params):
            if isinstance(own, ResizeParams):
                small = 2 * own.width <= info.width and 2 * own.height <= info.height
                return (own.width, own.height) if small else None
            kind = type(step)
            if kind.pixels is not Transform.pixels or kind.apply is not Transform.apply:
                return None  # it works on the pixels as they are in the file
        return None

    def _decode(self, info: SampleInfo, at_least: tuple[int, int]) -> Image:
        data: bytes = self.dataset.read_bytes(info.index)  # type: ignore[attr-defined]
        image = decode(data, name=info.file_name, at_least=at_least)
        height, width = image.shape[:2]
        if (width, height) not in [(-(-info.width // s), -(-info.height // s)) for s in _SCALES]:
            raise DataError(
                f"image {info.image_id}, {info.file_name}, has {width} x {height} pixels, which "
                f"is no fraction of the {info.width} x {info.height} its annotations are for"
            )
        return image


def _pair(which: Which) -> tuple[int, int]:
    return which if isinstance(which, tuple) else (which, 0)


@contextmanager
def _naming(info: SampleInfo) -> Iterator[None]:
    """Have every error name the sample."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, DataError) and info.file_name in str(error):
            raise
        text = str(error) if isinstance(error, DataError) else summary(error)
        raise DataError(f"image {info.image_id}, {info.file_name}: {text}") from error
