"""``Loader``: a data set, a recipe and a batch policy, iterated batch by batch.

It composes what can be had one by one: a plan for the epoch, a pipeline that serves it, buffers
that batches are written into, and a state from which to go on. What it gives does not depend on
engine, number of workers or GIL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
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
from ftloader.errors import BudgetError, PlanError, StateError
from ftloader.loader.fit import Fit
from ftloader.loader.passes import Collate, How, Pass
from ftloader.loader.plans import Plans
from ftloader.loader.state import Progress, State
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
        world = _from_environment("WORLD_SIZE", world_size, 1)
        usual: Sampler = Shuffled(len(dataset), seed) if shuffle else Sequential(len(dataset))
        self._plans = Plans(
            augment=Augment(dataset, recipe or Compose([]), seed),
            policy=FixedSize(batch) if isinstance(batch, int) else batch,
            sampler=usual if sampler is None else sampler,
            batches_per_step=world if batches_per_step is None else batches_per_step,
            rank=_from_environment("RANK", rank, 0),
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
        self._epoch, self._progress = 0, Progress()
        self._planned: tuple[int, RankPlan] | None = None
        self._pass: Pass | None = None

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration serves, or goes on with."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Have the next iteration begin an epoch, unless that is the one under way."""
        require(self, "epoch", epoch, 0)
        if epoch != self._epoch:
            self._epoch, self._progress = epoch, Progress()

    def plan(self, epoch: int | None = None) -> RankPlan:
        """Return what this rank does in an epoch; by default in the one to be served next."""
        epoch = self._epoch if epoch is None else epoch
        if self._planned is None or self._planned[0] != epoch:
            self._planned = (epoch, self._plans.at(epoch))
        return self._planned[1]

    def __len__(self) -> int:
        """How many batches this rank gets in the whole epoch."""
        return len(self.plan())

    def __iter__(self) -> Iterator[Any]:
        """Serve what is left of the epoch; an earlier iteration ends."""
        self.close()
        mine, epoch = self.plan(), self._epoch
        todo = self._progress

        def batches() -> Iterator[tuple[int, PlannedBatch]]:
            numbered = enumerate(mine.since(todo.batches), todo.batches)
            return (each for each in numbered if todo.misses(each[0]))

        largest = int(mine.batches.padded[mine.mine].max(initial=1)) * 3 * self._how.dtype.itemsize
        how = replace(
            self._how,
            op=self._plans.augment.at_epoch(epoch),
            fit=Fit(frozenset(over.sample for over in mine.plan.oversized)),
            **self._buffers(largest, mine),
        )
        left = len(mine) - todo.batches - len(todo.ahead)

        def received(number: int) -> None:
            # Another epoch may have been chosen meanwhile.
            if epoch == self._epoch:
                self._progress = self._progress.plus(number)

        served = Pass(batches, left, largest, how, received)
        self._pass = served
        return self._watched(served, epoch)

    def _watched(self, served: Pass, epoch: int) -> Iterator[Any]:
        with served:
            yield from served
        if epoch == self._epoch:
            self._epoch, self._progress = epoch + 1, Progress()

    def _buffers(self, nbytes: int, mine: RankPlan) -> dict[str, Any]:
        """Return how many buffers there are at first and at most, if a budget says so."""
        if self._budget is None:
            return {}
        in_hand = self._in_hand(mine)
        most = (self._budget - in_hand) // nbytes
        if most < 2:
            raise BudgetError(
                f"memory_budget={self._budget:,} does not hold two batches of {nbytes:,} bytes, "
                f"one in the making and one in use, and {in_hand:,} bytes in the hands of "
                f"{self._how.concurrency} workers; give it {2 * nbytes + in_hand:,}, or plan "
                f"smaller batches"
            )
        return {"buffers": min(most, self._how.buffers), "most": most}

    def _in_hand(self, mine: RankPlan) -> int:
        """Return the bytes that workers may hold: an image as stored and one as planned each."""
        dataset: Any = self._plans.augment.dataset
        planned = int(mine.plan.sizes.areas.max(initial=0))
        stored = int(dataset.sizes().areas.max(initial=0)) if hasattr(dataset, "sizes") else planned
        return self._how.concurrency * 3 * (stored + planned * self._how.dtype.itemsize)

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
        mine, received = self.plan(), self._progress
        steps = mine.steps[mine.mine]
        done = int(steps[received.batches]) if received.batches < len(steps) else len(mine.plan)
        first = int(np.searchsorted(steps, done))
        return State(
            epoch=self._epoch,
            progress=received,
            steps=done,
            whole=received.batches == first and not received.ahead,
            world_size=mine.world_size,
            rank=mine.rank,
            plan=mine.plan.digest(),
            facts=self._plans.facts(),
        ).as_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where a loader was when its state was taken.

        Nothing that was received is decoded again. Engine, workers and the order of delivery may
        differ; the number of ranks may, if the state was taken at the end of a step.

        Raises:
            StateError: the state is damaged, of other data, another recipe, policy or seed, or of
                another world size within a step.
        """
        given = State.of(state)
        for name, mine in self._plans.facts().items():
            if given.facts.get(name) != mine:
                raise StateError(
                    f"the state is of another run: its {name} was {given.facts.get(name)}, this "
                    f"loader's is {mine}"
                )
        plan = self.plan(given.epoch)
        if plan.plan.digest() != given.plan:
            raise StateError(
                f"the state is of another run: epoch {given.epoch} is planned in another way here; "
                f"the images' sizes have changed, or the sampler gives another order"
            )
        self.close()
        self._epoch, self._progress = given.epoch, self._translated(given, plan)
        if self._progress.batches == len(plan):
            self._epoch, self._progress = given.epoch + 1, Progress()

    def _translated(self, given: State, mine: RankPlan) -> Progress:
        if (given.world_size, given.rank) == (mine.world_size, mine.rank):
            return given.progress
        if not given.whole:
            raise StateError(
                f"the state was taken by rank {given.rank} of {given.world_size} within step "
                f"{given.steps}; rank {mine.rank} of {mine.world_size} can only go on from the end "
                f"of a step"
            )
        return Progress(int(np.searchsorted(mine.steps[mine.mine], given.steps)))


def _from_environment(name: str, given: int | None, default: int) -> int:
    """Return what was given, or what ``torchrun`` says, or a default."""
    if given is not None:
        return given
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise PlanError(f"Loader: {name} of the environment is no number: {text!r}") from None
