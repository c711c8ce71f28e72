"""A step that ran out of memory is served again, in smaller batches."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ftloader import Loader, PlanError
from ftloader.batching import FixedSize, MemoryBudget
from tests.loader.test_resume import RECIPE, blank, told

BUDGET = 12_000
POLICY = MemoryBudget(BUDGET, stride=8)


def loader_of(count: int = 60, **how: Any) -> Loader:
    return Loader(blank(count), RECIPE, **{"batch": POLICY, "seed": 3, **how})


def trained(loader: Loader, failing: set[int]) -> tuple[list[int], list[Any]]:
    """Train an epoch in which some tries run out of memory: the ids of the steps that were taken,
    and the batches after the first failure."""
    taken, after, step, tries = [], [], [], 0
    for batch in loader:
        step += batch.image_ids.tolist() if not batch.planned.repeat else []
        if batch.planned.micro + 1 < batch.planned.micros:
            continue
        tries += 1
        if tries in failing:
            loader.out_of_memory()
            step, after = [], []
            continue
        taken += step
        step = []
        after.append(batch)
    return taken, after


@pytest.mark.parametrize("failing", [{1}, {3}, {2, 3, 7}, {1, 2, 3, 4}], ids=str)
@pytest.mark.parametrize("batches_per_step", [1, 2])
def test_every_sample_is_still_trained_on_once(failing: set[int], batches_per_step: int) -> None:
    loader = loader_of(batches_per_step=batches_per_step)
    taken, _ = trained(loader, failing)
    assert sorted(taken) == list(range(60))
    assert loader.epoch == 1


def test_batches_are_smaller_from_then_on() -> None:
    _, after = trained(loader_of(), {2, 3})
    assert after
    assert max(batch.images.size // 3 for batch in after) <= BUDGET * 0.9**2


def test_the_budget_grows_back_slowly_over_epochs() -> None:
    loader = loader_of()
    trained(loader, {2})
    budgets = []
    for _ in range(3):
        budgets.append(loader.plan().plan.policy.budget)
        for _batch in loader:
            pass
    assert BUDGET * 0.9 < budgets[0] < budgets[1] < budgets[2] < BUDGET
    loader.set_epoch(2_000_000)
    assert loader.plan().plan.policy.budget < BUDGET


def test_what_happened_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ftloader"):
        trained(loader_of(), {2})
    (record,) = caplog.records
    assert "out of memory in step 1" in record.getMessage()
    assert "10,800 pixels instead of 12,000" in record.getMessage()


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_a_state_remembers_the_smaller_budget(stop: int) -> None:
    def run(loader: Loader, batches: int) -> list[Any]:
        found: list[Any] = []
        for tries, batch in enumerate(loader):
            if tries == 2:
                loader.out_of_memory()
                found.pop()
                continue
            found.append(told(batch))
            if tries == 2 + batches:
                break
        return found

    wanted = run(loader_of(), 1000)
    first = loader_of()
    received = run(first, stop) if stop else run(first, 1)
    second = loader_of()
    second.load_state_dict(first.state_dict())
    received += [told(batch) for batch in second]
    assert received == wanted


def test_a_loop_that_is_left_after_running_out_of_memory_can_be_begun_again() -> None:
    loader, ids = loader_of(), list[int]()
    for tries, batch in enumerate(loader):
        if tries == 2:
            loader.out_of_memory()
            break
        ids += batch.image_ids.tolist()
    for batch in loader:
        ids += batch.image_ids.tolist()
    assert sorted(ids) == list(range(60))
    assert loader.epoch == 1


def test_ranks_that_shrink_in_the_same_step_still_share_it() -> None:
    served: list[int] = []
    for rank in range(2):
        loader = loader_of(rank=rank, world_size=2, batches_per_step=2)
        taken, _ = trained(loader, {2})
        served += taken
    assert sorted(served) == list(range(60))


def test_what_cannot_shrink_says_so() -> None:
    loader = loader_of(batch=FixedSize(4))
    next(iter(loader))
    with pytest.raises(PlanError, match="batches of FixedSize: only MemoryBudget can make them"):
        loader.out_of_memory()
    with pytest.raises(PlanError, match="which one image alone needs"):
        trained(loader_of(batch=MemoryBudget(64 * 64, stride=8)), set(range(100)))
    with pytest.raises(PlanError, match="only known in input order"):
        loader_of(output_order="completion").out_of_memory()
