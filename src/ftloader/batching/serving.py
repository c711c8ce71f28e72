"""Serving a plan through a pipeline: each image on its own, then together again as planned.

::

    mine = plan.rank(rank, world_size)
    pipeline = (
        Pipeline(lambda: places(mine))
        .pipe(Serve(augment.at_epoch(plan.epoch)), concurrency=8)
        .aggregate(Gather)
        .pipe(pad_collate)
    )

Images are handed over one by one, so a batch's images are made by all workers at once. Every image
is compared with the plan on its way: what turns out larger than planned is an error, because the
memory bound would break.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from ftloader.batching.ranks import PlannedBatch, RankPlan
from ftloader.errors import DataError
from ftloader.safety import ThreadSafety, declared


class Pixels(Protocol):
    """A sample with pixels, such as :class:`ftloader.detection.Sample`."""

    @property
    def image(self) -> NDArray[Any]:
        """(H, W, 3)."""


class Place(NamedTuple):
    """One image's place in a batch.

    Attributes:
        batch: which it belongs to.
        slot: its position in the batch, counted from 0.
    """

    batch: PlannedBatch
    slot: int

    @property
    def which(self) -> tuple[int, int]:
        """Position in the data set, and how often the sample had come before."""
        return int(self.batch.samples[self.slot]), int(self.batch.draws[self.slot])

    @property
    def size(self) -> tuple[int, int]:
        """Planned width and height, pixels."""
        width, height = self.batch.sizes[self.slot]
        return int(width), int(height)

    @property
    def key(self) -> str:
        """What errors and logs call it."""
        return f"sample {self.which[0]} of step {self.batch.step}"


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A sample in its place.

    Attributes:
        place: where it belongs.
        sample: what the operation made.
    """

    place: Place
    sample: Any

    @property
    def key(self) -> str:
        """What errors and logs call it."""
        return self.place.key

    @property
    def nbytes(self) -> int:
        """Bytes that the sample keeps alive."""
        return int(self.sample.nbytes)


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """The samples of one batch; fewer than planned where some were skipped or dropped.

    Attributes:
        batch: as planned.
        samples: in the order of the plan.
    """

    batch: PlannedBatch
    samples: tuple[Any, ...]


def places(plan: RankPlan, first_step: int = 0) -> Iterator[Place]:
    """Yield the places of a rank's batches in turn: the source of a pipeline."""
    for batch in plan.from_step(first_step):
        for slot in range(len(batch)):
            yield Place(batch, slot)


@dataclass(frozen=True, slots=True, eq=False)
class Serve:
    """Makes the sample of a place: an operation for a pipeline.

    Attributes:
        op: called with position and number of the draw, yields one sample or none, such as
            :class:`ftloader.detection.Augment`.
        fit: called with a sample and the planned width and height where the two differ, to make
            it as large as that; for plans that scale oversize samples down.

    Thread safety: as ``op`` and ``fit``.
    """

    op: Callable[[tuple[int, int]], Iterable[Any]]
    fit: Callable[[Any, tuple[int, int]], Any] | None = None

    @property
    def thread_safety(self) -> ThreadSafety | None:
        """What the operation says of itself."""
        return declared(self.op)

    def __call__(self, place: Place) -> Generator[Served]:
        """Yield the sample, or nothing if the operation drops it.

        Raises:
            DataError: the image is not as large as planned.
        """
        for sample in self.op(place.which):
            yield Served(place, self._fitted(place, sample))

    def _fitted(self, place: Place, sample: Any) -> Any:
        height, width = sample.image.shape[:2]
        if (width, height) == place.size:
            return sample
        if self.fit is not None:
            return self.fit(sample, place.size)
        planned = "{} x {}".format(*place.size)
        raise DataError(
            f"{place.key} came out as {width} x {height}, planned was {planned}; plan with the "
            f"sizes of the same data set, recipe, seed and epoch"
        )


class Gather:
    """Puts the samples of a batch together again: give the class itself to ``aggregate``.

    The stages before must keep the order of their input. Samples that were skipped or dropped on
    the way are missing from their batch, and shift nothing.
    """

    def __init__(self) -> None:
        self._batch: PlannedBatch | None = None
        self._samples: list[Any] = []

    def add(self, served: Served) -> Iterable[Gathered]:
        """Take a sample; return the batch that it completes, or the one before it."""
        ready = list(self.flush()) if served.place.batch is not self._batch else []
        self._batch = served.place.batch
        self._samples.append(served.sample)
        if served.place.slot == len(self._batch) - 1:
            ready += self.flush()
        return ready

    def flush(self) -> Iterable[Gathered]:
        """Return the batch that is still open, if any."""
        if self._batch is None or not self._samples:
            return []
        done = Gathered(self._batch, tuple(self._samples))
        self._batch, self._samples = None, []
        return [done]
