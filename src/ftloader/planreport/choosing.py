"""From options to plans: the budget, the policy, the sampler's order, and plans to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ftloader.batching import (
    AspectGroups,
    EpochPlan,
    FixedSize,
    MemoryBudget,
    Policy,
    plan_epoch,
)
from ftloader.batching.budgeted import alone
from ftloader.batching.samplers import Shuffled
from ftloader.errors import PlanError
from ftloader.planreport.costs import Cost, find_cost, read_budget
from ftloader.planreport.figures import Budget
from ftloader.planreport.options import POLICIES, Options, PolicyName
from ftloader.planreport.sources import Source
from ftloader.planreport.units import in_units
from ftloader.sizes import Sizes


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """Everything that plans of one epoch have in common.

    Attributes:
        options: what was asked for.
        names: of the samples.
        order: int64 (N,), the sampler's.
        sizes: of the entries, after augmentation.
        original: the same before.
        budget: what batches are held against.
    """

    options: Options
    names: Sequence[str]
    order: NDArray[np.int64]
    sizes: Sizes
    original: Sizes
    budget: Budget

    @classmethod
    def of(cls, options: Options, source: Source) -> Epoch:
        """Shuffle the samples, look up their sizes, and settle the budget.

        Raises:
            DataError: the recipe cannot cope with a sample.
            PlanError: there is nothing to plan, or the budget cannot be understood.
        """
        cost = find_cost(options.cost)
        asked = read_budget(options.budget, options.cost, cost.model)
        if not len(source.original):
            raise PlanError(f"plan: {source.title} has no images")
        order = Shuffled(len(source.original), options.seed).order(options.epoch)
        sizes, original = source.sizes(order, options.seed, options.epoch), source.original
        if not sizes.kept.any():
            raise PlanError(f"plan: {source.made_by} drops every sample of {source.title}")
        original = original.take(order)
        if asked is None:
            budget = _needed(options, cost, sizes, original)
        else:
            budget = Budget(asked, cost.model, cost.counts, "as asked")
        return cls(options, source.names, order, sizes, original, budget)

    def plan(self, name: PolicyName) -> EpochPlan:
        """Plan by a policy.

        Raises:
            PlanError: a sample is over the budget, and the policy is to raise.
        """
        if name == "budget" and self.options.oversize == "raise":
            self._refuse_oversized()
        return plan_epoch(
            self.sizes,
            policy(name, self.options, self.budget),
            samples=self.order,
            original=self.original,
            seed=self.options.seed,
            epoch=self.options.epoch,
            batches_per_step=self.options.batches_per_step,
        )

    def _refuse_oversized(self) -> None:
        """Name what is over the budget as people know it, before the planner counts it."""
        budget, served = self.budget, np.flatnonzero(self.sizes.kept)
        costs = alone(self.sizes.take(served), self.options.stride, budget.model)
        over = np.count_nonzero(costs > budget.amount)
        if over:
            worst = served[costs.argmax()]
            size = f"{self.sizes.widths[worst]} x {self.sizes.heights[worst]}"
            cost, limit = (in_units(x, budget.model) for x in (costs.max(), budget.amount))
            others = f" ({over:,} samples are, this one most)" if over > 1 else ""
            raise PlanError(
                f"plan: {self.names[self.order[worst]]} ({size}, {self.sizes.boxes[worst]} boxes) "
                f"costs {cost} by itself, over the budget of {limit}{others}; give a larger "
                f"--budget, or --oversize downscale or skip"
            )

    def all_plans(self) -> Iterator[tuple[PolicyName, EpochPlan]]:
        """Yield a plan by every policy, the plainest first."""
        for name in (*POLICIES[1:], POLICIES[0]):
            yield name, self.plan(name)


def policy(name: PolicyName, options: Options, budget: Budget) -> Policy:
    """Return a policy by its name."""
    stride, tail, size = options.stride, options.tail, options.batch_size
    if name == "budget":
        return MemoryBudget(
            budget.amount,
            budget.model,
            max_images=options.max_images,
            oversize=options.oversize,
            stride=stride,
            tail=tail,
        )
    if name == "fixed":
        return FixedSize(size, stride=stride, tail=tail)
    return AspectGroups(size, style=name, stride=stride, tail=tail)


def _needed(options: Options, cost: Cost, sizes: Sizes, original: Sizes) -> Budget:
    """Return what two aspect groups need at their peak: what a user of them must have today."""
    size, stride = options.batch_size, options.stride
    # mmdet puts what is left of the two groups together: only where no group gets full.
    groups = AspectGroups(size, style="detectron2", stride=stride)
    plan = plan_epoch(sizes, groups, original=original)
    if not len(plan):
        plan = plan_epoch(sizes, replace(groups, style="mmdet"), original=original)
    peak = float(plan.batches.costs(cost.model).max())
    kept = sizes.take(np.flatnonzero(sizes.kept))
    single = float(alone(kept, stride, cost.model).max())
    if not max(single, peak) > 0:
        raise PlanError(f"plan: by --cost {options.cost} nothing costs anything; give a --budget")
    origin = f"what two aspect groups of {size} images need at their peak"
    if single > peak:
        origin = "what the costliest image needs by itself"
    return Budget(max(single, peak), cost.model, cost.counts, origin)
