"""Scaling laws: fits against brute force, and what a number of cores may say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.lab import _least, laws
from ftloader.lab.honesty import by_cores
from ftloader.lab.statistics import what_cores_allow

COUNTS = [1, 2, 3, 4, 6, 8, 12, 16]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Draw fewer blocks: what is asked here does not rest on the last digit of an interval."""
    monkeypatch.setattr(laws, "DRAWS", 300)


def curve(threads, alpha, beta=0.0, one=100.0):
    return one * threads / (1 + alpha * (threads - 1) + beta * threads * (threads - 1))


def measured(counts, alpha, beta=0.0, blocks=10, noise=0.01, seed=1):
    """Return throughputs by count and block: a law, a speed of each block, noise of each cell."""
    rng = np.random.default_rng(seed)
    weather = rng.lognormal(0, 0.3, size=blocks)
    return {
        count: {
            block: curve(count, alpha, beta) * weather[block] * rng.lognormal(0, noise)
            for block in range(blocks)
        }
        for count in counts
    }


def errors(rows, counts, alpha, beta):
    left = rows - np.log(counts) + np.log(_least.delay(counts, alpha, beta))
    left = left - left.mean(axis=1, keepdims=True)
    return (left**2).sum(axis=1)


@pytest.mark.parametrize("usl", [False, True])
@pytest.mark.parametrize("counts", [[1, 2, 4, 8], [1, 2, 3, 4], [1, 2, 3, 4, 6, 8, 12, 16]])
@pytest.mark.parametrize("noise", [0.0, 0.03, 0.2])
def test_no_law_on_a_fine_grid_fits_better_than_the_fitted_one(counts, usl, noise):
    rng = np.random.default_rng(3)
    points = np.array(counts, dtype=float)
    alphas = rng.choice([0.0, 0.001, 0.02, 0.1, 0.5, 1.0, 3.0], size=(60, 1))
    betas = rng.choice([0.0, 1e-4, 1e-3, 0.01, 0.1], size=(60, 1)) * usl
    rows = np.log(points / _least.delay(points, alphas, betas))
    rows = rows + rng.normal(0, noise, size=rows.shape)
    shape, error = _least.fit(rows, points, usl)
    assert (shape >= 0).all()
    assert error == pytest.approx(errors(rows, points, shape[:, :1], shape[:, 1:]), abs=1e-12)
    for alpha in (0.0, *np.geomspace(1e-4, 10, 60)):
        for beta in (0.0, *np.geomspace(1e-5, 1, 60)) if usl else (0.0,):
            assert (error <= errors(rows, points, alpha, beta) + 1e-9).all()


@given(st.floats(0.0, 1.5), st.floats(0.0, 0.05))
def test_a_law_without_noise_is_recovered(alpha, beta):
    points = np.array(COUNTS, dtype=float)
    row = np.log(points / _least.delay(points, alpha, beta))[None]
    shape, error = _least.fit(row, points, usl=True)
    assert error[0] < 1e-9
    assert shape[0] == pytest.approx([alpha, beta], abs=2e-4)


def test_data_whose_quadratic_form_has_a_negative_coherence_get_none_below_zero():
    # Gunther's case: a bit of noise on Amdahl's curve bends y = N/C - 1 downwards.
    counts = np.array([1.0, 2.0, 3.0, 4.0])
    speedups = curve(counts, 0.1, one=1.0) * [1.0, 0.98, 1.0, 1.01]
    quadratic = np.polyfit(counts - 1, counts / speedups - 1, 2)
    assert quadratic[0] < 0
    shape, _ = _least.fit(np.log(speedups)[None], counts, usl=True)
    assert shape[0, 1] == 0.0


def test_two_cores_get_a_sentence_and_no_fit():
    found = laws.fits(measured([1, 2], 0.1), 2, 1)
    assert found.fits == ()
    assert found.said == what_cores_allow(2) + "."


@pytest.mark.parametrize("cores", [3, 4, 6])
def test_few_cores_get_amdahl_and_an_unquoted_dotted_line(cores):
    found = laws.fits(measured([n for n in COUNTS if n <= cores], 0.1), cores, 1)
    amdahl, *rest = found.fits
    assert amdahl.law == "amdahl"
    assert amdahl.identified
    assert amdahl.alpha.low < 0.1 < amdahl.alpha.high
    assert "behaves as serial" in found.said
    for usl in rest:
        assert not usl.identified
        assert (usl.beta, usl.peak) == (None, None)
        assert "not identified" in found.said
    assert len(rest) == (cores > 3)


def test_eight_cores_quote_a_coherence_that_its_interval_tells_from_zero():
    found = laws.fits(measured(COUNTS[:6], 0.05, 0.01), 8, 1)
    amdahl, usl = found.fits
    assert usl.identified
    assert usl.beta is not None
    assert 0 < usl.beta.low < 0.01 < usl.beta.high
    assert usl.peak is None
    assert usl.residual < amdahl.residual
    assert "too few cores" in found.said


def test_eight_cores_quote_no_coherence_that_may_be_zero():
    usl = laws.fits(measured(COUNTS[:6], 0.05), 8, 1).fits[1]
    assert usl.identified
    assert usl.beta is None
    assert "no coherence that differs from 0" in laws.fits(measured(COUNTS[:6], 0.05), 8, 1).said


