"""``python -m ftloader.lab``: experiments of any form, in scripts and in modules of anybody's."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from ftloader import lab
from ftloader.errors import DataError, MeasurementError
from ftloader.lab import cli, experiment, recording, results, where
from ftloader.lab.costs import describe as costs
from ftloader.lab.trials import describe as trials

from .interrupting import HERE, Runs

DOC = HERE.parents[1] / "docs" / "laboratory.md"
NEEDS_SOURCE = pytest.mark.skipif(not DOC.is_file(), reason="needs the repository's docs")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    made = Runs(tmp_path_factory.mktemp("command"))
    for name in ("tiny_costs.py", "tiny_trials.py"):
        shutil.copy(HERE / name, made.folder / f"my_{name}")
    (made.folder / "broken.py").write_text("import nothing_like_this\n", encoding="utf-8")
    (made.folder / "other.py").write_text("something = 3\n", encoding="utf-8")
    return made


def measured(runs, *words):
    """Run an experiment with one block on this interpreter; return what it wrote."""
    name = words[0].replace(":", "-")
    # With few pairs, a control may fail on a busy machine: then it is right to refuse the run.
    for attempt in range(3):
        out = runs.folder / f"{name}-{attempt}"
        few = ("--images", "2", "--blocks", "1", "--gil", "on", "--out", str(out))
        done = runs.run("-m", "ftloader.lab", "run", *words, *few)
        if "no number of this run can be believed" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    assert (out / "report.md").is_file()
    return results.read(out)


@NEEDS_SOURCE
def test_the_shortest_example_of_the_docs_runs(runs):
    (code,) = re.findall(r"```python\n(import io\n.*?)```", DOC.read_text("utf-8"), re.DOTALL)
    (runs.folder / "mine.py").write_text(code, encoding="utf-8")
    file = measured(runs, "mine:experiment", "--threads", "1,2")
    assert file.header["run"]["command"].startswith("python -m ftloader.lab run mine:experiment")
    assert {one["name"] for one in file.header["experiment"]["controls"]} == {
        "ceiling",
        "contention",
    }
    assert set(file.processes[0]["workloads"]) == {"mine"}


def test_costs_are_measured_from_a_module(runs):
    file = measured(runs, "my_tiny_costs:EXPERIMENT", "--cells", "once", "--quick")
    assert (file.header["form"], set(file.processes[0]["cells"])) == ("costs", {"once"})


def test_trials_are_measured_from_a_module_whose_attribute_need_not_be_named(runs):
    words = ["my_tiny_trials:", "--cells", "count_1", "--contenders", "single"]
    file = measured(runs, *words)
    assert file.header["form"] == "trials"
    assert {one["contender"] for one in file.processes} == {"", "single"}


def test_without_arguments_it_lists_what_it_can_do(capsys):
    assert cli.main([]) == 2
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name}" in said for name in cli.COMMANDS)
    assert cli.main(["run"]) == 2
    assert "module:attribute" in capsys.readouterr().out


def test_help_names_the_command_that_was_typed(runs):
    done = runs.run("-m", "ftloader", "lab", "run", "my_tiny_costs:EXPERIMENT", "--help")
    assert done.returncode == 0
    assert "usage: python -m ftloader.lab run my_tiny_costs:EXPERIMENT" in done.stdout
    assert "--continue DIR" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["measure"], "there is no command 'measure'; choose one of run"),
        (["run", "nowhere.py"], "nowhere.py is not a Python file"),
        (["run", "not/there.py"], "not/there.py is not a Python file"),
        (["run", "no_such_module:x"], "No module named 'no_such_module'"),
        (["run", "broken:x"], "ModuleNotFoundError: No module named 'nothing_like_this' (broken"),
        (["run", "my_tiny_costs:nothing"], "my_tiny_costs:nothing defines no nothing"),
        (["run", "other"], "other defines no EXPERIMENT"),
        (["run", "other:something"], "other:something is no experiment (Experiment, Cost"),
        (["run", "two words"], "neither a script (run.py) nor module:attribute"),
        (["run", "my_tiny_costs:EXPERIMENT", "--nonsense"], "unrecognized arguments"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_exit_2(runs, monkeypatch, capsys, words, said):
    monkeypatch.chdir(runs.folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_each_form_is_loaded_from_a_script_and_from_a_module(monkeypatch):
    monkeypatch.chdir(HERE.parents[1])
    monkeypatch.setattr(sys, "path", [*sys.path])
    for load, name, known in [
        (experiment.load, "tiny", "tiny"),
        (costs.load, "tiny_costs", "tiny-costs"),
        (trials.load, "tiny_trials", "tiny-trials"),
    ]:
        assert load(HERE / f"{name}.py").name == known
        assert load(f"tests.lab.{name}:EXPERIMENT").name == known
    with pytest.raises(MeasurementError, match="defines no Experiment; see experiments/scaling"):
        experiment.load(HERE / "tiny_costs.py")


def test_the_digest_follows_the_experiments_own_code_and_what_it_imports_beside_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "path", [*sys.path])
    script = tmp_path / "run.py"
    script.write_text("import part_of_it\nEXPERIMENT = part_of_it.VALUE\n", encoding="utf-8")
    (tmp_path / "part_of_it.py").write_text("VALUE = 1\n", encoding="utf-8")
    assert where.load(str(script)) == 1
    first = where.digest(str(script))
    assert where.digest(str(script)) == first
    (tmp_path / "unrelated.py").write_text("VALUE = 2\n", encoding="utf-8")
    assert where.digest(str(script)) == first
    (tmp_path / "part_of_it.py").write_text("VALUE = 3\n", encoding="utf-8")
    assert where.digest(str(script)) != first
    del sys.modules["part_of_it"]


def test_an_error_in_a_module_names_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    script = tmp_path / "wrong.py"
    script.write_text("\nEXPERIMENT = 1 / 0\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"ZeroDivisionError: .* \(wrong\.py, line 2\)"):
        where.load(str(script))


@pytest.mark.parametrize(
    ("script", "words", "typed"),
    [
        ("/home/me/experiments/scaling/run.py", [], "python experiments/scaling/run.py"),
        ("/home/me/run.py", ["--data", "/home/me/coco"], "python run.py --data coco"),
        ("mine:it", ["--interpreter", "/a/python"], "python -m ftloader.lab run mine:it "
         "--interpreter 3.13t"),
        ("mine:it", ["--interpreter=/a/python", "--out=/tmp/x"],
         "python -m ftloader.lab run mine:it --interpreter=3.13t --out=x"),
    ],
)  # fmt: skip
def test_the_recorded_command_has_no_path_of_the_machine(script, words, typed):
    assert recording.typed(script, words, {"3.13t GIL off": Path("/a/python")}) == typed


def test_an_experiment_of_a_pipeline_has_both_controls_and_words_for_its_report():
    made = lab.of_pipeline("mine", lambda inputs: [1], lambda source, threads: None)
    made.require_controls()
    assert made.question.endswith("?")
    assert (made.workloads[0].title, made.workloads[0].unit) == ("mine", "items")
