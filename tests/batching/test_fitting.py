"""Cost models fitted to observations: the solver, the margin, what the fit says of itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.batching import DeviceBytes, Load
from ftloader.batching.cost import TERMS
from ftloader.batching.fitting import conformal_margin, fit, fit_observed
from ftloader.batching.nnls import non_negative, one_sided
from ftloader.batching.observed import Observed
from ftloader.errors import DataError, PlanError

#: 3 shapes x 3 batch sizes x 3 box counts, as calibration has it.
GRID = [
    Load(n, h, w, n * b, b)
    for (h, w), n, b in itertools.product(
        ((320, 416), (480, 640), (800, 1344)), (1, 2, 4), (1, 20, 100)
    )
]
MODEL = DeviceBytes(
    fixed=5e8, pixels=300, images=2e6, boxes=3e4, assignment=40, masks=1.5, attention=2e-4
)
steady = settings(deadline=None, derandomize=True, max_examples=60)
systems = st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**32 - 1))


def system(rows: int, columns: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    # Columns ten orders of magnitude apart, as those of the cost model are.
    scale = 10.0 ** random.integers(-5, 6, columns)
    return random.normal(size=(rows, columns)) * scale, random.normal(size=rows)


def observed(noise: float = 0.0, seed: int = 0) -> Observed:
    peaks = np.array([float(MODEL.predict(load)) for load in GRID])
    return Observed.of(GRID, peaks + np.random.default_rng(seed).normal(0, 1, len(GRID)) * noise)


@steady
@given(systems)
def test_the_solution_is_never_negative_and_no_column_could_improve_it(
    of: tuple[int, int, int],
) -> None:
    matrix, target = system(*of)
    found = non_negative(matrix, target)
    assert (found >= 0).all()
    # Karush-Kuhn-Tucker: no slope where a coefficient is in use, none upwards where it is not.
    slope = matrix.T @ (target - matrix @ found) / np.linalg.norm(matrix, axis=0)
    assert (slope <= 1e-9).all()
    assert np.abs(slope[found > 0]).max(initial=0) <= 1e-9


@steady
@given(systems, st.integers(0, 2**32 - 1))
def test_no_other_non_negative_point_is_better(of: tuple[int, int, int], seed: int) -> None:
    matrix, target = system(*of)
    found = non_negative(matrix, target)
    least = np.linalg.norm(matrix @ found - target)
    random, scale = np.random.default_rng(seed), np.abs(matrix).max(axis=0)
    for step in 10.0 ** random.uniform(-6, 1, 10):
        other = np.maximum(found + random.normal(size=found.shape) * step / scale, 0)
        assert np.linalg.norm(matrix @ other - target) >= least * (1 - 1e-9)


@steady
@given(systems, st.integers(0, 31))
def test_a_hint_of_the_columns_in_use_changes_nothing_but_the_time(
    of: tuple[int, int, int], bits: int
) -> None:
    matrix, target = system(*of)
    likely = np.array([bool(bits >> column & 1) for column in range(matrix.shape[1])])
    with_hint = matrix @ non_negative(matrix, target, likely)
    np.testing.assert_allclose(with_hint, matrix @ non_negative(matrix, target), atol=1e-7)


@steady
@given(st.integers(1, 5), st.integers(0, 31), st.integers(0, 2**32 - 1))
def test_known_coefficients_are_recovered_zeros_included(
    columns: int, used: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    matrix = random.uniform(0.1, 1, (12, columns)) * 10.0 ** random.integers(-5, 6, columns)
    known = random.uniform(1, 2, columns) / matrix.max(axis=0)
    known[[not used >> column & 1 for column in range(columns)]] = 0
    np.testing.assert_allclose(non_negative(matrix, matrix @ known), known, rtol=1e-6)


def test_of_equally_good_solutions_the_one_with_the_fewest_columns_is_taken() -> None:
    matrix = np.array([[1.0, 1.0, 2.0], [1.0, 3.0, 4.0]])
    np.testing.assert_allclose(non_negative(matrix, matrix[:, 2] * 3), [0, 0, 3], atol=1e-12)
    twins = np.array([[1.0, 1.0], [2.0, 2.0]])
    np.testing.assert_allclose(non_negative(twins, twins[:, 0]), [1, 0], atol=1e-12)


def test_too_many_columns_are_refused_not_waited_for() -> None:
    with pytest.raises(PlanError, match="at most 12 columns"):
        non_negative(np.ones((3, 13)), np.ones(3))


@steady
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_censored_row_pulls_up_only_while_the_prediction_is_below_it(cut: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix = np.column_stack([np.ones(12), random.uniform(0, 10, 12)])
    target = matrix @ [3.0, 2.0] + random.normal(0, 0.3, 12)
    censored = np.arange(12) < cut
    found = one_sided(matrix, target, censored)
    missed = np.maximum(target - matrix @ found, 0) * censored
    missed += (target - matrix @ found) * ~censored
    slope = matrix.T @ missed
    assert (slope <= 1e-9).all()
    assert np.abs(slope[found > 0]).max() <= 1e-9


def test_a_model_is_recovered_from_what_it_predicts() -> None:
    fitted = fit_observed(observed())
    for name in TERMS:
        assert getattr(fitted.model, name) == pytest.approx(getattr(MODEL, name), rel=1e-6)
    assert fitted.active == TERMS
    assert fitted.r2 == pytest.approx(1)
    assert fitted.worst < 1e-9
    assert not fitted.undetermined


def test_one_load_of_arrays_is_the_same_as_many_loads() -> None:
    columns = Load(*np.array(GRID, np.float64).T)
    peaks = observed(1e6).bytes
    assert fit(columns, peaks).model == fit(GRID, peaks).model


def test_terms_that_are_not_allowed_stay_zero() -> None:
    fitted = fit_observed(observed(), terms=("pixels", "fixed"))
    assert set(fitted.active) == {"fixed", "pixels"}
    assert fitted.model.attention == 0


def test_left_out_errors_are_those_of_a_fit_that_has_not_seen_the_step() -> None:
    log = observed(noise=2e7)
    fitted = fit_observed(log)
    for row in (0, 13, 26):
        rest = fit_observed(log.take(np.arange(27) != row)).model
        expected = log.bytes[row] - float(rest.predict(GRID[row]))
        assert fitted.left_out[row] == pytest.approx(expected, abs=1e3)
    assert np.abs(fitted.left_out).max() >= np.abs(fitted.residuals).max()


def test_the_margin_is_the_conformal_quantile_and_says_what_n_supports() -> None:
    errors = np.arange(1.0, 11.0)
    assert conformal_margin(errors, 0.5) == 6  # ceil(11 x 0.5)
    assert conformal_margin(errors, 0.99) == 10  # beyond n: the largest
    assert conformal_margin(-errors, 0.99) == 0
    fitted = fit_observed(observed(noise=1e7))
    assert fitted.model.margin == fitted.left_out.max()
    assert fitted.coverage == 27 / 28
    assert fit_observed(observed(noise=1e7), quantile=0.5).coverage == 0.5


def test_the_margin_covers_the_part_of_new_steps_that_it_promises() -> None:
    fresh, quantile, covered = 200, 0.8, []
    for seed in range(40):
        random = np.random.default_rng(seed)
        images, boxes = random.integers(1, 9, fresh), random.integers(0, 100, fresh)
        height, width = random.integers(10, 40, (2, fresh)) * 32
        loads = Load(images, height, width, images * boxes, boxes)
        peaks = MODEL.predict(loads) + random.exponential(3e7, fresh)  # skewed, as peaks are
        log = Observed.of(loads, peaks)
        model = fit_observed(log.take(np.arange(fresh) < 50), quantile=quantile).model
        rest = log.take(np.arange(fresh) >= 50)
        covered.append(float((model.cost(rest.loads) >= rest.bytes).mean()))
    # 40 x 150 steps; the spread between runs is about 0.06, of their mean 0.01.
    assert quantile - 0.03 < np.mean(covered) < quantile + 0.06


def test_a_step_that_ran_out_of_memory_is_not_planned_again() -> None:
    log = observed()
    load, there = Load(4, 1024, 1344, 400, 100), 6e9
    assert float(fit_observed(log).model.cost(load)) < there
    more = log.add(load, there, out_of_memory=True)
    fitted = fit_observed(more)
    assert float(fitted.model.cost(load)) > there
    assert fitted.observations == len(more) - 1
    assert len(fitted.residuals) == len(log)


def test_a_failed_step_that_was_expected_to_fail_changes_nothing() -> None:
    log = observed(noise=1e6)
    more = log.add(Load(64, 800, 1344, 64, 1), 1e9, out_of_memory=True)
    assert fit_observed(more).model == fit_observed(log).model


def test_observations_added_one_by_one_give_the_same_fit() -> None:
    log = observed(noise=1e6)
    grown = log.take(np.arange(27) < 20)
    for row in range(20, 27):
        grown = grown.add(GRID[row], log.bytes[row])
    assert fit_observed(grown).model == fit_observed(log).model


def test_loads_that_vary_too_little_are_reported() -> None:
    fitted = fit([Load(2, 480, 640, 2 * b, b) for b in (1, 5, 9)], [1e9, 2e9, 3e9])
    assert fitted.undetermined
    assert "vary the loads more" in fitted.report()


def test_the_report_has_the_figures() -> None:
    report = fit_observed(observed(noise=1e6)).report()
    assert "27 observations" in report
    assert "covers 96.4%" in report
    assert "pixels" in report


@settings(steady, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1e9))
def test_a_fit_to_anything_is_a_model_with_a_margin(seed: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    fitted = fit(GRID, random.uniform(1, 1e10, len(GRID)) + noise)
    assert all(getattr(fitted.model, name) >= 0 for name in (*TERMS, "margin"))
    assert math.isfinite(fitted.worst_left_out)
    assert fitted.r2 <= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"terms": ()}, "terms must be some of"),
        ({"terms": ("pixel",)}, "not .'pixel'."),
        ({"quantile": 1.0}, "quantile"),
        ({"strides": ()}, "strides"),
        ({"anchors": 0}, "anchors"),
    ],
)
def test_options_that_cannot_be_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        fit_observed(observed(), **change)


@pytest.mark.parametrize(
    ("loads", "peaks", "words"),
    [
        (GRID, [1.0], "27 loads, 1 peaks"),
        ([Load(0, 1, 1, 0, 0)] * 2, [1, 1], "observation 0 cannot be: 0 images"),
        ([GRID[0], Load(1, 1, 1, 1, 2)], [1, 1], "observation 1 cannot be"),
        (GRID[:2], [1, float("nan")], "observation 1 cannot be"),
        (GRID[:2], [1, 0], "took 0 bytes"),
        (GRID[:1], [1], "at least 2 steps"),
        ([], [], "at least 2 steps"),
    ],
)
def test_observations_that_cannot_be_are_named(
    loads: list[Load], peaks: list[float], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        fit(loads, peaks)
