"""The rest of an epoch, planned anew: by another policy, or without what was served out of order.

For a budget that turned out too large while training, and for a run that goes on with another
number of ranks when these were not all at the same step. Pure, so all ranks that do the same have
the same plan again; a step's samples still do not depend on how many ranks there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ftloader.batching.batches import Batches
from ftloader.batching.budgeted import fitting
from ftloader.batching.plan import EpochPlan, steps_of
from ftloader.batching.policies import GivenBatches, MemoryBudget, Policy
from ftloader.batching.steps import in_order
from ftloader.errors import PlanError
from ftloader.sizes import Sizes


def replanned(
    plan: EpochPlan, step: int, policy: Policy, original: Sizes | None = None
) -> EpochPlan:
    """Keep a plan's steps before ``step``, and plan what they do not serve by another policy.

    Args:
        plan: to change.
        step: the first one to be planned anew; the number of steps, to change nothing.
        policy: for the rest of the epoch, of the same stride.
        original: as for :func:`~ftloader.batching.plan_epoch`.

    Returns:
        A plan of the same entries; what the first one dropped stays dropped.

    Raises:
        PlanError: there is no such step, the policy cannot be used, or a sample is over the new
            budget and the policy says ``"raise"``.
    """
    if not 0 <= step <= len(plan):
        raise PlanError(f"there is no step {step!r} in a plan of {len(plan)} steps")
    if policy.stride != plan.policy.stride or isinstance(policy, GivenBatches):
        raise PlanError(
            f"the rest of an epoch is planned by a policy with the stride of {plan.policy.stride} "
            f"that makes its own batches, not by {policy}"
        )
    cut = step * plan.batches_per_step
    kept = [plan.batches.entries(batch) for batch in range(cut)]
    later = [
        plan.batches.entries(batch)
        for batch in range(cut, len(plan.batches))
        if not plan.repeats[batch]
    ]
    none = np.zeros(0, np.int64)
    served = [group for group, repeat in zip(kept, plan.repeats, strict=False) if not repeat]
    left = np.setdiff1d(np.concatenate([none, *later]), np.concatenate([none, *served]))
    sizes, oversized = plan.sizes, plan.oversized
    if isinstance(policy, MemoryBudget):
        sizes, left, more = fitting(sizes, left, policy, plan.samples)
        oversized += more
    before = original or sizes
    steps, missing = steps_of(
        policy, sizes, before, left, plan.seed, plan.epoch, plan.batches_per_step
    )
    return replace(
        plan,
        sizes=sizes,
        batches=Batches.of(kept + steps.groups, sizes, policy.stride),
        repeats=np.concatenate([plan.repeats[:cut], np.array(steps.repeats, np.bool_)]),
        policy=policy,
        dropped=np.concatenate([plan.dropped, *steps.dropped, missing]),
        oversized=oversized,
    )


def without(plan: EpochPlan, step: int, served: Iterable[int]) -> EpochPlan:
    """Keep a plan's steps before ``step``, and leave entries that were served out of those after.

    What is left of a batch stays a batch, in the same order, so the budget still holds.

    Args:
        plan: to change.
        step: the first one of which something may be left.
        served: entries that were served in it and later steps.

    Raises:
        PlanError: there is no such step.
    """
    if not 0 <= step <= len(plan):
        raise PlanError(f"there is no step {step!r} in a plan of {len(plan)} steps")
    cut = step * plan.batches_per_step
    gone = np.array(sorted(set(served)), np.int64)
    later = [
        group[~np.isin(group, gone)]
        for batch in range(cut, len(plan.batches))
        if not plan.repeats[batch]
        for group in (plan.batches.entries(batch),)
    ]
    costs = Batches.costing(plan.sizes, plan.policy.stride, plan.cost_model)
    groups = [group for group in later if len(group)]
    steps = in_order(groups, plan.batches_per_step, plan.policy.tail == "fill", costs)
    kept = [plan.batches.entries(batch) for batch in range(cut)]
    return replace(
        plan,
        batches=Batches.of(kept + steps.groups, plan.sizes, plan.policy.stride),
        repeats=np.concatenate([plan.repeats[:cut], np.array(steps.repeats, np.bool_)]),
        dropped=np.concatenate([plan.dropped, *steps.dropped]),
    )
