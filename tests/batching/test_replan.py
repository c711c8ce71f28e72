from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader import PlanError
from ftloader.batching import FixedSize, GivenBatches, MemoryBudget, Sizes, plan_epoch, replanned
from tests.batching.drawn import budgets, cost_by_hand, policies, some_sizes


@given(st.data(), some_sizes(), st.integers(1, 5))
def test_what_was_served_stays_served_and_the_rest_is_served_once(
    data: st.DataObject, sizes: Sizes, k: int
) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k, seed=3)
    step = data.draw(st.integers(0, len(plan)))
    policy = replace(data.draw(budgets(sizes)), stride=plan.policy.stride, oversize="skip")
    changed = replanned(plan, step, policy)
    for before in range(step):
        assert changed.step_samples(before).tolist() == plan.step_samples(before).tolist()
    for world_size in range(1, k + 1):
        batches = [batch for rank in changed.ranks(world_size) for batch in rank]
        found = [s for batch in batches if not batch.repeat for s in batch.samples.tolist()]
        skipped = [over.sample for over in changed.oversized]
        assert sorted(found + skipped) == np.flatnonzero(sizes.kept).tolist()
        for batch in batches:
            cost = cost_by_hand(policy.cost, batch.samples.tolist(), sizes, policy.stride)
            assert batch.step < step or cost <= policy.budget


def test_a_smaller_budget_makes_smaller_batches_from_the_step_on() -> None:
    sizes = Sizes.of([64] * 100, [64] * 100)
    plan = plan_epoch(sizes, MemoryBudget(10 * 4096))
    changed = replanned(plan, 4, MemoryBudget(5 * 4096))
    assert changed.batches.images.tolist() == [10] * 4 + [5] * 12
    assert changed.digest() != plan.digest()
    assert replanned(plan, 4, MemoryBudget(5 * 4096)).digest() == changed.digest()


def test_a_plan_can_be_changed_again() -> None:
    sizes = Sizes.of([64] * 100, [64] * 100)
    plan = plan_epoch(sizes, MemoryBudget(10 * 4096))
    twice = replanned(replanned(plan, 4, MemoryBudget(5 * 4096)), 6, MemoryBudget(10 * 4096))
    assert twice.batches.images.tolist() == [10] * 4 + [5] * 2 + [10] * 5


def test_what_cannot_be_changed_is_refused() -> None:
    plan = plan_epoch(Sizes.of([64] * 9, [64] * 9), FixedSize(3))
    with pytest.raises(PlanError, match="there is no step 4 in a plan of 3 steps"):
        replanned(plan, 4, FixedSize(2))
    with pytest.raises(PlanError, match="stride of 32"):
        replanned(plan, 1, FixedSize(2, stride=64))
    with pytest.raises(PlanError, match="makes its own batches"):
        replanned(plan, 1, GivenBatches(((0,),)))
