"""Statistics: what the formulas promise, for any numbers."""

from __future__ import annotations

import math
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.lab import statistics

RATIOS = st.lists(st.floats(0.05, 20.0), min_size=1, max_size=12)
SPEEDUPS = st.floats(0.05, 64.0)


@given(RATIOS)
def test_estimate_is_the_median_inside_an_interval_of_observed_values(values):
    found = statistics.estimate(values)
    assert found.value == pytest.approx(median(values))
    assert min(values) <= found.low <= found.value <= found.high <= max(values)
    assert found.blocks == len(values)


@given(RATIOS)
def test_estimate_does_not_depend_on_the_order_of_blocks(values):
    assert statistics.estimate(values) == statistics.estimate(values[::-1])


@given(RATIOS, st.floats(0.1, 10.0))
def test_estimate_scales_with_its_values(values, factor):
    plain = statistics.estimate(values)
    scaled = statistics.estimate([value * factor for value in values])
    assert scaled.low == pytest.approx(plain.low * factor)
    assert scaled.high == pytest.approx(plain.high * factor)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_estimate_refuses_what_it_cannot_summarise(values):
    with pytest.raises(ValueError, match="finite values"):
        statistics.estimate(values)


@pytest.mark.parametrize(
    ("blocks", "share"), [(1, 0.0), (2, 0.5), (5, 0.9375), (6, 0.96875), (9, 0.9609375)]
)
def test_coverage_is_counted_exactly(blocks, share):
    assert statistics.coverage(blocks) == share


@pytest.mark.parametrize("blocks", [*range(6, 61), 500])
def test_interval_is_the_narrowest_that_covers_as_often_as_it_says(blocks):
    assert statistics.coverage(blocks) >= 0.95
    found = statistics.estimate(list(range(blocks)))
    left_out = int(found.low)
    assert found.high == blocks - 1 - left_out
    # One block further in on either side, counted over all ways that blocks can fall.
    inner = sum(math.comb(blocks, few) for few in range(left_out + 2))
    assert 1 - 2 * inner / 2**blocks < 0.95


@given(st.lists(st.floats(0.05, 20.0), min_size=2, max_size=20))
def test_interval_of_the_inverse_is_the_inverse_of_the_interval(values):
    plain = statistics.estimate(values)
    turned = statistics.estimate([1 / value for value in values])
    assert (turned.low, turned.high) == (1 / plain.high, 1 / plain.low)


def test_percentile_bootstrap_would_not_cover_as_often_as_it_says():
    """Why the interval is not bootstrapped: at 7 blocks that covers in 7 of 8 runs."""
    rng = statistics.np.random.default_rng(5)
    picks = rng.integers(0, 7, size=(2000, 7))
    runs = rng.lognormal(0.0, 0.03, size=(1000, 7))
    medians = statistics.np.median(runs[:, picks], axis=2)
    low, high = statistics.np.percentile(medians, [2.5, 97.5], axis=1)
    bootstrapped = int(((low <= 1) & (high >= 1)).sum())
    exact = sum(found.low <= 1 <= found.high for found in map(statistics.estimate, runs))
    assert bootstrapped < 910 < 960 < exact


def test_bootstrap_tail_approaches_the_normal_one_from_below():
    tails = [statistics.bootstrap_tail(blocks) for blocks in range(5, 400)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx(0.025, rel=0.02)
    # 2.776 and 2.262 are Student's quantiles for 4 and 9 degrees of freedom.
    for blocks, student in ((5, 2.776), (10, 2.262)):
        expected = 0.5 * math.erfc(student * math.sqrt(blocks / (blocks - 1) / 2))
        assert statistics.bootstrap_tail(blocks) == pytest.approx(expected, rel=0.05)
    with pytest.raises(ValueError, match="4 blocks have no bootstrap interval"):
        statistics.bootstrap_tail(4)


@given(RATIOS, RATIOS, st.integers(0, 2**32))
def test_ratio_of_two_runs_divides_their_medians_and_is_the_same_for_the_same_seed(one, two, seed):
    found = statistics.ratio_of(one, two, seed)
    assert found == statistics.ratio_of(one, two, seed)
    assert found.value == pytest.approx(median(one) / median(two))
    assert min(one) / max(two) <= found.low <= found.value <= found.high <= max(one) / min(two)
    assert found.blocks == min(len(one), len(two))


@pytest.mark.parametrize("bad", [[], [math.inf], [0.0], [-1.0, 2.0]])
def test_ratio_of_two_runs_refuses_what_it_cannot_divide(bad):
    with pytest.raises(ValueError, match="values"):
        statistics.ratio_of([1.0], bad, 1)
    with pytest.raises(ValueError, match="values"):
        statistics.ratio_of(bad, [1.0], 1)


def test_holm_agrees_with_a_table_worked_by_hand():
    found = statistics.holm([0.01, None, 0.04, 0.03, 0.005])
    assert found == [pytest.approx(0.03), None, *map(pytest.approx, (0.06, 0.06, 0.02))]


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 1.0)), max_size=12))
def test_holm_never_shrinks_a_p_value_and_keeps_their_order(p_values):
    found = statistics.holm(p_values)
    tested = sorted((p, q) for p, q in zip(p_values, found, strict=True) if p is not None)
    assert [p is None for p in p_values] == [q is None for q in found]
    assert all(p <= q <= 1 for p, q in tested)
    assert [q for _, q in tested] == sorted(q for _, q in tested)


