"""A candidate is believed only for what it answers when it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from interpreters import probe
from interpreters.table import Interpreter

from ftloader.runtime import free_threaded_build

from .conftest import Script


def test_a_real_interpreter_tells_its_version_and_build() -> None:
    found = probe.ask(sys.executable, "here")
    assert isinstance(found, probe.Found)
    assert found.version == tuple(sys.version_info[:3])
    assert found.free_threaded == free_threaded_build()
    assert found.implementation == "cpython"


def test_a_virtual_environment_leads_to_the_interpreter_behind_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(command, check=True)
    found = probe.ask(str(tmp_path / "venv/bin/python"), "here")
    assert isinstance(found, probe.Found)
    assert not found.path.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'pyenv: python3.12: command not found' >&2; exit 127", "fails with exit 127"),
        ("echo Python 3.12.1", "does not answer as Python does"),
        ("echo 'ftloader-probe:[]'; exit 3", "fails with exit 3"),
    ],
)
def test_what_does_not_answer_as_python_is_a_reason(
    tmp_path: Path, script: Script, text: str, reason: str
) -> None:
    assert probe.ask(str(script(tmp_path / "python3", text)), "here") == reason


def test_a_candidate_that_never_answers_is_given_up_with_its_children(
    tmp_path: Path, script: Script
) -> None:
    # The child holds the output open: this returns only because it was ended too.
    hang = script(tmp_path / "python3", "sleep 1000 &\nwait\n")
    assert probe.ask(str(hang), "here", timeout=0.2) == "no answer within 0.2 s"


def test_a_file_that_cannot_start_is_a_reason(tmp_path: Path) -> None:
    assert probe.ask(str(tmp_path / "none"), "here") == "No such file or directory"


@pytest.mark.parametrize(
    ("version", "free_threaded", "release", "implementation", "reason"),
    [
        ((3, 13, 5), True, True, "cpython", None),
        ((3, 13, 5), False, True, "cpython", "is 3.13.5"),
        ((3, 14, 0), True, True, "cpython", "is 3.14.0t"),
        ((3, 13, 0), True, False, "cpython", "is a pre-release of 3.13.0t"),
        ((3, 13, 5), True, True, "pypy", "is pypy, not CPython"),
    ],
)
def test_only_a_released_cpython_of_the_version_and_build_matches(
    version: tuple[int, int, int],
    free_threaded: bool,
    release: bool,
    implementation: str,
    reason: str | None,
) -> None:
    found = probe.Found("/p", version, free_threaded, release, implementation, "here")
    assert probe.mismatch(found, Interpreter("3.13t", required=True)) == reason
