"""The regression guard: an earlier source beside this one, and what is called slower."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ftloader
from ftloader.errors import ArmError, DataError, MeasurementError
from ftloader.lab import arms
from ftloader.lab.guard import instructions, judge, main, runner, sources
from ftloader.lab.guard.runner import EARLIER, NOW, Plan, Taken

SOURCE = Path(ftloader.__file__).resolve().parents[1]
WORK = "hand_over_1"


@pytest.fixture(scope="module")
def arm():
    """This interpreter with the GIL on, where it has one to turn on."""
    return next(one for one in arms.probe(Path(sys.executable)) if one.gil)


def plan(arm, works=(WORK,), blocks=1, earlier=SOURCE):
    places = {EARLIER: earlier, NOW: SOURCE}
    return Plan([arm], {arm.name: Path(sys.executable)}, places, works, blocks, 1, 3)


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "src" / "ftloader").mkdir(parents=True)
    (folder / "experiments" / "guard").mkdir(parents=True)
    (folder / "src" / "ftloader" / "__init__.py").write_text("ONE = 1\n")
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "nobody")
    git(folder, "config", "user.email", "nobody@example.org")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "one")
    return folder


def test_an_earlier_source_is_taken_from_history(repository, tmp_path):
    written = repository / "src" / "ftloader" / "__init__.py"
    written.write_text("ONE = 2\n")
    commit, folder = sources.extract(repository, "HEAD", tmp_path / "earlier")
    assert len(commit) == 40
    assert (folder / "ftloader" / "__init__.py").read_text() == "ONE = 1\n"
    assert written.read_text() == "ONE = 2\n"


def test_a_baseline_is_the_commit_that_was_accepted(repository):
    with pytest.raises(DataError, match="--against"):
        sources.baseline(repository)
    commit = sources.accept(repository)
    assert sources.baseline(repository) == commit
    (repository / "src" / "ftloader" / "__init__.py").write_text("ONE = 2\n")
    with pytest.raises(DataError, match="not committed"):
        sources.accept(repository)


@pytest.mark.parametrize("where", ["no repository", "no such commit"])
def test_history_that_is_not_there_is_one_clear_line(repository, tmp_path, where):
    folder = tmp_path if where == "no repository" else repository
    with pytest.raises(DataError, match="its history") as caught:
        sources.extract(folder, "0123abc", tmp_path / "earlier")
    assert "\n" not in str(caught.value)


def test_both_sources_are_measured_in_every_block(arm):
    found = runner.run(plan(arm, (WORK, "planning"), blocks=2))
    assert sorted((one.block, one.source) for one in found) == [
        (block, source) for block in (0, 1) for source in (EARLIER, NOW)
    ]
    for one in found:
        assert set(one.works) == {WORK, "planning"}
        assert all(work["value"] > 0 for work in one.works.values())
    # A window holds the same work for both, and equal sources give equal outputs.
    assert len({(one.works[WORK]["amount"], one.works["planning"]["digest"]) for one in found}) == 1


def test_what_an_earlier_source_lacks_is_new_and_no_regression(arm, tmp_path):
    earlier = tmp_path / "src"
    shutil.copytree(SOURCE / "ftloader", earlier / "ftloader", ignore=lambda *_: ["__pycache__"])
    shutil.rmtree(earlier / "ftloader" / "batching")
    asked = plan(arm, ("planning",), earlier=earlier)
    (line,) = judge.lines(runner.run(asked), asked)
    assert (line.verdict, line.ratio) == (judge.NEW, None)
    assert not judge.worse([line], {})


def test_a_child_that_imports_another_source_is_refused(arm, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises((ArmError, MeasurementError), match=r"another ftloader|No module"):
        runner.run(plan(arm, earlier=tmp_path / "empty"))


def test_a_child_that_dies_is_named_with_its_last_words(arm, tmp_path):
    package = tmp_path / "src" / "ftloader"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('no such luck')\n")
    with pytest.raises(MeasurementError, match=r"earlier source, block 1: ended(.|\n)*luck"):
        runner.run(plan(arm, earlier=package.parent))


def taken(arm, ratio, blocks=12, noise=0.03, seed=0, digest="", works=(WORK,)):
    """Processes of a machine that drifts: a block's level moves both sources alike."""
    rng = np.random.default_rng(seed)
    found = []
    for block in range(blocks):
        level = np.exp(rng.normal(0, 0.3))
        for source, factor in ((EARLIER, 1.0), (NOW, ratio)):
            value = 1e-6 * level * factor * np.exp(rng.normal(0, noise))
            mark = digest if source == NOW else ""
            work = {"value": value, "amount": 1000, "digest": mark}
            found.append(Taken(arm.name, source, block, dict.fromkeys(works, work), block == 0))
    return found