def test_block_ratios_pair_by_block_and_leave_incomplete_blocks_out():
    assert statistics.block_ratios({0: 4.0, 1: 9.0, 3: 5.0}, {0: 2.0, 1: 3.0, 2: 7.0}) == [2.0, 3.0]


def test_block_ratios_cancel_a_machine_that_slows_down_for_a_block():
    steady = statistics.block_ratios({0: 2.0, 1: 2.0}, {0: 1.0, 1: 1.0})
    slowed = statistics.block_ratios({0: 2.0, 1: 0.9}, {0: 1.0, 1: 0.45})
    assert slowed == pytest.approx(steady)


@given(st.floats(0.0, 1.0), st.integers(2, 64))
def test_karp_flatt_recovers_amdahls_serial_fraction(serial, threads):
    speedup = 1 / (serial + (1 - serial) / threads)
    assert statistics.karp_flatt(speedup, threads) == pytest.approx(serial, abs=1e-9)


@given(SPEEDUPS, SPEEDUPS, SPEEDUPS, st.integers(2, 64))
def test_karp_flatt_interval_keeps_its_order(one, two, three, threads):
    low, value, high = sorted((one, two, three))
    found = statistics.karp_flatt_estimate(statistics.Estimate(value, low, high, 5), threads)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(("speedup", "threads"), [(1.0, 1), (0.0, 2), (-1.0, 2)])
def test_karp_flatt_refuses_what_has_no_serial_fraction(speedup, threads):
    with pytest.raises(ValueError, match="Karp-Flatt"):
        statistics.karp_flatt(speedup, threads)


@pytest.mark.parametrize("blocks", range(1, 6))
def test_no_test_is_shown_below_six_blocks(blocks):
    assert statistics.sign_flip_p([2.0] * blocks, 1) is None
    assert "n too small" in statistics.what_blocks_allow(5)


def test_sign_flip_reaches_its_smallest_value_when_all_blocks_agree():
    assert statistics.sign_flip_p([1.5] * 6, 1) == pytest.approx(2 / 64)
    assert statistics.sign_flip_p([1.5] * 10, 1) == pytest.approx(2 / 1024)


@given(st.lists(st.floats(0.2, 5.0), min_size=6, max_size=10))
def test_sign_flip_does_not_care_which_way_a_ratio_is_written(ratios):
    upside_down = [1 / ratio for ratio in ratios]
    assert statistics.sign_flip_p(ratios, 1) == pytest.approx(
        statistics.sign_flip_p(upside_down, 1), abs=0.05
    )


def test_sign_flip_false_alarms_are_as_rare_as_the_level_says():
    rng = statistics.np.random.default_rng(11)
    alarms = sum(
        (statistics.sign_flip_p(rng.lognormal(0, 0.1, size=8), trial) or 1) <= 0.05
        for trial in range(400)
    )
    assert alarms <= 34  # 5 % of 400 is 20; 34 leaves three standard deviations


@pytest.mark.parametrize(
    ("low", "value", "high", "blocks", "said"),
    [
        (1.2, 1.3, 1.4, 5, "faster"),
        (0.7, 0.8, 0.9, 5, "slower"),
        (0.98, 1.0, 1.02, 5, "equal"),
        (0.9, 1.0, 1.1, 5, "not resolved"),
        (1.2, 1.3, 1.4, 4, "not resolved"),
    ],
)
def test_verdict_says_no_more_than_the_interval(low, value, high, blocks, said):
    assert statistics.verdict(statistics.Estimate(value, low, high, blocks)) == said


@pytest.mark.parametrize(
    ("cores", "said"), [(1, "nothing"), (2, "none is"), (4, "Amdahl"), (16, "Universal")]
)
def test_cores_decide_what_may_be_said_about_scaling_laws(cores, said):
    assert said in statistics.what_cores_allow(cores)
