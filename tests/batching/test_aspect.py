"""Grouping by aspect ratio: batches of like shape, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader import DataError, PlanError
from ftloader.batching import AspectGroups, Sizes, plan_epoch
from ftloader.batching.aspect import AspectBatches, aspect_groups
from ftloader.batching.samplers import Distributed, Sequential, Shuffled

steady = settings(deadline=None, derandomize=True)
STYLES: list[Any] = ["detectron2", "mmdet", "torchvision"]
sides = st.integers(1, 40)
sizes = st.lists(st.tuples(sides, sides), max_size=60)
wide, high, square = (40, 30), (30, 40), (30, 30)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def groups(pairs: list[tuple[int, int]], size: int, style: Any, k: int = 3) -> list[list[int]]:
    return [group.tolist() for group in aspect_groups(*columns(pairs), size, style, k)]


@steady
@given(pairs=sizes, size=st.integers(1, 8), style=st.sampled_from(STYLES), k=st.integers(0, 4))
def test_batches_are_full_and_no_sample_of_the_first_round_repeats(
    pairs: list[tuple[int, int]], size: int, style: Any, k: int
) -> None:
    found = groups(pairs, size, style, k)
    served = [row for group in found for row in group]
    if style == "mmdet":
        assert sorted(served) == list(range(len(pairs)))
        assert all(len(group) == size for group in found[:-1])
    else:
        assert all(len(group) == size for group in found)
    if style == "detectron2":
        assert len(set(served)) == len(served)
    if style == "torchvision":
        assert len(found) == len(pairs) // size


def test_a_square_is_portrait_to_detectron2_and_landscape_to_mmdet() -> None:
    assert groups([square, high, wide, wide], 2, "detectron2") == [[0, 1], [2, 3]]
    assert groups([square, high, wide, high], 2, "mmdet") == [[0, 2], [1, 3]]


def test_what_is_left_is_dropped_merged_or_topped_up() -> None:
    pairs = [wide, wide, wide, high, wide, wide, high, wide]
    assert groups(pairs, 3, "detectron2") == [[0, 1, 2], [4, 5, 7]]
    # Portraits come first in the mixed batch.
    assert groups(pairs, 3, "mmdet") == [[0, 1, 2], [4, 5, 7], [3, 6]]
    assert groups([wide, wide, wide, high, wide, high], 3, "torchvision") == [[0, 1, 2], [3, 5, 3]]


def test_a_group_that_was_full_comes_last_among_equals() -> None:
    # One batch is left to fill, and each group has one image left.
    assert groups([wide, high, wide, wide], 2, "torchvision") == [[0, 2], [1, 1]]
    assert groups([high, wide, wide, wide], 2, "torchvision") == [[1, 2], [0, 0]]


@steady
@given(pairs=sizes, size=st.integers(1, 8), style=st.sampled_from(STYLES), k=st.integers(0, 4))
def test_a_batch_sampler_gives_the_groups_of_its_order(
    pairs: list[tuple[int, int]], size: int, style: Any, k: int
) -> None:
    sampler = Shuffled(len(pairs), 5)
    batches = AspectBatches(sampler, *columns(pairs), size, style, k, epoch=1)
    order = sampler.order(1)
    expected = groups([pairs[row] for row in order], size, style, k)
    assert list(batches) == [order[group].tolist() for group in expected]
    assert len(batches) == len(expected)


def test_a_batch_sampler_gives_the_batches_of_a_plan() -> None:
    rng = np.random.default_rng(0)
    widths, heights = rng.integers(20, 60, (2, 101))
    sampler = Shuffled(101, 5)
    order = sampler.order(2)
    here = Sizes.of(widths, heights).take(order)
    plan = plan_epoch(here, AspectGroups(8, "mmdet"), samples=order, epoch=2)
    batches = AspectBatches(sampler, widths, heights, 8).batches(2)
    assert [batch.samples.tolist() for batch in plan.rank(0)] == batches


def test_epochs_are_set_as_in_torch() -> None:
    batches = AspectBatches(Shuffled(9, 5), [3] * 9, [2] * 9, 2)
    first = iter(batches)
    batches.set_epoch(4)
    assert batches.epoch == 4
    assert list(first) == batches.batches(0)
    assert list(batches) == batches.batches(4) != batches.batches(0)


def test_ranks_may_share_the_order() -> None:
    shares = [
        AspectBatches(Distributed(Shuffled(40, 1), rank, 2), range(1, 41), [20] * 40, 4)
        for rank in range(2)
    ]
    served = [row for share in shares for batch in share for row in batch]
    assert sorted(served) == list(range(40))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: AspectBatches([1], [1], [1], 2), PlanError, "AspectBatches: a sampler has order"),
        (
            lambda: AspectBatches(Sequential(1), [1], [1], 0),
            PlanError,
            "batch_size must be a whole",
        ),
        (lambda: AspectBatches(Sequential(1), [1], [1], 1, "x"), PlanError, "style must be one of"),
        (lambda: AspectBatches(Sequential(1), [1], [1, 2], 1), DataError, "1 widths, 2 heights"),
        (lambda: AspectBatches(Sequential(1), [0], [0], 1), PlanError, "image 0 is 0 x 0, which"),
        (
            lambda: list(AspectBatches(Sequential(3), [1, 1], [1, 1], 1)),
            PlanError,
            "the sampler gives sample 2, but there are sizes of 2",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()
