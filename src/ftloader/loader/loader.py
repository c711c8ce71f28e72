"""``Loader``: a data set, a recipe and a batch policy, iterated batch by batch.

It composes what can be had one by one: a plan for the epoch, a pipeline that serves it, buffers
that batches are written into, and a state from which to go on. What it gives does not depend on
engine, number of workers or GIL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ftloader.batching import FixedSize, Policy, RankPlan, Sampler, Sequential, Shuffled
from ftloader.batching.policies import require
from ftloader.batching.ranks import PlannedBatch
from ftloader.detection.augment import Augment, SampleSource
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.compose import Compose
from ftloader.engine.stats import RunStats
from ftloader.errors import PlanError, RunStopped, StateError
from ftloader.loader.course import Course, shrunk
from ftloader.loader.fit import Fit
from ftloader.loader.passes import Collate, How, Pass
from ftloader.loader.plans import Plans, from_environment
from ftloader.loader.room import held_by_workers, room
from ftloader.loader.state import Progress, State, state_of, together
from ftloader.pipeline import EngineName
from ftloader.policy import FailureRecord, OnError
from ftloader.runtime import usable_cores
from ftloader.stages import OutputOrder


class Loader:
    """Batches of augmented detection samples, epoch after epoch.

    ::

        loader = Loader(open_coco("coco", "train2017"), multi_scale(), batch=MemoryBudget(8.6e6))
        for epoch in range(12):
            for batch in loader:
                ...

    Each ``for`` serves what is left of an epoch, and the next one is the next epoch. Batches are
    :class:`~ftloader.batching.PaddedBatch`, in memory that is used again once nobody looks at it.

    Args:
        dataset: where samples come from, such as :class:`~ftloader.detection.CocoFolder`.
        recipe: what is done to them; nothing by default.
        batch: a policy, or a number of images.
        sampler: the order of an epoch; shuffled by default.
        shuffle: whether the default sampler shuffles.
        seed: of everything random.
        rank: counted from 0; ``RANK`` of the environment (``torchrun``) by default, or 0.
        world_size: how many ranks there are; ``WORLD_SIZE`` of the environment by default, or 1.
        batches_per_step: batches of a step over all ranks; ``world_size`` by default. Give the
            largest number of ranks you will ever use to keep steps when their number changes.
        concurrency: workers; as many as usable cores by default.
        engine: that runs them.
        output_order: ``"input"``, or ``"completion"`` for batches as they are ready.
        prefetch: batches that may be ready beside those in the making and in use.
        memory_budget: bytes that pixels may take at once: those of all batches, whoever holds them,
            and for each worker an image as stored and one as planned. By default what ``prefetch``
            asks for, and more if you keep more batches than that.
        dtype: of pixels; ``"float32"`` for recipes that normalise.
        collate: makes a batch of a :class:`~ftloader.batching.Gathered`; pads by default.
        on_error: ``"skip"`` leaves samples that fail out of their batch and records them.
        max_failures: how many may be skipped in an epoch.

    Raises:
        PlanError: an option cannot be.
        BudgetError: ``memory_budget`` does not hold two batches.

    Thread safety: for one consumer thread.
    Determinism: equal arguments give equal batches, bit for bit; with ``"completion"``, in any
        order.
    """

    def __init__(
        self,
        dataset: SampleSource,
        recipe: Transform[Any] | None = None,
        *,
        batch: Policy | int = 8,
        sampler: Sampler | None = None,
        shuffle: bool = True,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        batches_per_step: int | None = None,
        concurrency: int | None = None,
        engine: EngineName = "threads",
        output_order: OutputOrder = "input",
        prefetch: int = 2,
        memory_budget: int | None = None,
        dtype: DTypeLike = np.uint8,
        collate: Collate | None = None,
        on_error: OnError = "raise",
        max_failures: int | None = None,
    ) -> None:
        world = from_environment("WORLD_SIZE", world_size, 1)
        usual: Sampler = Shuffled(len(dataset), seed) if shuffle else Sequential(len(dataset))
        self._plans = Plans(
            augment=Augment(dataset, recipe or Compose([]), seed),
            policy=FixedSize(batch) if isinstance(batch, int) else batch,
            sampler=usual if sampler is None else sampler,
            batches_per_step=world if batches_per_step is None else batches_per_step,
            rank=from_environment("RANK", rank, 0),
            world_size=world,
        )
        workers = usable_cores() if concurrency is None else concurrency
        require(self, "concurrency", workers, 1)
        require(self, "prefetch", prefetch, 0)
        self._how = How(
            op=self._plans.augment,
            fit=Fit(frozenset()),
            concurrency=workers,
            engine=engine,
            output_order=output_order,
            buffers=prefetch + 2,  # and one in the making, and one in use
            most=None,
            dtype=np.dtype(dtype),
            collate=collate,
            on_error=on_error,
            max_failures=max_failures,
        )
        self._budget = memory_budget
        self._course, self._progress = Course(), Progress()
        self._planned: tuple[Course, RankPlan] | None = None
        self._pass: Pass | None = None
        self._again = False

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration serves, or goes on with."""
        return self._course.epoch

    def set_epoch(self, epoch: int) -> None:
        """Have the next iteration begin an epoch, unless that is the one under way."""
        require(self, "epoch", epoch, 0)
        if epoch != self.epoch:
            self._course, self._progress = Course(epoch, self._course.last_budget), Progress()

    def plan(self, epoch: int | None = None) -> RankPlan:
        """Return what this rank does in an epoch; by default in the one to be served next."""
        return self._plan(self._course if epoch in (None, self.epoch) else Course(epoch or 0))

    def _plan(self, course: Course) -> RankPlan:
        if self._planned is None or self._planned[0] != course:
            self._planned = (course, self._plans.at(course))
        return self._planned[1]

    def __len__(self) -> int:
        """How many batches this rank gets in the whole epoch."""
        return len(self.plan())

    def __iter__(self) -> Iterator[Any]:
        """Serve what is left of the epoch; an earlier iteration ends."""
        self.close()
        self._again = False
        return self._served(self._begin())

    def _served(self, served: Pass) -> Iterator[Any]:
        while True:
            course = self._course
            with served:
                try:
                    yield from served
                except RunStopped:  # by out_of_memory
                    if not self._again:
                        raise
            if self._again:
                self._again = False
                served = self._begin()
                continue
            if course == self._course:
                self._course = course.then(self._plans.policy, len(self.plan().plan))
                self._progress = Progress()
            return

    def _begin(self) -> Pass:
        """Start serving what is left of the epoch."""
        mine, course, todo = self.plan(), self._course, self._progress

        def batches() -> Iterator[tuple[int, PlannedBatch]]:
            numbered = enumerate(mine.since(todo.batches), todo.batches)
            return (each for each in numbered if todo.misses(each[0]))

        def received(number: int) -> None:
            # Another epoch may have been chosen meanwhile.
            if course == self._course:
                self._progress = self._progress.plus(number)

        how, itemsize = self._how, self._how.dtype.itemsize
        largest = int(mine.batches.padded[mine.mine].max(initial=1)) * 3 * itemsize
        if self._budget is not None:
            dataset, workers = self._plans.augment.dataset, how.concurrency
            in_hand = held_by_workers(mine, dataset, workers, itemsize)
            most = room(self._budget, largest, workers, in_hand)
            how = replace(how, most=most, buffers=min(most, how.buffers))
        how = replace(
            how,
            op=self._plans.augment.at_epoch(course.epoch),
            fit=Fit(frozenset(over.sample for over in mine.plan.oversized)),
        )
        left = len(mine) - todo.batches - len(todo.ahead)
        self._pass = Pass(batches, left, largest, how, received)
        return self._pass

    def out_of_memory(self) -> None:
        """Say that the step under way ran out of memory: it is served again, in smaller batches.

        Call it outside of the ``except`` block, whose traceback keeps the step's tensors alive,
        with the gradients of the step thrown away, and go on with the loop: the samples of the
        step of the batch received last, and all that come after, are planned anew by nine tenths of
        the budget. Over the epochs to come the budget grows back. With several ranks call it on all
        of them in the same step: agree on it before the optimizer's, by a maximum over ranks. An
        error inside of the backward pass of DistributedDataParallel cannot be mended so: the other
        ranks wait for its gradients; save the state often, and start again from it.

        Raises:
            PlanError: the policy is no :class:`~ftloader.batching.MemoryBudget`, one image alone
                needs what there is, or batches come in completion order.
        """
        if self._how.output_order != "input":
            raise PlanError("Loader.out_of_memory: steps are only known in input order")
        mine = self.plan()
        steps = mine.steps[mine.mine]
        step = int(steps[max(self._progress.batches - 1, 0)]) if len(steps) else 0
        course = shrunk(self._course, self._plans.policy, mine, step)
        serving = self._pass is not None
        self.close()
        self._course, self._again = course, serving
        now = self._plan(course)
        self._progress = Progress(int(np.searchsorted(now.steps[now.mine], step)))

    def close(self) -> None:
        """End the iteration under way, if any; batches in use stay valid."""
        if self._pass is not None:
            self._pass.close()
            self._pass = None

    def stats(self) -> RunStats | None:
        """Return the counters of the iteration under way, None if there is none."""
        return None if self._pass is None else self._pass.stats()

    @property
    def failures(self) -> tuple[FailureRecord, ...]:
        """What was skipped in the iteration under way."""
        return () if self._pass is None else self._pass.failures

    def state_dict(self) -> dict[str, Any]:
        """Return where this rank is: plain values, a few hundred bytes, as of the last batch."""
        return state_of(self.plan(), self._course, self._progress, self._plans.facts()).as_dict()

    def load_state_dict(self, state: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Go on from where a loader was when its state was taken.

        Nothing that was received is decoded again. Engine, workers and the order of delivery may
        differ; the number of ranks may, if the state was taken at the end of a step. From the
        states of all ranks together any number of ranks can go on at any time.

        Args:
            state: of this rank; for another number of ranks that of any rank at the end of a step,
                or a list of those of all ranks.

        Raises:
            StateError: a state is damaged, of other data, another recipe, policy or seed, or of
                another world size within a step.
        """
        given = self._read(state)
        mine = self._plan(given.course)
        progress = given.progress_of(mine)
        self.close()
        self._course, self._progress = given.course, progress
        if progress.batches == len(mine):
            self._course = given.course.then(self._plans.policy, len(mine.plan))
            self._progress = Progress()

    def _read(self, state: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> State:
        several = [state] if isinstance(state, Mapping) else list(state)
        if not several:
            raise StateError("there is no state in the list")
        given = [State.of(one) for one in several]
        for one in given:
            one.check_facts(self._plans.facts())
        if isinstance(state, Mapping):
            return given[0]
        if given[0].world_size == self._plans.world_size:
            for one in given:
                if one.rank == self._plans.rank:
                    return one
        return together(given, self._plans.epoch_at(given[0].course))
