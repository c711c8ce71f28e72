"""Interrupted runs go on where they stopped, with what was described, in whole blocks."""

from __future__ import annotations

import copy
import json
import signal

import pytest

from ftloader.errors import DataError
from ftloader.lab import experiment, results, resume
from ftloader.lab.arms import Arm
from ftloader.lab.cells import key_of, plan

from .interrupting import HERE, Runs, lines_of

TINY, COSTS, TRIALS = (str(HERE / name) for name in ("tiny.py", "tiny_costs.py", "tiny_trials.py"))
SCALING = [TINY, "--images", "2", "--threads", "1,2", "--blocks", "1", "--gil", "on"]
COSTING = [COSTS, "--images", "2", "--cells", "once", "--quick", "--blocks", "2", "--gil", "on"]
TRYING = [TRIALS, "--images", "2", "--blocks", "2", "--gil", "on", "--contenders", "single"]
TRYING += ["--cells", "count_1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("resume"))


@pytest.fixture(scope="module")
def stopped(runs):
    """Return a run that Ctrl-C ended inside its block, and what it said."""
    out = runs.folder / "stopped"
    return out, runs.interrupt(signal.SIGINT, 4, out, *SCALING)


@pytest.fixture(scope="module")
def continued(runs, stopped):
    """Return its bytes when it was interrupted, and the folder in which it went on."""
    before = (stopped[0] / "results.jsonl").read_bytes()
    folder = runs.folder / "continued"
    folder.mkdir()
    (folder / "results.jsonl").write_bytes(before)
    done = runs.run(*SCALING, "--continue", str(folder))
    assert done.returncode == 0, done.stderr
    return before, folder


def planned(file):
    """Return the keys of the processes of an uninterrupted run, in order."""
    run = file.header["run"]
    arms = [Arm.from_json(one) for one in file.header["arms"]]
    counts = (run["threads"], run["oversubscribed"], run["blocks"], run["seed"])
    return [(cell.key, cell.order) for cell in plan(experiment.load(TINY), arms, *counts)]


def test_ctrl_c_says_how_to_go_on(stopped):
    assert f"--continue {stopped[0]}" in stopped[1]
    assert results.read(stopped[0]).status == "interrupted"


def test_a_run_that_went_on_has_each_process_of_an_uninterrupted_one(continued):
    file = results.read(continued[1])
    found = {key_of(record): tuple(record["order"]) for record in file.processes}
    # A refused sample may stand twice; the plan has it once.
    assert list(found.items()) == planned(file)
    assert len(file.references) == 1
    assert (file.status, len(file.resumes)) == ("complete", 1)


def test_what_was_measured_stays_and_a_block_that_was_cut_in_two_is_repeated(continued):
    before, folder = continued
    assert (folder / "results.jsonl").read_bytes().startswith(before)
    lines = lines_of(folder)
    place = next(i for i, line in enumerate(lines) if line["kind"] == "resume")
    first = {key_of(line) for line in lines[:place] if line.get("role") == "measure"}
    again = {key_of(line) for line in lines[place:] if line.get("role") == "measure"}
    every = {key for key, _ in planned(results.read(folder))}
    cut = {key[0] for key in every - first} & {key[0] for key in first}
    assert lines[place]["repeated"] == sorted(cut)
    assert again == {key for key in every if key[0] in cut or key not in first}
    superseded = results.read(folder).superseded
    assert {key_of(record) for record in superseded} == {key for key in first if key[0] in cut}
    assert lines[place]["superseded"] == len(superseded)


def test_the_report_says_that_it_was_continued_and_what_does_not_count(continued):
    text = (continued[1] / "report.md").read_text(encoding="utf-8")
    assert "interrupted and continued once (" in text
    assert results.read(continued[1]).superseded
    assert "was measured again as a whole" in text


def test_a_killed_run_goes_on_after_its_torn_line_as_if_nothing_had_happened(runs):
    out = runs.folder / "killed"
    runs.interrupt(signal.SIGKILL, 2, out, *COSTING)
    with (out / "results.jsonl").open("ab") as file:
        file.write(b'{"kind": "process", "role": "meas\xc3')
    again = runs.run(*COSTING, "--continue", str(out))
    assert again.returncode == 0, again.stderr
    whole = runs.run(*COSTING, "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    one, other = results.read(out), results.read(runs.folder / "whole")
    assert [(r["block"], r["arm"], r["position"], r["order"]) for r in one.processes] == [
        (r["block"], r["arm"], r["position"], r["order"]) for r in other.processes
    ]
    assert (one.status, len(one.resumes), len(one.superseded)) == ("complete", 1, 0)
    assert one.resumes[0]["after"] == "cut off without a last line"


def test_trials_go_on_too(runs):
    out = runs.folder / "trials"
    runs.interrupt(signal.SIGTERM, 4, out, *TRYING)
    assert results.read(out).end["reason"] == "SIGTERM"
    done = runs.run(*TRYING, "--continue", str(out))
    assert done.returncode == 0, done.stderr
    file = results.read(out)
    found = {(one["block"], one["contender"]) for one in file.processes}
    assert found == {(block, name) for block in (0, 1) for name in ("", "single")}
    assert (file.status, len(file.resumes)) == ("complete", 1)
    # Block 0 was whole by then, even if a disturbed trial had been tried again.
    lines = lines_of(out)
    place = next(i for i, line in enumerate(lines) if line["kind"] == "resume")
    assert {line["block"] for line in lines[place:] if line["kind"] == "process"} == {1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--blocks", "3"], "run.blocks was 1, is 3"),
        (["--cpus", "all"], "machine.cpus"),
        (["--out", "elsewhere"], "leave --out away"),
    ],
)
def test_a_run_that_is_described_differently_is_refused_in_one_line(runs, stopped, words, said):
    if words == ["--cpus", "all"]:
        lines = lines_of(stopped[0])
        lines[0]["machine"]["cpus"] = [1000]
        folder = runs.folder / "other set"
        folder.mkdir()
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "results.jsonl").write_text(text, encoding="utf-8")
    else:
        folder = stopped[0]
    before = (folder / "results.jsonl").read_bytes()
    done = runs.run(*SCALING, *words, "--continue", str(folder))
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert (folder / "results.jsonl").read_bytes() == before


