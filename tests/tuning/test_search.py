"""Where the search ends, on pipelines that exist as numbers only and under a clock of our own."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.tuning.model import LADDER, Cost, Model, Setting
from ftloader.tuning.search import Search

from .simulated import Simulated, named, stage

SECONDS = 30.0
WORKLOADS = {
    "computes": (stage("decode", 0.010),),
    "holds the GIL": (stage("augment", 0.005, gil_bound=True),),
    "waits": (stage("read", 0.004, 0.01),),
    "three": (
        stage("fetch", 0.020, 0.005, kind="coroutine"),
        stage("decode", 0.006),
        stage("cheap", 1e-6),
    ),
    "two compute": (stage("decode", 0.009), stage("resize", 0.001)),
    "half and half": (stage("read and decode", 0.010, 0.5), stage("write", 0.003, 0.3)),
}


def searched(
    machine: Simulated, *, believed: tuple[Cost, ...] | None = None, seconds: float = SECONDS
) -> tuple[Search, Setting]:
    model = Model(believed or machine.steps, machine.cores)
    search = Search(model, machine.measure, machine.clock, machine.now + seconds)
    setting = search.run()
    assert setting is not None
    return search, setting


def best_rate(machine: Simulated) -> float:
    """The highest true rate on the whole grid."""
    model = Model(machine.steps, machine.cores)
    values = [
        [n for n in LADDER if n <= model.cap(place)]
        if place in model.tuned
        else [model.ones[place]]
        for place in range(len(machine.steps))
    ]
    return max(map(machine.true_rate, itertools.product(*values)))


@pytest.mark.parametrize("cores", [1.0, 2.0, 8.0])
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_setting_is_within_five_per_cent_of_the_best_grid_point(
    name: str, cores: float
) -> None:
    machine = Simulated(WORKLOADS[name], cores, crowding=0.02)
    _, setting = searched(machine)
    assert machine.true_rate(setting) >= 0.95 * best_rate(machine)


@pytest.mark.parametrize("seed", range(20))
def test_it_still_is_when_windows_are_noisy(seed: int) -> None:
    for name, steps in WORKLOADS.items():
        machine = Simulated(steps, 2.0, noise=0.02, crowding=0.02)
        machine.random.seed(seed)
        _, setting = searched(machine)
        assert machine.true_rate(setting) >= 0.95 * best_rate(machine), name


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_it_still_is_when_the_sampled_costs_mislead(factor: float) -> None:
    for name, steps in WORKLOADS.items():
        machine = Simulated(steps, 2.0)
        first = steps[0]
        wrong = stage(first.name, first.seconds * factor, first.share, kind=first.kind)
        _, setting = searched(machine, believed=(wrong, *steps[1:]))
        assert machine.true_rate(setting) >= 0.95 * best_rate(machine), name


def test_the_smaller_of_two_equal_settings_is_kept() -> None:
    machine = Simulated((stage("augment", 0.005, gil_bound=True),), 8.0)
    # The model does not know of the GIL and proposes eight threads and more.
    _, setting = searched(machine, believed=(stage("augment", 0.005),))
    assert setting[0] <= 2


def test_workers_that_are_idle_are_taken_away() -> None:
    steps = (stage("fetch", 0.020, 0.0, kind="coroutine"), stage("decode", 0.010))
    machine = Simulated(steps, 2.0)
    believed = (stage("fetch", 0.200, 0.0, kind="coroutine"), stage("decode", 0.010))
    _, setting = searched(machine, believed=believed)
    assert setting[0] <= 8  # 200 items/s need 4, not the 40 that the model believes


def test_every_comparison_is_made_when_there_is_time() -> None:
    search, _ = searched(Simulated(WORKLOADS["computes"], 2.0))
    assert search.settled


@pytest.mark.parametrize("seconds", [0.1, 1.0, 3.0, 10.0])
def test_the_deadline_is_overrun_by_no_more_than_the_windows_in_progress(seconds: float) -> None:
    for steps in WORKLOADS.values():
        machine = Simulated(steps, 2.0, noise=0.2)
        search, setting = searched(machine, seconds=seconds)
        assert machine.now <= seconds + 2 * machine.window
        assert setting in search.tried


def test_a_search_without_time_says_that_it_is_not_settled() -> None:
    search, _ = searched(Simulated(WORKLOADS["three"], 2.0, noise=0.2), seconds=2.0)
    assert not search.settled


def test_no_setting_is_tried_that_does_not_fit() -> None:
    steps = (stage("decode", 0.010, nbytes=1_000_000),)
    machine = Simulated(steps, 8.0)
    model = Model(steps, 8.0, memory=6_000_000)
    search = Search(model, machine.measure, machine.clock, SECONDS)
    assert search.run() == (3,)
    assert all(model.fits(setting) for setting in search.tried)


def test_no_thread_is_tried_beyond_the_cores_that_were_asked_for() -> None:
    steps = (stage("read", 0.010, 0.0), stage("decode", 0.010, 0.98))
    machine = Simulated(steps, 8.0)  # it has more
    model = Model(steps, 2.0, strict=True)
    search = Search(model, machine.measure, machine.clock, SECONDS)
    setting = search.run()
    assert setting is not None
    assert setting[1] == 2
    assert all(tried[1] <= 2 for tried in search.tried)


def test_no_setting_is_found_where_none_fits() -> None:
    steps = (stage("decode", 0.010, nbytes=1_000_000),)
    machine = Simulated(steps, 8.0)
    search = Search(Model(steps, 8.0, memory=1), machine.measure, machine.clock, SECONDS)
    assert search.run() is None
    assert machine.windows == 0


def test_a_stage_with_a_number_keeps_it() -> None:
    machine = Simulated((stage("read", 0.004, 0.0, concurrency=7), stage("decode", 0.004)), 4.0)
    search, setting = searched(machine)
    assert {tried[0] for tried in search.tried} == {7}
    assert setting[0] == 7


simulated_stages = st.builds(
    stage,
    st.just("s"),
    st.floats(1e-4, 0.05),
    st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    kind=st.just("function"),
)


@settings(deadline=None)
@given(st.lists(simulated_stages, min_size=1, max_size=3), st.sampled_from([1.0, 2.0, 4.0]))
def test_any_pipeline_is_tuned_to_within_five_per_cent(steps: list[Cost], cores: float) -> None:
    if not any(step.cpu for step in steps):
        steps[0] = stage("s", 0.01)
    machine = Simulated(named(steps), cores)
    _, setting = searched(machine, seconds=120)
    assert machine.true_rate(setting) >= 0.95 * best_rate(machine)
    assert not math.isnan(machine.now)