@pytest.mark.parametrize(("beta", "shown"), [(0.004, True), (0.0002, False)])
def test_sixteen_cores_say_a_peak_only_near_what_was_measured(beta, shown):
    found = laws.fits(measured(COUNTS, 0.05, beta, noise=0.002), 16, 1)
    usl = found.fits[1]
    assert usl.beta is not None
    assert (usl.peak is not None) is shown
    assert ("throughput is highest at" in found.said) is shown
    if usl.peak is not None:
        assert usl.peak.low <= np.sqrt((1 - 0.05) / beta) <= usl.peak.high
        assert usl.peak.value <= 24


def test_threads_that_only_slow_each_other_peak_at_one():
    usl = laws.fits(measured(COUNTS, 1.5, 0.05, noise=0.002), 16, 1).fits[1]
    assert usl.peak is not None
    assert (usl.peak.low, usl.peak.value, usl.peak.high) == (1.0, 1.0, 1.0)


def test_many_cores_that_were_not_used_say_no_more_than_those_that_were():
    used = laws.fits(measured([1, 2, 3, 4], 0.1), 16, 1)
    assert not used.fits[1].identified


def test_a_block_that_the_machine_slowed_down_changes_no_law():
    plain = measured([1, 2, 3, 4], 0.1)
    slowed = {
        count: {b: x / 3 if b == 2 else x for b, x in f.items()} for count, f in plain.items()
    }
    one, other = (laws.fits(each, 4, 1).fits[0] for each in (plain, slowed))
    assert one.alpha.value == pytest.approx(other.alpha.value)
    assert (one.alpha.low, one.alpha.high) == pytest.approx((other.alpha.low, other.alpha.high))


def test_one_disturbed_cell_hardly_moves_a_law():
    disturbed = measured([1, 2, 3, 4], 0.1)
    disturbed[2][5] /= 2.2
    assert laws.fits(disturbed, 4, 1).fits[0].alpha.value == pytest.approx(0.1, abs=0.01)


def test_blocks_that_lack_a_count_are_left_out_and_counted():
    broken = measured([1, 2, 3, 4], 0.1)
    del broken[3][0]
    found = laws.fits(broken, 4, 1)
    assert found.fits[0].alpha.blocks == 9
    assert "9 blocks" in found.said


@pytest.mark.parametrize(
    ("counts", "blocks", "said"),
    [
        ([1, 2, 3, 4], 4, "4 blocks hold every thread count, fewer than the 5"),
        ([1, 4], 10, "3 thread counts of which one is 1, and there are 1, 4"),
        ([2, 3, 4], 10, "3 thread counts of which one is 1, and there are 2, 3, 4"),
        ([], 10, "there are none"),
    ],
)
def test_too_little_gets_a_reason_and_no_fit(counts, blocks, said):
    found = laws.fits(measured(counts, 0.1, blocks=blocks), 4, 1)
    assert found.fits == ()
    assert said in found.said


def test_a_speed_up_above_the_threads_is_a_broken_baseline():
    broken = measured([1, 2, 3, 4], 0.1)
    broken[1] = {block: rate / 2 for block, rate in broken[1].items()}
    found = laws.fits(broken, 4, 1)
    assert found.fits == ()
    assert found.broken == (2, 3, 4)
    assert "the one-thread baseline is broken until proven otherwise" in found.said


def test_a_perfect_speed_up_with_noise_is_not_called_broken():
    found = laws.fits(measured([1, 2, 3, 4], 0.0), 4, 1)
    assert found.broken == ()
    assert found.fits[0].alpha.low == 0.0


def test_threads_that_slow_each_other_down_are_called_that():
    said = laws.fits(measured([1, 2, 3, 4], 3.0), 4, 1).said
    assert "threads slow each other down" in said


@pytest.mark.parametrize("threads", [0, 5])
def test_points_past_the_cores_are_refused(threads):
    with pytest.raises(ValueError, match=f"{threads} threads on 4 cores"):
        laws.fits(measured([1, 2, 3, 4], 0.1) | {threads: {0: 1.0}}, 4, 1)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_throughputs_that_are_none_are_refused(rate):
    with pytest.raises(ValueError, match="2 threads, block 7"):
        laws.fits(measured([1, 2, 3, 4], 0.1) | {2: {7: rate}}, 4, 1)


def test_the_seed_decides_and_nothing_else():
    table = measured(COUNTS, 0.05, 0.001)
    assert laws.fits(table, 16, 3) == laws.fits(table, 16, 3)
    assert laws.fits(table, 16, 3) != laws.fits(table, 16, 4)


def test_a_law_is_drawn_through_its_own_points():
    table = measured(COUNTS[:6], 0.05, noise=0.0)
    for fit in laws.fits(table, 8, 1).fits:
        points = np.array(fit.counts, dtype=float)
        expected = fit.rate.value * curve(points, 0.05, one=1.0)
        assert fit.rates(points) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("cores", "allowed"),
    [
        (1, (False, False, False)),
        (2, (False, False, False)),
        (3, (True, False, False)),
        (7, (True, False, False)),
        (8, (True, True, False)),
        (15, (True, True, False)),
        (16, (True, True, True)),
    ],
)
def test_cores_decide_what_may_be_fitted(cores, allowed):
    found = by_cores(cores)
    assert (found.amdahl, found.usl, found.peak) == allowed
    assert found.said == what_cores_allow(cores)
    assert found.said.startswith(f"{cores} core")
