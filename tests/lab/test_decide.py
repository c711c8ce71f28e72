"""Decisions on regressions: what the rule promises; how often it is right: test_known_answers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.lab import statistics
from ftloader.lab.decide import blocks_needed, decide, regressed

SLOWER = [1.10, 1.12, 1.09, 1.11, 1.13, 1.10, 1.08, 1.12, 1.11, 1.10]
SAME = [1.01, 0.99, 1.02, 0.98, 1.00, 1.01, 0.97, 1.03, 0.99, 1.00]


def test_only_the_claim_that_got_worse_is_returned():
    (found,) = regressed({"same": SAME, "slower": SLOWER}, 0.03, 1)
    assert found.claim == "slower"
    assert found.regressed
    assert found.ratio == statistics.estimate(SLOWER)


def test_every_claim_is_decided_in_its_order():
    found = decide({"slower": SLOWER, "same": SAME}, 0.03, 1)
    assert [(one.claim, one.outcome) for one in found] == [
        ("slower", "regressed"),
        ("same", "not shown"),
    ]


def test_what_got_better_is_no_regression():
    assert regressed({"faster": [1 / ratio for ratio in SLOWER]}, 0.03, 1) == []


def test_a_loss_within_the_margin_is_no_regression_however_certain():
    (found,) = decide({"a little slower": [1.02, 1.021] * 6}, 0.03, 1)
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert found.outcome == "not shown"


def test_a_loss_that_chance_explains_in_a_long_table_is_no_regression():
    six_of_six = [1.2, 1.2, 1.2, 1.2, 1.2, 1.2]
    assert regressed({"alone": six_of_six}, 0.03, 1)
    table = {"slower": six_of_six, **{f"same {place}": SAME for place in range(5)}}
    (found, *_) = decide(table, 0.03, 1)
    assert found.adjusted == pytest.approx(6 * 2 / 64)
    assert found.outcome == "too few blocks"


def test_too_few_blocks_are_never_taken_for_a_pass():
    (found,) = decide({"slower": [1.5] * 5}, 0.03, 1)
    assert found.p_value is None
    assert found.outcome == "too few blocks"


@given(st.integers(1, 200))
def test_as_many_blocks_as_are_needed_can_fail_and_one_fewer_cannot(claims):
    blocks = blocks_needed(claims)
    for count, can in ((blocks, True), (blocks - 1, False)):
        smallest = 2.0 ** (1 - count)
        adjusted = statistics.holm([smallest] + [1.0] * (claims - 1))[0]
        assert (adjusted is not None and adjusted <= 0.05) is can


@pytest.mark.parametrize(
    ("ratios", "margin", "said"),
    [
        ([], 0.03, "claim: ratios are positive"),
        ([1.0, math.nan], 0.03, "claim: ratios are positive"),
        ([1.0, 0.0], 0.03, "claim: ratios are positive"),
        ([1.0], -0.1, "0 or more, not -0.1"),
    ],
)
def test_what_cannot_be_decided_on_is_one_clear_line(ratios, margin, said):
    with pytest.raises(ValueError, match=said):
        decide({"claim": ratios}, margin, 1)
