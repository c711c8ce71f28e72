"""Samplers that visit some samples more often: expected counts, and what is never drawn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader import PlanError
from ftloader.batching.weighted import ClassAware, Weighted

steady = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**64 - 1)
weight_lists = st.lists(st.one_of(st.just(0.0), st.floats(0, 1.7e308)), min_size=1, max_size=30)


@steady
@given(weights=weight_lists, length=st.integers(0, 50), seed=seeds)
def test_nothing_without_a_weight_is_drawn(weights: list[float], length: int, seed: int) -> None:
    if not any(weights):
        weights[0] = 1.0
    order = Weighted(weights, length, seed).order(0)
    assert len(order) == length
    assert all(weights[sample] > 0 for sample in order)


@steady
@given(weights=weight_lists, seed=seeds, data=st.data())
def test_without_replacement_nothing_comes_twice(
    weights: list[float], seed: int, data: st.DataObject
) -> None:
    able = sum(weight > 0 for weight in weights)
    length = data.draw(st.integers(0, able))
    order = Weighted(weights, length, seed, replacement=False).order(0).tolist()
    assert len(set(order)) == len(order) == length
    assert all(weights[sample] > 0 for sample in order)


def test_samples_come_as_often_as_their_weights_say() -> None:
    weights = np.array([1.0, 2.0, 0.0, 5.0])
    counts = np.bincount(Weighted(weights, 40_000, 3).order(0), minlength=4)
    expected = 40_000 * weights / 8
    # Five standard deviations of a binomial; the seed is fixed.
    assert np.all(np.abs(counts - expected) <= 5 * np.sqrt(expected * (1 - weights / 8)))


def test_without_replacement_the_first_draw_goes_by_weight_and_the_second_by_what_is_left() -> None:
    sampler = Weighted([1.0, 2.0, 5.0], 2, 3, replacement=False)
    pairs = np.array([sampler.order(epoch) for epoch in range(8_000)])
    first = np.bincount(pairs[:, 0], minlength=3) / len(pairs)
    assert np.allclose(first, [1 / 8, 2 / 8, 5 / 8], atol=0.03)
    after_largest = pairs[pairs[:, 0] == 2, 1]
    second = np.bincount(after_largest, minlength=3) / len(after_largest)
    assert np.allclose(second, [1 / 3, 2 / 3, 0], atol=0.03)


def test_weights_are_copied() -> None:
    weights = np.array([1.0, 1.0])
    sampler = Weighted(weights, 20)
    weights[0] = 0
    assert set(sampler.order(0).tolist()) == {0, 1}


def test_factors_are_those_of_the_paper() -> None:
    # Class 0 in 8 of 8 images, class 1 in 2 of 8, class 2 in 1 of 8; two objects count once.
    rows = [*range(8), 1, 2, 2, 5]
    labels = [0] * 8 + [1, 1, 1, 2]
    sampler = ClassAware(rows, labels, 8, threshold=0.5)
    plain = np.ones(8)
    plain[[1, 2]] = np.sqrt(0.5 / 0.25)
    plain[5] = np.sqrt(0.5 / 0.125)
    assert np.allclose(sampler.factors, plain * np.ceil(plain.sum()) / plain.sum())
    assert len(sampler) == int(np.ceil(plain.sum())) == 10


def test_images_without_objects_and_common_classes_come_once() -> None:
    sampler = ClassAware([0, 1], [5, 5], 4, threshold=0.5)
    assert sampler.factors.tolist() == [1.0] * 4
    assert sorted(sampler.order(3).tolist()) == [0, 1, 2, 3]


pairs = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 9)), max_size=40)


@steady
@given(pairs=pairs, threshold=st.floats(0, 1), seed=seeds, epoch=st.integers(0, 2**63))
def test_every_image_comes_as_often_as_its_factor_rounded(
    pairs: list[tuple[int, int]], threshold: float, seed: int, epoch: int
) -> None:
    rows, labels = [row for row, _ in pairs], [label for _, label in pairs]
    sampler = ClassAware(rows, labels, 20, threshold, seed)
    counts = np.bincount(sampler.order(epoch), minlength=20)
    assert counts.sum() == len(sampler)
    assert np.all(np.floor(sampler.factors + 1e-9) <= counts)
    assert np.all(counts <= np.ceil(sampler.factors - 1e-9))


def test_the_mean_over_epochs_is_the_factor() -> None:
    sampler = ClassAware([*range(8), 1, 2, 5], [0] * 8 + [1, 1, 2], 8, threshold=0.5, seed=4)
    epochs = 4_000
    counts = sum(np.bincount(sampler.order(epoch), minlength=8) for epoch in range(epochs))
    # A count is one of two neighbours, so its standard deviation is at most 1/2.
    assert np.all(np.abs(counts / epochs - sampler.factors) < 5 * 0.5 / np.sqrt(epochs))


def test_copies_of_an_image_are_spread_over_the_epoch() -> None:
    sampler = ClassAware([0], [0], 100, threshold=1.0)
    places = np.flatnonzero(sampler.order(0) == 0)
    assert len(places) == 10
    assert any(later - earlier > 1 for earlier, later in pairwise(places))


def test_classes_are_counted_from_a_data_set() -> None:
    class Data:
        def __len__(self) -> int:
            return 3

        def annotations(self, i: int) -> SimpleNamespace:
            return SimpleNamespace(labels=np.array([[0, 0, 1], [], [0]][i], np.int64))

    from_data = ClassAware.of(Data(), threshold=1.0, seed=9)
    by_hand = ClassAware([0, 0, 0, 2], [0, 0, 1, 0], 3, threshold=1.0, seed=9)
    assert from_data.factors.tolist() == by_hand.factors.tolist()
    assert from_data.order(1).tolist() == by_hand.order(1).tolist()


def test_a_data_set_without_images_has_empty_epochs() -> None:
    assert ClassAware([], [], 0).order(0).tolist() == []
    assert Weighted([]).order(0).tolist() == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Weighted([1, -1]), "Weighted: weight 1 must be 0 or more, not -1.0"),
        (lambda: Weighted([1, float("nan")]), "Weighted: weight 1 must be 0 or more, not nan"),
        (lambda: Weighted([[1.0]]), "Weighted: one weight per sample, not an array"),
        (lambda: Weighted(["x"]), "Weighted: weights must be numbers"),
        (lambda: Weighted([0, 0]), "Weighted: no sample has a weight above 0"),
        (lambda: Weighted([1], -1), "Weighted: length must be a whole number from 0 on, not -1"),
        (
            lambda: Weighted([1, 0], 2, replacement=False),
            "Weighted: 1 samples have a weight above 0, too few for 2 draws",
        ),
        (lambda: ClassAware([0], [0, 1], 2), "ClassAware: 1 rows, but 2 labels"),
        (lambda: ClassAware([2], [0], 2), "ClassAware: there is no image 2 in 2 images"),
        (lambda: ClassAware([0.5], [0], 2), "ClassAware: rows must be whole numbers"),
        (lambda: ClassAware([], [], -1), "ClassAware: images must be a whole number from 0 on"),
        (lambda: ClassAware([], [], 1, 2.0), "ClassAware: threshold is a share from 0 to 1"),
        (lambda: ClassAware([], [], 1, seed=-1), "ClassAware: seed must be a whole number"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make()
