"""What the model expects, proposes and rules out, on costs that were made up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.tuning.model import (
    LADDER,
    MOST_TASKS,
    MOST_THREADS,
    Cost,
    Model,
    above,
    below,
    replaced,
)

from .simulated import named, stage

costs = st.builds(
    stage,
    st.just("s"),
    st.floats(1e-6, 0.1),
    st.floats(0.0, 1.0),
    kind=st.sampled_from(["function", "generator", "coroutine"]),
    gil_bound=st.sampled_from([None, False, True]),
    concurrency=st.sampled_from([None, None, 1, 4]),
    nbytes=st.sampled_from([0.0, 1e3, 1e6]),
    calls=st.sampled_from([0.125, 1.0, 3.0]),
)
models = st.builds(
    Model,
    st.lists(costs, min_size=1, max_size=4).map(named),
    st.sampled_from([1.0, 2.0, 2.5, 8.0]),
    st.booleans(),
)


def test_a_waiting_stage_gets_the_places_that_littles_law_asks_for() -> None:
    # 2 cores and 10 ms of computing allow 200 items/s; 40 ms of waiting then needs 8 at once.
    model = Model((stage("fetch", 0.040, 0.0), stage("decode", 0.010)), cores=2)
    assert model.candidates()[0] == (8, 2)
    assert model.expected((8, 2)) == pytest.approx(200)
    assert model.expected((4, 2)) == pytest.approx(100)


def test_work_is_divided_by_what_each_stage_costs() -> None:
    model = Model((stage("decode", 0.009), stage("resize", 0.001)), cores=8)
    assert model.candidates()[0] == (8, 1)


def test_a_number_that_was_given_stays_and_limits_the_others() -> None:
    steps = (stage("fetch", 0.1, 0.0, concurrency=4), stage("decode", 0.010))
    model = Model(steps, cores=8)
    assert model.candidates()[0] == (4, 1)  # 40 items/s keep less than one decoder busy
    assert all(setting[0] == 4 for setting in model.candidates())


def test_stages_that_hold_the_gil_share_one_core() -> None:
    model = Model((stage("a", 0.010, gil_bound=True), stage("b", 0.010, gil_bound=True)), cores=8)
    assert model.expected((4, 4)) == pytest.approx(50)
    assert model.limits(gil=False)["the cores"] == pytest.approx(400)
    assert model.cap(0) == 2


def test_a_slow_source_needs_no_threads_beyond_it() -> None:
    model = Model((stage("decode", 0.010),), cores=64, source_rate=150.0)
    assert model.candidates()[0] == (2,)


def test_a_stage_called_once_per_batch_is_weighed_by_its_calls() -> None:
    model = Model((stage("decode", 0.010), stage("collate", 0.040, calls=1 / 16)), cores=5)
    assert model.candidates()[0] == (4, 1)


def test_asked_for_cores_leave_no_worker_too_many() -> None:
    free = Model((stage("decode", 0.010),), cores=2)
    strict = Model((stage("decode", 0.010),), cores=2, strict=True)
    assert free.fits((3,))
    assert strict.fits((2,))
    assert not strict.fits((3,))
    assert strict.shrunk((8,)) == (2,)


def test_the_cores_do_not_limit_who_waits() -> None:
    model = Model((stage("fetch", 0.1, 0.01),), cores=1, strict=True)
    assert model.fits((64,))


def test_memory_counts_results_at_work_and_results_that_wait() -> None:
    model = Model((stage("decode", 0.010, nbytes=1_000_000),), cores=4, memory=5_000_000)
    assert model.nbytes((2,)) == 4_000_000
    assert model.fits((2,))
    assert not model.fits((3,))
    assert all(model.nbytes(setting) <= 5_000_000 for setting in model.candidates())


def test_a_prefetch_counts_instead_of_the_buffer() -> None:
    cost = Cost("decode", "function", 1.0, 0.010, 0.010, 1_000_000, buffer=10)
    assert Model((cost,), cores=4).nbytes((2,)) == 12_000_000


def test_memory_too_small_for_one_at_a_time_leaves_nothing() -> None:
    model = Model((stage("decode", 0.010, nbytes=1e6),), cores=4, memory=1_000)
    assert model.shrunk((4,)) is None
    assert model.candidates() == []


def test_caps_follow_from_who_works_where() -> None:
    steps = (
        stage("sleeps", 0.1, 0.0),
        stage("computes", 0.1),
        stage("awaits", 0.1, 0.0, kind="coroutine"),
        stage("blocks the loop", 0.1, 1.0, kind="coroutine"),
    )
    model = Model(steps, cores=2)
    assert [model.cap(place) for place in range(4)] == [MOST_THREADS, 4, MOST_TASKS, 8]


def test_neighbours_lie_on_the_ladder() -> None:
    assert [above(n, 64) for n in (1, 2, 3, 5, 48, 64)] == [2, 4, 6, 12, 64, 64]
    assert [below(n) for n in (1, 2, 5, 64, 200)] == [1, 1, 4, 48, 192]


@given(models)
def test_every_proposal_fits_and_keeps_what_was_given(model: Model) -> None:
    proposals = model.candidates()
    assert proposals
    for setting in proposals:
        assert model.fits(setting)
        for place, step in enumerate(model.steps):
            if step.concurrency is not None:
                assert setting[place] == step.concurrency
            else:
                assert 1 <= setting[place] <= model.cap(place)


@given(models, st.data())
def test_another_worker_is_never_expected_to_cost_throughput(
    model: Model, data: st.DataObject
) -> None:
    numbers = st.sampled_from(LADDER)
    setting = tuple(data.draw(numbers) for _ in model.steps)
    place = data.draw(st.integers(0, len(model.steps) - 1))
    more = replaced(setting, place, setting[place] + 1)
    assert model.expected(more) >= model.expected(setting)


@given(models, st.floats(0.1, 1e6))
def test_what_is_needed_for_a_rate_is_expected_to_reach_it_below_the_caps(
    model: Model, rate: float
) -> None:
    setting = model.needed(rate)
    reached = min(rate, *model.limits().values())
    if all(setting[place] < model.cap(place) for place in model.tuned):
        assert model.expected(setting) >= 0.97 * reached
    assert not math.isnan(model.expected(setting))