def test_ten_per_cent_are_called_slower_and_make_the_check_fail(arm):
    (line,) = judge.lines(taken(arm, 1.10), plan(arm))
    assert line.verdict == "SLOWER"
    assert line.ratio.low < 1.10 < line.ratio.high
    assert judge.worse([line], {})
    assert f"| {WORK} | 1.1" in judge.table([line], {}, "0" * 40)


@pytest.mark.parametrize("ratio", [1.0, 0.8])
def test_as_fast_and_faster_are_not_called_slower(arm, ratio):
    (line,) = judge.lines(taken(arm, ratio), plan(arm))
    assert line.verdict == "no loss shown"
    assert not judge.worse([line], {})


def test_a_loss_that_so_few_blocks_could_not_show_is_not_taken_for_none(arm):
    (line,) = judge.lines(taken(arm, 1.5, blocks=5), plan(arm))
    assert line.verdict == "too few blocks"
    assert not judge.worse([line], {})


def test_sources_whose_outputs_differ_are_not_compared(arm):
    (line,) = judge.lines(taken(arm, 1.5, digest="other"), plan(arm))
    assert (line.verdict, line.ratio) == (judge.OTHER, None)


def test_disturbed_processes_are_counted_in_the_table(arm):
    lines = judge.lines(taken(arm, 1.0), plan(arm))
    assert "2 processes ran while others" in judge.table(lines, {}, "0" * 40)


@pytest.mark.parametrize(
    ("earlier", "now", "worse"),
    [
        ((100, 104, 102), (112, 111, 113), True),
        ((100, 104, 102), (105, 106, 105), False),  # apart, and within the margin
        ((100, 120, 102), (112, 119, 113), False),  # overlapping
    ],
)
def test_counts_are_worse_where_they_lie_apart_and_beyond_the_margin(arm, earlier, now, worse):
    count = instructions.Count(WORK, earlier, now)
    assert count.worse is worse
    assert judge.worse([], {arm.name: [count]}) is worse
    assert f"| {arm.name} | {WORK} |" in judge.table([], {arm.name: [count]}, "0" * 40)


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="Valgrind is not installed")
def test_valgrind_counts_instructions_and_tells_when_its_program_failed():
    words = [sys.executable, "-S", "-c"]
    assert instructions._instructions([*words, "pass"], {}) > 1_000_000
    with pytest.raises(MeasurementError, match="exit code 3"):
        instructions._instructions([*words, "raise SystemExit(3)"], {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--works", "nothing"], "there is no 'nothing'"),
        (["--blocks", "0"], "must be at least 1"),
        (["--interpreter", "/no/such/python"], "cannot be run"),
        (["--against", "no-such-commit", "--gil", "on"], "--against"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(words, said, capsys):
    assert main.main(words) == 2
    said_then = capsys.readouterr().err.strip().splitlines()
    assert said in said_then[-1]


def test_the_works_are_those_of_the_child():
    child = runner.CHILD.read_text(encoding="utf-8")
    places = [child.index(f'"{name}": lambda') for name in runner.WORKS]
    assert places == sorted(places)
    assert set(instructions.AMOUNTS) <= set(runner.WORKS)
