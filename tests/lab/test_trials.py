"""Trial experiments run for real, with planted faults: what is refused, and what is a result."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ftloader.errors import MeasurementError
from ftloader.lab import report, results
from ftloader.lab.arms import probe
from ftloader.lab.trials import describe, main, run, worker

from .calling import called

TINY = Path(__file__).with_name("tiny_trials.py")
ONE = ("--blocks", "1", "--quick")


def call(folder, *arguments, fault=""):
    return called(TINY, folder, "--gil", "on", *arguments, fault=fault)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trials")


@pytest.fixture(scope="module")
def finished_trials(folder):
    done = call(folder, *ONE, "--cells", "count_1,alone,faults", "--out", "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def file(finished_trials):
    return results.read(finished_trials)


def processes(file):
    return [(one["cell"], one["contender"]) for one in file.processes]


def test_every_trial_has_a_process_of_its_own_and_so_have_the_controls(file):
    assert file.status == "complete"
    assert file.header["form"] == "trials"
    trials = {("", ""), ("alone", "alone")}
    trials |= {("count_1", name) for name in ("single", "double", "peer")}
    assert trials <= set(processes(file))
    controls = [one for one in file.processes if not one["cell"]]
    assert [sorted(one["controls"]) for one in controls] == [["ceiling", "contention"]]
    assert all(one["controls"] == {} for one in file.processes if one["cell"])


def test_a_trial_has_its_values_digest_points_notes_and_cpu_time(file):
    found = next(
        one["trial"]
        for one in file.processes
        if (one["cell"], one["contender"]) == ("count_1", "double")
    )
    assert found["values"] == {"steps": 2000.0}
    assert found["digest"] == str(sum(range(1000)))
    assert len(found["points"]["steps"]) == describe.MOST_POINTS
    assert (found["points"]["steps"][0], found["points"]["steps"][-1]) == (0.002, 1.0)
    assert found["notes"] == ["It counted twice."]
    assert found["seconds"] >= 0
    assert found["cpu_seconds"] >= 0


def test_what_cannot_be_imported_is_recorded_once_and_not_started_again(file):
    (found,) = (one for one in file.processes if one["contender"] == "absent")
    why = "ModuleNotFoundError: No module named 'no_such_module'"
    assert found["trial"] == {"missing": why}


def test_a_contender_for_other_arms_is_not_started(file):
    assert "free" not in {name for _, name in processes(file)}


def test_no_path_of_this_machine_is_in_a_result_file(finished_trials):
    text = (finished_trials / "results.jsonl").read_text(encoding="utf-8")
    assert str(TINY.parent) not in text
    assert sys.prefix not in text


def test_the_same_file_gives_the_same_report_which_asks_the_network_for_nothing(
    finished_trials, tmp_path
):
    assert report.main([str(finished_trials), "--out", str(tmp_path)]) == 0
    for name in ("index.html", "report.md"):
        assert (tmp_path / name).read_bytes() == (finished_trials / name).read_bytes()
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert not re.search(r"@import|url\((?!#)", page)
    assert "Tiny trials &amp; &lt;more&gt;" in page
    assert "Smoke run." in page


@pytest.mark.parametrize(
    ("contender", "how", "words"),
    [
        ("crash", "died of signal 11", ""),
        ("fail", "ended with exit code 1", "RuntimeError: no luck in tiny_trials.py"),
    ],
)
def test_that_others_code_fails_is_a_result(file, finished_trials, contender, how, words):
    (failed,) = (one for one in file.failures if one["contender"] == contender)
    assert failed["trial"]["failed"] == how
    assert words in (*failed["trial"]["words"], "")
    text = (finished_trials / "report.md").read_text(encoding="utf-8")
    assert f"| Faults | {failed['arm']} | 1 of 1 | {how}" in text


def test_that_others_code_hangs_is_a_result(folder, tmp_path):
    done = call(folder, *ONE, "--cells", "hanging", "--out", str(tmp_path / "run"), fault="hang")
    assert done.returncode == 0, done.stderr
    (failed,) = results.read(tmp_path / "run").failures
    # By itself at its deadline; on a busy machine it may be ended before it has got so far.
    assert failed["trial"]["failed"].startswith("hung ")


def test_what_a_contender_leaves_behind_is_ended_and_does_not_hold_up_its_trial(file):
    found = [one for one in file.processes if one["contender"] == "leave"]
    assert found  # with an answer; what was left behind would have slept for ten minutes
    for one in found:
        left = Path(f"/proc/{one['trial']['values']['steps']:.0f}/stat")
        # Where nobody waits for it, a process that was ended stays as a zombie.
        assert not left.exists() or left.read_text(encoding="ascii").split()[2] == "Z"


@pytest.mark.parametrize(
    ("fault", "cells", "contenders", "said"),
    [
        ("differs", "count_1", "single,peer", "cell 'count_1': the outputs of "),
        ("our crash", "alone", "alone", "our own fault"),
    ],
)
def test_a_run_that_must_not_be_believed_has_no_report(
    folder, tmp_path, fault, cells, contenders, said
):
    only = ("--cells", cells, "--contenders", contenders, "--out", str(tmp_path / "run"))
    done = call(folder, *ONE, *only, fault=fault)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "run" / "index.html").exists()


def test_an_experiment_without_a_control_is_refused(capsys):
    described = describe.load(TINY)
    assert main(dataclasses.replace(described, controls=described.controls[:1]), str(TINY), []) == 1
    assert "no contention control" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cells", "nothing"), "no cell 'nothing'; choose from count_1, count_2, alone"),
        (("--contenders", "who"), "no contender 'who'; choose from single, double, peer, absent"),
        (("--cells", "alone", "--contenders", "peer"), "none of the contenders asked for"),
    ],
)
def test_a_name_that_is_not_there_is_one_line_and_exit_2(capsys, arguments, said):
    assert main(describe.load(TINY), str(TINY), arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert said in err
    assert len(err.splitlines()) == 1


def test_cpu_time_of_the_processes_that_a_trial_starts_is_its_own():
    def outsource(inputs, settings):
        code = "import time\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-c", code], check=True)
        return describe.Outcome({"steps": 1.0})

    described = describe.load(TINY)
    contender = describe.Contender("one", "one", outsource)
    found = worker._measure(described, described.cells[0], contender, None)
    assert found["cpu_seconds"] >= 0.3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"unknown": 1.0}, "'x': the experiment has no metric 'unknown'"),
        ({"steps": float("nan")}, "'x': metric 'steps' has a value that is not finite"),
    ],
)
def test_a_value_that_no_trial_can_have_measured_is_refused(values, said):
    described = describe.load(TINY)
    contender = describe.Contender("x", "x", lambda *_: describe.Outcome(values))
    with pytest.raises(MeasurementError, match=said):
        worker._measure(described, described.cells[0], contender, None)


def bench(blocks=2):
    described = describe.load(TINY)
    return run.Bench(
        script=str(TINY),
        experiment=described,
        inputs=Path("inputs"),
        interpreters={},
        cells={"count_1": ("single", "free"), "alone": ("alone",)},
        blocks=blocks,
        seed=7,
        pairs=1,
    )


@functools.cache
def arms():
    (arm,) = (one for one in probe(Path(sys.executable)) if one.gil)
    return [arm, dataclasses.replace(arm, name="free", free_threaded=True, gil=False)]


def test_a_block_holds_every_trial_once_in_an_order_of_its_own():
    blocks = run.plan(bench(blocks=4), arms())
    on, off = (arm.name for arm in arms())
    wanted = [(name, "", "") for name in (on, off)]
    wanted += [(name, "count_1", "single") for name in (on, off)]
    wanted += [(name, "alone", "alone") for name in (on, off)]
    wanted += [(off, "count_1", "free")]
    orders = [[(one.arm.name, one.cell, one.contender) for one in block] for block in blocks]
    assert all(sorted(order) == sorted(wanted) for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert blocks == run.plan(bench(blocks=4), arms())


class Answers:
    """Answers like processes that had been run: with what one of them recorded."""

    def __init__(self, file, refusals):
        self.asked = []
        self._refusals = refusals
        self._trial = next(one for one in file.processes if "values" in one.get("trial", {}))
        self._controls = next(one for one in file.processes if not one["cell"])

    def __call__(self, interpreter, module, arm, text, deadline, where):
        job = json.loads(text)
        self.asked.append((job["cell"], job["order"][0] if job["cell"] else ""))
        if not job["cell"]:
            return {**self._controls, "arm": arm.name}
        busy = self.asked.count(self.asked[-1]) <= self._refusals
        trial = {**self._trial["trial"], "accepted": not busy}
        place = {"cell": job["cell"], "contender": job["order"][0], "arm": arm.name}
        return {**self._trial, **place, "trial": trial}


@pytest.fixture
def answered(file, tmp_path, monkeypatch):
    """Return a function that runs the bench on answers and tells what was asked and recorded."""

    def go(refusals, done=()):
        answers = Answers(file, refusals)
        monkeypatch.setattr(run, "ask", answers)
        one = dataclasses.replace(bench(blocks=1), interpreters={arms()[0].name: Path("python")})
        with results.Writer(tmp_path / f"{refusals}-{len(done)}" / "results.jsonl") as writer:
            writer.header(file.header)
            run.run(one, arms()[:1], writer, done)
            return answers.asked, results.read(writer.path)

    return go


def test_a_trial_on_a_busy_machine_is_tried_once_more_at_the_end_of_its_block(answered):
    asked, recorded = answered(1)
    assert sorted(asked[:3]) == [("", ""), ("alone", "alone"), ("count_1", "single")]
    assert sorted(asked[3:]) == [("alone", "alone"), ("count_1", "single")]
    tried = [one["trial"]["accepted"] for one in recorded.processes if one["cell"]]
    assert tried == [False, False, True, True]


def test_a_trial_that_is_refused_twice_is_not_tried_again(answered):
    asked, recorded = answered(9)
    assert len(asked) == 5
    assert not any(one["trial"]["accepted"] for one in recorded.processes if one["cell"])


def test_processes_that_were_recorded_before_are_not_run_again(answered):
    arm = arms()[0].name
    asked, _ = answered(0, done={(0, arm, "alone", "alone"), (0, arm, "", "")})
    assert asked == [("count_1", "single")]
