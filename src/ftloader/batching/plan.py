"""An epoch's batches, decided before a pixel is read.

A plan is a pure function of its arguments: every rank makes the same one without talking to the
others. It is made of steps, and knows nothing of ranks; :meth:`EpochPlan.rank` cuts each step for
a world size. So the samples of a step are the same for any number of ranks, every rank takes the
same number of steps, and with :class:`~ftloader.batching.MemoryBudget` no batch of any rank is ever
over the budget.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ftloader.batching.aspect import aspect_groups
from ftloader.batching.batches import Batches
from ftloader.batching.budgeted import Oversized, fitting, packed
from ftloader.batching.cost import CostModel, PaddedPixels
from ftloader.batching.packing import Places
from ftloader.batching.policies import (
    AspectGroups,
    GivenBatches,
    MemoryBudget,
    Policy,
    require,
)
from ftloader.batching.ranks import RankPlan, rank_plans
from ftloader.batching.steps import Steps, alike, in_order
from ftloader.errors import PlanError
from ftloader.rng import sample_rng
from ftloader.sizes import Sizes


@dataclass(frozen=True, slots=True, eq=False)
class EpochPlan:
    """What is served in an epoch.

    Attributes:
        samples: int64 (N,), the entries: positions in the data set, as the sampler gave them.
        draws: int64 (N,), how often each sample had come before: its augmentation is keyed by it.
        sizes: of the entries, as they will be put into a batch; (N,).
        batches: groups of entries; each ``batches_per_step`` of them make a step.
        repeats: bool (B,), true for a batch that only fills a place: its weight is 0.
        batches_per_step: how many batches make a step, over all ranks.
        policy: by which the plan was made.
        seed: of the run.
        epoch: counted from 0.
        dropped: entries that no whole step or group was left for, and that are not served.
        oversized: entries that were over the budget by themselves.

    Thread safety: immutable; nobody writes to the arrays.
    Determinism: equal arguments give equal plans on every interpreter with the same NumPy.
    """

    samples: NDArray[np.int64]
    draws: NDArray[np.int64]
    sizes: Sizes
    batches: Batches
    repeats: NDArray[np.bool_]
    batches_per_step: int
    policy: Policy
    seed: int
    epoch: int
    dropped: Places
    oversized: tuple[Oversized, ...]

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.batches) // self.batches_per_step

    @property
    def cost_model(self) -> CostModel:
        """What costs are counted with: the policy's model, or padded pixels."""
        return cost_model(self.policy)

    def step_samples(self, step: int) -> NDArray[np.int64]:
        """Return the samples of a step, the same for every world size; fillers left out."""
        first = step * self.batches_per_step
        places = range(first, first + self.batches_per_step)
        kept = [self.batches.entries(place) for place in places if not self.repeats[place]]
        return self.samples[np.concatenate(kept)]

    def rank(self, rank: int, world_size: int = 1) -> RankPlan:
        """Return what one rank does.

        Args:
            rank: counted from 0.
            world_size: how many ranks there are; at most ``batches_per_step``.

        Raises:
            PlanError: there is no such rank, or there are more ranks than batches in a step.
        """
        require("EpochPlan.rank", "world_size", world_size, 1)
        if not 0 <= rank < world_size:
            raise PlanError(f"there is no rank {rank!r} in a world of {world_size}")
        return self.ranks(world_size)[rank]

    def ranks(self, world_size: int) -> list[RankPlan]:
        """Return what each rank does; see :meth:`rank`."""
        require("EpochPlan.ranks", "world_size", world_size, 1)
        if world_size > self.batches_per_step:
            raise PlanError(
                f"a step of {self.batches_per_step} batches cannot be shared by {world_size} "
                f"ranks; plan with batches_per_step={world_size} or a multiple of it"
            )
        return rank_plans(self, world_size)

    def digest(self) -> str:
        """Return a hash of everything that is served and how: equal for equal plans."""
        state = hashlib.blake2b(digest_size=16)
        facts = (self.policy, self.seed, self.epoch, self.batches_per_step)
        state.update(repr(facts).encode())
        columns: list[NDArray[Any]] = [self.samples, self.draws, self.batches.members]
        columns += [self.batches.starts, self.batches.heights, self.batches.widths, self.repeats]
        for column in columns:
            state.update(np.ascontiguousarray(column).astype("<i8").tobytes())
        return state.hexdigest()


