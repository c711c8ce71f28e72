"""The rule that tells which of two settings to keep, on gains that were made up."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.tuning.compare import GROSS, LOOKS, WORTH, compare, judge, undecided


def always() -> bool:
    return True


def in_turn(*rates: float) -> Callable[[], float]:
    values = itertools.cycle(rates)
    return lambda: next(values)


def test_equal_settings_keep_the_smaller_one() -> None:
    verdict = compare(in_turn(100.0), in_turn(100.0), always)
    assert (verdict.larger, verdict.resolved, verdict.pairs) == (False, True, min(LOOKS))


def test_a_steady_gain_keeps_the_larger_one() -> None:
    verdict = compare(in_turn(100.0), in_turn(109.0, 110.0, 111.0), always)
    assert verdict.larger
    assert verdict.resolved
    assert verdict.gain == pytest.approx(0.1, abs=0.01)


def test_a_gain_that_is_not_worth_a_worker_keeps_the_smaller_one_though_it_is_certain() -> None:
    verdict = compare(in_turn(100.0), in_turn(101.0, 101.1), always)
    assert (verdict.larger, verdict.resolved) == (False, True)


def test_a_gross_difference_is_seen_after_two_pairs() -> None:
    up = compare(in_turn(100.0), in_turn(200.0), always)
    down = compare(in_turn(200.0), in_turn(100.0), always)
    assert (up.larger, up.resolved, up.pairs) == (True, True, 2)
    assert (down.larger, down.resolved, down.pairs) == (False, True, 2)


def test_two_gross_differences_in_opposite_directions_decide_nothing() -> None:
    assert judge([2 * GROSS, -2 * GROSS]) is None


def test_noise_leaves_the_smaller_one_and_says_that_it_is_unresolved() -> None:
    verdict = compare(in_turn(100.0), in_turn(80.0, 100.0, 125.0), always)
    assert (verdict.larger, verdict.resolved, verdict.pairs) == (False, False, max(LOOKS))


def test_an_unresolved_gain_that_would_pay_keeps_the_larger_one() -> None:
    verdict = compare(in_turn(100.0), in_turn(90.0, 125.0), always)
    assert (verdict.larger, verdict.resolved) == (True, False)


def test_the_order_alternates_from_pair_to_pair() -> None:
    order: list[str] = []

    def measured(name: str) -> Callable[[], float]:
        return lambda: order.append(name) or 1.0  # type: ignore[func-returns-value]

    compare(measured("small"), measured("large"), always)
    assert order[:8] == ["small", "large", "large", "small"] * 2


def test_a_comparison_without_time_is_cut_short() -> None:
    moments = iter([True, False])
    verdict = compare(in_turn(1.0), in_turn(9.0), lambda: next(moments))
    assert verdict.cut_short
    assert verdict.pairs == 1
    assert compare(in_turn(1.0), in_turn(9.0), lambda: False).pairs == 0


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8))
def test_a_verdict_never_prefers_the_larger_one_on_a_mean_loss(gains: list[float]) -> None:
    verdict = judge(gains) or undecided(gains)
    if verdict.larger:
        assert verdict.gain > 0


def test_a_wrong_resolved_verdict_is_rare_where_noise_is_normal() -> None:
    draw = random.Random(3)
    wrong = 0
    for _ in range(2_000):
        small = lambda: math.exp(draw.gauss(0, 0.03))  # noqa: E731
        large = lambda: (1 + 2 * WORTH) * math.exp(draw.gauss(0, 0.03))  # noqa: E731
        verdict = compare(small, large, always)
        wrong += verdict.resolved and not verdict.larger
    assert wrong <= 0.05 * 2_000
