"""Batches written slot by slot, by all workers at once.

The source of a pass takes a buffer for every batch of the plan and gives out its slots; workers
make the images and write each into its slot; whoever writes the last one hands the batch over. So
an image is copied once, from where it was made to where it is read, and only batches cross threads
behind the workers. The number of buffers bounds how far a pass runs ahead.
"""

from __future__ import annotations

import copy
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ftloader.batching.buffers import Buffer, BufferPool
from ftloader.batching.collate import pad_into
from ftloader.batching.ranks import PlannedBatch
from ftloader.batching.serving import Place, Serve
from ftloader.errors import DataError, summary
from ftloader.policy import FailureRecord, OnError
from ftloader.safety import ThreadSafety


class Assembly:
    """One batch in the making.

    Attributes:
        number: of the batch in its rank's plan, counted from 0.
        planned: what is to be in it.
        buffer: that the images are written into; None where they are collated instead.
        samples: by slot; None where one is missing.

    Thread safety: each slot is filled by one thread; the last one to do so is told.
    """

    def __init__(self, number: int, planned: PlannedBatch, buffer: Buffer | None) -> None:
        self.number = number
        self.planned = planned
        self.buffer = buffer
        self.samples: list[Any] = [None] * len(planned)
        self._left = len(planned)
        self._lock = threading.Lock()

    def fill(self, slot: int, sample: Any) -> bool:
        """Put a sample (None if it is missing) into its slot; tell whether it was the last."""
        self.samples[slot] = sample
        with self._lock:
            self._left -= 1
            return self._left == 0


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A place in a batch in the making."""

    assembly: Assembly
    place: Place

    @property
    def key(self) -> str:
        """What errors and logs call it."""
        return self.place.key


def slots(
    batches: Iterable[tuple[int, PlannedBatch]],
    pool: BufferPool | None,
    wanted: Callable[[], bool],
) -> Iterator[Slot]:
    """Yield the slots of numbered batches in turn, each batch with a buffer of its own."""
    for number, planned in batches:
        buffer = None if pool is None else pool.take(wanted)
        assembly = Assembly(number, planned, buffer)
        for place in range(len(planned)):
            yield Slot(assembly, Place(planned, place))


class Fill:
    """Makes the sample of a slot and writes it there; yields the batch when that was the last slot.

    Args:
        op: called with position and number of the draw, yields one sample or none.
        fit: called with a sample and the planned width and height where the two differ; None
            refuses such a sample.
        dtype: of the images; None where nothing is written.
        on_error: ``"skip"`` leaves a failing sample's slot empty and keeps a record.
        failed: called with the record of each sample that was skipped.
        finish: called by the last worker with the batch, returns what is handed over.

    Thread safety: as ``op``; everything else is made for many threads.
    """

    def __init__(
        self,
        op: Callable[[tuple[int, int]], Iterable[Any]],
        fit: Callable[[Any, tuple[int, int]], Any] | None,
        dtype: DTypeLike | None,
        on_error: OnError,
        failed: Callable[[FailureRecord], None],
        finish: Callable[[Assembly], Any],
    ) -> None:
        self._serve = Serve(op, fit)
        self._dtype = None if dtype is None else np.dtype(dtype)
        self._skip = on_error == "skip"
        self._failed = failed
        self._finish = finish

    @property
    def thread_safety(self) -> ThreadSafety | None:
        """What the operation says of itself."""
        return self._serve.thread_safety

    def __deepcopy__(self, memo: dict[int, Any]) -> Fill:
        """Return one for another thread: an operation of its own, everything else shared."""
        on_error: OnError = "skip" if self._skip else "raise"
        op = copy.deepcopy(self._serve.op, memo)
        return Fill(op, self._serve.fit, self._dtype, on_error, self._failed, self._finish)

    def __call__(self, slot: Slot) -> Generator[Any]:
        """Yield the batch, or nothing if other slots are still to be filled.

        Raises:
            Exception: what the operation raised, unless it is to be skipped.
        """
        assembly, place = slot.assembly, slot.place
        try:
            sample = self._made(assembly, place)
        except Exception as error:
            if not self._skip or isinstance(error, MemoryError):
                raise
            self._failed(_record(slot, error))
            sample = None
        if assembly.fill(place.slot, sample):
            yield self._finish(assembly)

    def _made(self, assembly: Assembly, place: Place) -> Any:
        for served in self._serve(place):
            if self._dtype is None or assembly.buffer is None:
                return served.sample
            self._write(assembly, place, served.sample)
            return served.sample.info  # its pixels lie in the batch already
        return None

    def _write(self, assembly: Assembly, place: Place, sample: Any) -> None:
        image, planned = sample.image, assembly.planned
        if image.dtype != self._dtype:
            raise DataError(
                f"{place.key} has pixels of {image.dtype}, the loader was made for {self._dtype}; "
                f"give it dtype={str(image.dtype)!r}"
            )
        assert assembly.buffer is not None
        shape = (len(planned), planned.height, planned.width, 3)
        pad_into(assembly.buffer.array(shape, self._dtype)[place.slot], image)


def _record(slot: Slot, error: Exception) -> FailureRecord:
    lines = traceback.format_exception(error)
    return FailureRecord("fill", None, slot.key, 1, summary(error), "".join(lines))