def plan_epoch(
    sizes: Sizes,
    policy: Policy,
    *,
    samples: ArrayLike | None = None,
    draws: ArrayLike | None = None,
    original: Sizes | None = None,
    seed: int = 0,
    epoch: int = 0,
    batches_per_step: int = 1,
) -> EpochPlan:
    """Decide an epoch's batches.

    Args:
        sizes: of the entries, in the order in which the sampler gives them; see
            ``Augment.sizes``. Rows of width 0 are left out.
        policy: by which samples are put together.
        samples: the entries' positions in the data set; 0, 1, 2, … by default.
        draws: how often each sample had come before; counted by default.
        original: sizes of the entries before augmentation, for :class:`AspectGroups`; ``sizes`` by
            default.
        seed: of the run; together with ``epoch`` it decides the order of the steps.
        epoch: counted from 0.
        batches_per_step: how many batches all ranks together take in a step, each as large as the
            policy allows. With fewer ranks each takes several in turn (gradient accumulation), so
            a training run keeps its steps when the number of ranks changes.

    Returns:
        The plan. It has no steps if there are no samples.

    Raises:
        PlanError: an argument cannot be, or a sample is over the budget and the policy says
            ``"raise"``.
    """
    require("plan_epoch", "batches_per_step", batches_per_step, 1)
    try:
        sample_rng(seed, epoch, 0)
    except ValueError as error:
        raise PlanError(f"plan_epoch: {error}") from error
    entries = _column("samples", samples, len(sizes), np.arange(len(sizes)))
    counted = occurrences(entries) if draws is None else np.zeros(0, np.int64)
    turns = _column("draws", draws, len(sizes), counted)
    if original is not None and len(original) != len(sizes):
        raise PlanError(f"plan_epoch: {len(sizes)} sizes, but {len(original)} original sizes")
    served = np.flatnonzero(sizes.kept)
    oversized: tuple[Oversized, ...] = ()
    if isinstance(policy, MemoryBudget):
        sizes, served, oversized = fitting(sizes, served, policy, entries)
    steps, missing = steps_of(
        policy, sizes, original or sizes, served, seed, epoch, batches_per_step
    )
    dropped = np.concatenate([np.zeros(0, np.int64), *steps.dropped, missing])
    return EpochPlan(
        samples=entries,
        draws=turns,
        sizes=sizes,
        batches=Batches.of(steps.groups, sizes, policy.stride),
        repeats=np.array(steps.repeats, np.bool_),
        batches_per_step=batches_per_step,
        policy=policy,
        seed=seed,
        epoch=epoch,
        dropped=dropped,
        oversized=oversized,
    )


def steps_of(
    policy: Policy,
    sizes: Sizes,
    original: Sizes,
    served: Places,
    seed: int,
    epoch: int,
    per_step: int,
) -> tuple[Steps, Places]:
    """Return the steps, and the entries that the policy itself leaves out."""
    none = np.zeros(0, np.int64)
    model = cost_model(policy)
    fill = policy.tail == "fill"
    costs = Batches.costing(sizes, policy.stride, model)
    if isinstance(policy, MemoryBudget):
        return alike(packed(sizes, served, policy), per_step, fill, costs, seed, epoch), none
    if isinstance(policy, GivenBatches):
        groups = _given(policy, len(sizes), sizes.kept)
    elif isinstance(policy, AspectGroups):
        before = original.take(served)
        found = aspect_groups(
            before.widths, before.heights, policy.batch_size, policy.style, policy.k
        )
        groups = [served[group] for group in found]
    else:
        groups = [
            served[first : first + policy.batch_size]
            for first in range(0, len(served), policy.batch_size)
        ]
        if not fill and groups and len(groups[-1]) < policy.batch_size:
            groups.pop()
    missing = np.setdiff1d(served, np.concatenate([none, *groups]))
    return in_order(groups, per_step, fill, costs), missing


def _given(policy: GivenBatches, count: int, kept: NDArray[np.bool_]) -> list[Places]:
    groups = []
    for place, batch in enumerate(policy.batches):
        group = np.array(batch, np.int64)
        if group.min() < 0 or group.max() >= count:
            raise PlanError(f"GivenBatches: batch {place} has no place in {count} samples: {batch}")
        groups.append(group[kept[group]])
    return [group for group in groups if len(group)]


def cost_model(policy: Policy) -> CostModel:
    """Return what a policy's costs are counted with: padded pixels where it has no model."""
    return policy.cost if isinstance(policy, MemoryBudget) else PaddedPixels()


def occurrences(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each sample had come before: int64 (N,), 0 where none repeats."""
    order = np.argsort(samples, kind="stable")
    ordered = samples[order]
    first = np.searchsorted(ordered, ordered, side="left")
    result = np.empty(len(samples), np.int64)
    result[order] = np.arange(len(samples)) - first
    return result


def _column(
    name: str, given: ArrayLike | None, length: int, default: NDArray[np.int64]
) -> NDArray[np.int64]:
    column = default if given is None else np.array(given)
    if column.ndim != 1 or len(column) != length or (length and column.dtype.kind not in "iu"):
        raise PlanError(
            f"plan_epoch: {name} must be {length} whole numbers, one for each row of sizes, "
            f"not {column.dtype} {column.shape}"
        )
    if length and int(column.min()) < 0:
        raise PlanError(f"plan_epoch: {name} must not be negative, but one is {column.min()}")
    column = column.astype(np.int64)
    column.setflags(write=False)
    return column
