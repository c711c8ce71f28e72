from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.batching import CostModel, DeviceBytes, MemoryBudget, PaddedPixels, Sizes, plan_epoch
from ftloader.batching.packing import Packer, rounded_up
from tests.batching.drawn import EVERY_MODEL, budgets, cost_by_hand, some_sizes


def pack(sizes: Sizes, budget: float, most: int = 99, model: Any = None) -> list[list[int]]:
    packer = Packer(model or PaddedPixels(), budget, most)
    sides = (rounded_up(side, 32) for side in (sizes.heights, sizes.widths))
    batches = packer.pack(*sides, sizes.boxes.astype(np.int64), sizes.areas)
    return sorted(sorted(batch.tolist()) for batch in batches)


def test_images_of_one_shape_go_together_first() -> None:
    sizes = Sizes.of([64, 32] * 6, [32, 64] * 6)
    assert pack(sizes, 3 * 32 * 64) == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]]


def test_what_is_left_goes_with_the_neighbour_that_wastes_least() -> None:
    # One tall, one wide, and one nearly as tall as the first.
    sizes = Sizes.of([32, 320, 64], [320, 32, 288])
    assert pack(sizes, 2 * 64 * 320) == [[0, 2], [1]]


def test_a_batch_ends_at_the_number_of_images_allowed() -> None:
    assert pack(Sizes.of([32] * 7, [32] * 7), 1e9, most=3) == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_full_image_ends_a_batch_earlier_than_empty_ones() -> None:
    model = DeviceBytes(pixels=1, assignment=1, strides=(32,))
    empty, full = Sizes.of([32] * 4, [32] * 4), Sizes.of([32] * 4, [32] * 4, [0, 1000, 0, 0])
    assert pack(empty, 4096, model=model) == [[0, 1, 2, 3]]
    assert all(1 not in batch or len(batch) <= 3 for batch in pack(full, 4096, model=model))


@given(st.data(), some_sizes(least=1, dropped=False))
def test_one_image_more_would_not_have_fitted_a_batch_of_equal_images(
    data: st.DataObject, sizes: Sizes
) -> None:
    policy = data.draw(budgets(sizes))
    same = Sizes.of([320] * 30, [240] * 30)
    one = float(policy.cost.cost((1, 256, 320, 0, 0)))  # type: ignore[arg-type]
    if one > policy.budget:
        return
    packed = pack(same, policy.budget, policy.max_images, policy.cost)
    # All but the last of them; one may be smaller.
    for batch in sorted(packed, key=len)[1:]:
        more = policy.cost.cost((len(batch) + 1, 256, 320, 0, 0))  # type: ignore[arg-type]
        assert more > policy.budget or len(batch) == policy.max_images


@pytest.mark.parametrize("model", EVERY_MODEL, ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_batches_of_many_shapes_keep_the_bound(model: CostModel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = Sizes.of(*rng.integers(1, 700, (2, 80)), rng.integers(0, 60, 80))
    alone = max(cost_by_hand(model, [row], sizes, 32) for row in range(80))
    budget = alone * rng.uniform(1, 9)
    for batch in pack(sizes, budget, most=12, model=model):
        assert cost_by_hand(model, batch, sizes, 32) <= budget


def scattered(count: int) -> Sizes:
    """Four shapes of image at eleven scales."""
    rng = np.random.default_rng(3)
    short = rng.choice(np.arange(480, 801, 32), count)
    ratio = rng.choice([4 / 3, 3 / 2, 1.0, 3 / 4], count)
    wide, high = short * np.maximum(ratio, 1), short / np.minimum(ratio, 1)
    return Sizes.of(wide.astype(int), high.astype(int))


@pytest.mark.parametrize(("count", "least"), [(5000, 0.97), (400, 0.88)])
def test_several_scales_lose_little_to_padding(count: int, least: float) -> None:
    batches = plan_epoch(scattered(count), MemoryBudget(8.6e6)).batches
    assert batches.areas.sum() / batches.padded.sum() > least


def test_windows_do_not_share_samples() -> None:
    plan = plan_epoch(scattered(200), MemoryBudget(8.6e6, window=50))
    served = [sample // 50 for batch in plan.rank(0) for sample in batch.samples.tolist()]
    assert served == sorted(served)


@pytest.mark.parametrize(("side", "wanted"), [(1, 32), (32, 32), (33, 64), (1333, 1344)])
def test_sides_are_rounded_up_to_the_stride(side: int, wanted: int) -> None:
    assert rounded_up(np.array([side], np.int32), 32).tolist() == [wanted]