def test_a_complete_run_is_refused(runs, continued):
    done = runs.run(*SCALING, "--continue", str(continued[1]))
    assert done.returncode == 2
    assert "that run is complete; there is nothing to go on with" in done.stderr


def test_a_failed_run_is_refused_with_its_reason(continued):
    file = results.read(continued[1])
    failed = results.ResultFile(file.header, (), (), {"status": "failed", "reason": "planted"})
    with pytest.raises(DataError, match=r"that run failed \(planted\)"):
        resume.require_interrupted(failed, "here")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("run", "source_digest"), "0", "ftloader's source was"),
        (("run", "experiment_digest"), "0", "the experiment's own code was"),
        (("run", "seed"), 8, "run.seed was 8, is 20261121"),
        (("run", "mode"), "full", 'run.mode was "full", is "quick"'),
        (("run", "threads"), [1], "run.threads was [1], is [1, 2]"),
        (("run", "settings", "window"), 9.0, "run.settings.window was 9.0, is 0.15"),
        (("data", "digest"), "0", "the images was"),
        (("arms", 0, "version"), "3.11.0", 'version was "3.11.0", is'),
        (("arms", 0, "flags", "pgo"), "perhaps", 'flags.pgo was "perhaps", is'),
        (("environments",), None, "environments was not recorded, is"),
        (("experiment", "workloads", 0, "about"), "other work", 'about was "other work", is'),
        (("machine", "kernel"), "Linux 1.0", "machine.kernel was"),
    ],
)
def test_everything_that_was_described_is_compared(stopped, path, value, said):
    file = results.read(stopped[0])
    header = copy.deepcopy(dict(file.header))
    now = copy.deepcopy(header)
    at = header
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    other = results.ResultFile(header, (), (), None)
    resume.require_same(file, now, "here")
    with pytest.raises(DataError, match="not the same run") as caught:
        resume.require_same(other, now, "here")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_block_is_incomplete_when_it_was_begun_and_something_is_missing():
    def processes(*keys):
        return tuple({"block": block, "arm": arm} for block, arm in keys)

    def key(record):
        return (record["block"], record["arm"])

    every = [(block, arm) for block in range(3) for arm in "ab"]
    for recorded, expected in [
        ([], []),
        (every[:1], [0]),
        (every[:2], []),
        (every[:3], [1]),
        (every, []),
    ]:
        file = results.ResultFile({}, processes(*recorded), (), None)
        assert resume.incomplete(file, every, key) == expected


def test_a_run_may_be_continued_more_than_once(stopped, tmp_path):
    lines = lines_of(stopped[0])
    extra = {"kind": "resume", "moment": "later", "repeated": [0], "superseded": 2}
    path = tmp_path / results.FILE_NAME
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, extra, extra]), "utf-8")
    file = results.read(path)
    assert (len(file.resumes), file.status) == (2, "interrupted")
    assert "continued 2 times (later, later)" in resume.said(file)
    assert not file.processes
    assert len(file.superseded) >= 1


def test_two_processes_cannot_continue_one_run_at_once(stopped):
    path = stopped[0] / results.FILE_NAME
    with (
        results.Writer(path, resume=True),
        pytest.raises(DataError, match="another process is writing to it"),
    ):
        results.Writer(path, resume=True)
