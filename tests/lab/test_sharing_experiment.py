"""The sharing experiment's own parts: patterns do what they are called, and lose nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ftloader import lab
from ftloader.errors import DigestError
from ftloader.lab import controls
from ftloader.lab.trials import describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "sharing" / "run.py"
EXPERIMENT = describe.load(SCRIPT)

from sharing_parts import expected, ladder, pattern  # noqa: E402 (the loader made them importable)

LADDER = {one.name: one for one in ladder.LADDER}
NO_INPUTS = lab.Inputs((), (), seed=1)
TINY = {"threads": 2, "pairs": 1, "window": 0.001}


@pytest.fixture
def crowded(monkeypatch):
    """Have one core: with more threads than cores no sample is refused, however busy it is."""
    monkeypatch.setattr(pattern.runtime, "usable_cores", lambda: 1)


def test_it_is_sound_and_begins_where_nothing_is_shared():
    EXPERIMENT.require_sound()
    assert EXPERIMENT.contenders[0].name == EXPERIMENT.cells[0].baseline == "arithmetic"
    assert {cell.settings["threads"] for cell in EXPERIMENT.cells} >= {2, 4, 8, 16}


def test_every_rule_has_its_good_and_its_bad_pattern():
    assert {good for good, *_ in expected.RULES} <= LADDER.keys()
    assert {bad for _, bad, *_ in expected.RULES} <= set(expected.CONTENDS) <= LADDER.keys()


@pytest.mark.parametrize("name", LADDER)
def test_every_pattern_is_measured_and_leaves_no_thread(crowded, name):
    before = threading.enumerate()
    (contender,) = (one for one in EXPERIMENT.contenders if one.name == name)
    values = contender.run(NO_INPUTS, TINY).values
    assert values.keys() == {metric.name for metric in EXPERIMENT.metrics}
    assert values["refused"] == 0
    assert min(values["speedup"], values["rate"], values["ns"]) > 0
    assert threading.enumerate() == before


@pytest.mark.parametrize("name", LADDER)
def test_every_pattern_ends_and_loses_nothing_on_many_threads(name):
    pattern.verify(LADDER[name], threads=8)


def test_a_pattern_that_loses_updates_is_refused():
    def count(shared, steps):
        shared.count += steps - 1

    bad = pattern.Pattern("bad", "loses", count, ladder.Counter, check=ladder.counted)
    with pytest.raises(DigestError, match="'bad': 2 threads lost something"):
        pattern.verify(bad, 2)


def test_who_waits_for_locks_is_not_asked_to_run_all_the_time(monkeypatch):
    monkeypatch.setattr(pattern.runtime, "usable_cores", lambda: 4)
    assert pattern.gate(LADDER["list"], 4) == "ran"
    assert pattern.gate(LADDER["counter"], 4) == "overlapped"
    assert pattern.gate(LADDER["list"], 5) == "nothing"


def test_a_trial_of_which_every_pair_was_refused_has_no_speedup_and_says_so(monkeypatch):
    found = {"ratio": None, "one": None, "many": None, "refused": 50}
    monkeypatch.setattr(controls, "measure", lambda *_, **__: found)
    outcome = pattern.measure(LADDER["list"], 2, 5, 0.0)
    assert outcome.values == {"refused": 50}
    assert "all 50 pairs were refused" in outcome.notes[0]


def test_equal_windows_give_many_threads_the_work_of_a_window_and_no_more():
    control = controls.Control("tiny", lambda: None, ladder.call_global, "")
    found = controls.measure(control, 2, 1, False, gate="nothing", window=0.001, equal_windows=True)
    assert found["refused"] == 0
    assert found["ratio"] == pytest.approx(found["many"] / found["one"])


@pytest.mark.parametrize(
    ("cores", "cells"), [(1, [2]), (2, [2, 4]), (6, [2, 4, 8]), (16, [2, 4, 8, 16, 32])]
)
def test_one_cell_with_more_threads_than_cores_stays_and_nothing_is_claimed_of_it(cores, cells):
    fitting = _script().fitting(EXPERIMENT, cores)
    assert [cell.settings["threads"] for cell in fitting.cells] == cells
    claimed = {int(one.cell.removeprefix("threads_")) for one in fitting.hypotheses}
    assert claimed == {count for count in (2, 4) if count <= cores}
    fitting.require_sound()


def _script():
    import importlib.util

    spec = importlib.util.spec_from_file_location("sharing_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
