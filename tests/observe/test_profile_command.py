"""``python -m ftloader profile``, run as its user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ftloader

MODULE = """
import itertools, os, signal
from ftloader import Pipeline

def double(x): return 2 * x
def fails(x): return 1 / 0
def interrupts(x):
    if x == 1000:
        os.kill(os.getpid(), signal.SIGINT)
    return x

pipeline = Pipeline(range(1000)).pipe(double, concurrency=2)
endless = Pipeline(itertools.count).pipe(double)
interrupted = Pipeline(itertools.count).pipe(interrupts)
failing = Pipeline(range(9)).pipe(fails)
def make(): return pipeline
def needs(x): return pipeline
class Here:
    made = staticmethod(make)
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "broken.py").write_text("import nothing_of_the_kind", encoding="utf-8")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)", encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(ftloader.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "ftloader", "profile", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source},
    )


@pytest.mark.parametrize("name", ["pipeline", "make", "Here.made"])
def test_it_profiles_a_pipeline_or_what_makes_one(folder: Path, name: str) -> None:
    done = run(folder, f"train:{name}", "--seconds", "60")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["stage", "source", "double", "reader:"]
    assert "1,000 items" in lines[3]
    assert done.stderr == f"profiling train:{name} for up to 60 s; Ctrl-C ends it sooner\n"


def test_limits_and_files(folder: Path) -> None:
    arguments = ["--seconds", "60", "--items", "50", "--trace", "t.json", "--json", "f.json"]
    done = run(folder, "train:endless", *arguments)
    assert done.returncode == 0, done.stderr
    figures = json.loads((folder / "f.json").read_text(encoding="utf-8"))
    assert (figures["ended"], figures["stats"]["delivered"]) == ("items", 50)
    assert json.loads((folder / "t.json").read_text(encoding="utf-8"))["traceEvents"]
    assert run(folder, "train:endless", "--seconds", "0.05").returncode == 0


def test_ctrl_c_prints_what_was_measured_so_far(folder: Path) -> None:
    done = run(folder, "train:interrupted", "--seconds", "60")
    assert done.returncode == 130
    assert "engine threads, until interrupted" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_failing_pipeline_is_an_error_of_one_line(folder: Path) -> None:
    done = run(folder, "train:failing")
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "ftloader: stage 'fails' failed on item 0 (0): ZeroDivisionError: division by zero"
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["train"], "'train' is not of the form module:pipeline"),
        (["absent:pipeline"], "module 'absent' cannot be imported"),
        (["broken:pipeline"], "No module named 'nothing_of_the_kind'"),
        (["leaves:pipeline"], "module 'leaves' cannot be imported: SystemExit: 3"),
        (["train:absent"], "module 'train' has no attribute 'absent'"),
        (["train:number"], "train:number is int, not a Pipeline"),
        (["train:needs"], "train:needs() failed: TypeError"),
        (["train:double"], "train:double() failed: TypeError"),
        (["train:pipeline", "--seconds", "0"], "--seconds"),
        (["train:pipeline", "--items", "none"], "--items"),
        (["train:pipeline", "--engine", "warp"], "--engine"),
        (["train:pipeline", "--trace", "absent/t.json"], "there is no folder 'absent'"),
        ([], "required"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    folder: Path, arguments: list[str], text: str
) -> None:
    done = run(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ftloader: profile: ")
    assert text in line


def test_help_names_every_option(folder: Path) -> None:
    done = run(folder, "--help")
    assert done.returncode == 0
    assert all(f"--{option}" in done.stdout for option in ("seconds", "items", "trace", "json"))
