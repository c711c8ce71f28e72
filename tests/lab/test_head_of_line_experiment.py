"""The head-of-line experiment's own parts: every contender does the work, and is checked."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ftloader import lab
from ftloader.errors import DigestError
from ftloader.lab.reading import Reading, read, spread
from ftloader.lab.trials import describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "head_of_line" / "run.py"
EXPERIMENT = describe.load(SCRIPT)

from head_of_line_parts import work  # noqa: E402 (the loader made them importable)

NO_INPUTS = lab.Inputs((), (), seed=3)
TINY = {"factor": 10, "workers": 2, "groups": 4}
#: Of one set of items, by name, as each contender made it.
DIGESTS: dict[str, str] = {}


@pytest.fixture
def cheap(monkeypatch):
    monkeypatch.setattr(work, "ROUNDS", 20)


def test_it_is_sound_and_goes_from_one_worker_to_many():
    EXPERIMENT.require_sound()
    assert {cell.settings["factor"] for cell in EXPERIMENT.cells} == {1, 10, 100}
    assert {cell.x for cell in EXPERIMENT.cells} >= {1, 2, 4, 8, 16}


@pytest.mark.parametrize("factor", [10, 100])
def test_one_sample_in_each_hundred_is_slow_at_the_same_place_for_every_factor(factor):
    rounds = [cost for _, cost in work.items_of(10, factor, seed=3)]
    assert rounds.count(factor * work.ROUNDS) == 10
    assert rounds.count(work.ROUNDS) == 990
    slow = [place for place, cost in enumerate(rounds) if cost > work.ROUNDS]
    assert [place // 100 for place in slow] == list(range(10))
    other = work.items_of(10, 7, seed=3)
    assert slow == [place for place, cost in other if cost > work.ROUNDS]


@pytest.mark.parametrize("contender", EXPERIMENT.contenders, ids=lambda one: one.name)
def test_every_contender_returns_what_it_must_and_leaves_no_thread(cheap, contender):
    before = threading.enumerate()
    outcome = contender.run(NO_INPUTS, TINY)
    values = outcome.values
    assert values.keys() == {metric.name for metric in EXPERIMENT.metrics}
    assert values["rate"] > 0 < values["share"]
    assert 0 <= values["p50_ms"] <= values["p99_ms"] <= values["gap_ms"]
    assert 1 <= values["held"] <= 400
    assert len(outcome.points["p99_ms"]) == 200
    assert outcome.digest == DIGESTS.setdefault("tiny", outcome.digest)
    assert threading.enumerate() == before


def test_a_pool_holds_no_more_than_its_window(cheap):
    (pool,) = (one for one in EXPERIMENT.contenders if one.name == "pool_2")
    assert pool.run(NO_INPUTS, TINY).values["held"] <= 2 * TINY["workers"] + 1


def test_results_held_are_those_made_and_not_yet_read():
    bench = work.Bench(4)
    bench.made[:] = [1.0, 2.0, 9.0, 3.0]
    reading = Reading([(0, b""), (1, b""), (2, b""), (3, b"")], [0.0, 1.5, 3.5, 9.0, 9.5])
    assert bench.held(reading) == 2


@pytest.mark.parametrize("places", [[0, 1], [0, 2, 1], [0, 1, 1], [0, 1, 2, 2]])
def test_a_lost_doubled_or_displaced_result_is_refused(places):
    with pytest.raises(DigestError, match="in input order"):
        work.digest([(place, b"key") for place in places], 3, ordered=True)


def test_completion_order_allows_any_order_and_nothing_else():
    made = [(2, b"c"), (0, b"a"), (1, b"b")]
    assert work.digest(made, 3, ordered=False) == work.digest(sorted(made), 3, ordered=True)
    with pytest.raises(DigestError, match="in any order"):
        work.digest([(2, b"c"), (0, b"a"), (0, b"a")], 3, ordered=False)


def test_a_reading_knows_when_what_came_and_calls_once_midway():
    seen = []
    reading = read(iter("abcd"), 4, lambda: seen.append("midway"))
    assert (list(reading.items), seen) == (list("abcd"), ["midway"])
    assert len(reading.moments) == 5
    assert list(reading.moments) == sorted(reading.moments)
    known = Reading("abc", [0.0, 1.0, 1.5, 4.0])
    assert known.seconds(1, 3) == 3.0
    assert known.waits(1, 3) == [0.5, 2.5]
    assert spread([0.001] * 99 + [0.003])["gap_ms"] == pytest.approx(3)


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_cells_with_more_workers_than_cores_go_with_their_claims(cores):
    import importlib.util

    spec = importlib.util.spec_from_file_location("head_of_line_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fitting = module.fitting(EXPERIMENT, cores)
    assert max(cell.x for cell in fitting.cells) == cores
    fitting.require_sound()
    assert bool(fitting.hypotheses) == (cores >= 2)
