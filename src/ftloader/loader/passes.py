"""One pass over the rest of an epoch: starts a run, delivers its batches, counts what came."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from ftloader.batching.buffers import BufferPool
from ftloader.batching.collate import PaddedBatch, batch_of
from ftloader.batching.ranks import PlannedBatch
from ftloader.batching.serving import Gathered
from ftloader.engine.base import Run
from ftloader.engine.stats import RunStats
from ftloader.errors import BudgetError, StageError, TooManyFailures
from ftloader.loader.assembly import Assembly, Fill, slots
from ftloader.pipeline import EngineName, Pipeline
from ftloader.policy import FailureRecord, OnError, exceeds
from ftloader.stages import OutputOrder

Collate = Callable[[Gathered], Any]


@dataclass(frozen=True, slots=True, eq=False)
class How:
    """How a pass is to be done; nothing here changes what is delivered, but the order may.

    Attributes:
        op: makes the samples of a (position, draw).
        fit: makes a sample as large as planned, or raises.
        concurrency: workers.
        engine: that runs them.
        output_order: ``"input"``, or batches as they are ready.
        buffers: how many batches there may be at once, in the making, ready or in use.
        most: how many there may be if the consumer keeps that many; None for any number.
        dtype: of pixels.
        collate: makes a batch of samples; None pads them in pooled buffers.
        on_error: what happens to samples that fail.
        max_failures: how many may be skipped in a pass.
    """

    op: Callable[[tuple[int, int]], Any]
    fit: Callable[[Any, tuple[int, int]], Any]
    concurrency: int
    engine: EngineName
    output_order: OutputOrder
    buffers: int
    most: int | None
    dtype: np.dtype[Any]
    collate: Collate | None
    on_error: OnError
    max_failures: int | float | None


@dataclass(slots=True)
class Failures:
    """What was skipped in a pass, and the limit that ends it. Thread-safe."""

    limit: int | float | None
    records: list[FailureRecord] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, record: FailureRecord) -> None:
        """Keep a record.

        Raises:
            TooManyFailures: it was one too many.
        """
        with self.lock:
            self.records.append(record)
            count = len(self.records)
        if isinstance(self.limit, int) and exceeds(self.limit, count, count):
            raise TooManyFailures(
                f"more than {self.limit} samples failed, which is the limit; {record.item} too: "
                f"{record.error}"
            )


class Pass(Iterator[Any]):
    """The batches of one rank from one place on; iterate it, and :meth:`close` it or drop it.

    Args:
        batches: called for those to deliver, numbered.
        count: how many those are.
        nbytes: of the largest batch's images.
        how: it is done.
        received: called with the number of every batch that the consumer gets.

    Thread safety: for one consumer thread.
    """

    def __init__(
        self,
        batches: Callable[[], Iterator[tuple[int, PlannedBatch]]],
        count: int,
        nbytes: int,
        how: How,
        received: Callable[[int], None],
    ) -> None:
        self._how = how
        self._left = count
        self._received = received
        self._failures = Failures(how.max_failures)
        pool = BufferPool(how.buffers, nbytes)
        self._pool = pool
        fill = Fill(
            how.op,
            how.fit,
            how.dtype if how.collate is None else None,
            how.on_error,
            self._failures.add,
            _finisher(how.collate),
        )
        wanted = _Wanted()
        source = Pipeline(lambda: slots(batches(), pool, wanted))
        stage = source.pipe(
            fill, name="fill", concurrency=how.concurrency, output_order=how.output_order
        )
        self._run: Run[Any] = stage.run(how.engine)
        wanted.run = weakref.ref(self._run)
        weakref.finalize(self, pool.close)

    def __next__(self) -> Any:
        self._make_room()
        try:
            made = next(self._run)
        except StageError as error:
            self._pool.close()
            if isinstance(error.__cause__, TooManyFailures):
                raise error.__cause__ from None
            raise
        except BaseException:
            self._pool.close()
            raise
        assembly, result = made
        batch = self._deliver(assembly) if self._how.collate is None else result
        if self._how.collate is not None:
            assembly.buffer.give_back()
        self._left -= 1
        self._received(assembly.number)
        return batch

    def _make_room(self) -> None:
        """See that a batch can be made while the consumer keeps those it has.

        Raises:
            BudgetError: the consumer has as many as there may be.
        """
        pool = self._pool
        if pool.held < pool.count or not self._left:
            return
        if self._how.most is None or pool.count < self._how.most:
            pool.grow()
            return
        gc.collect()  # batches in cycles are not in use
        if pool.held == pool.count:
            raise BudgetError(
                f"{pool.held} batches are still in use, all that memory_budget holds; drop them "
                f"before you ask for the next, or copy what you keep"
            )

    def close(self) -> None:
        """End the pass: its threads are gone when this returns; batches in use stay valid."""
        self._pool.close()
        self._run.stop()

    def stats(self) -> RunStats:
        """Return the counters of the run so far."""
        return self._run.stats()

    @property
    def failures(self) -> tuple[FailureRecord, ...]:
        """What was skipped so far."""
        with self._failures.lock:
            return tuple(self._failures.records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _deliver(self, assembly: Assembly) -> PaddedBatch:
        """Make the batch's arrays in the thread that will drop them."""
        planned, buffer = assembly.planned, assembly.buffer
        assert buffer is not None
        shape = (len(planned), planned.height, planned.width, 3)
        images = buffer.deliver(shape, self._how.dtype)
        kept = [slot for slot, info in enumerate(assembly.samples) if info is not None]
        if len(kept) < len(planned):
            images = images[kept]
        infos = [assembly.samples[slot] for slot in kept]
        return batch_of(images, infos, planned)


class _Wanted:
    """Tells the source whether anybody waits for what it waits for. It does not keep the run."""

    run: Callable[[], Run[Any] | None] | None = None

    def __call__(self) -> bool:
        if self.run is None:  # it is just being started
            return True
        run = self.run()
        # At exit the interpreter waits for all threads, with the main one's end announced.
        return run is not None and not run.ending and threading.main_thread().is_alive()


def _finisher(collate: Collate | None) -> Callable[[Assembly], tuple[Assembly, Any]]:
    def finish(assembly: Assembly) -> tuple[Assembly, Any]:
        if collate is None:
            return assembly, None
        samples = tuple(sample for sample in assembly.samples if sample is not None)
        assembly.samples.clear()
        return assembly, collate(Gathered(assembly.planned, samples))

    return finish
