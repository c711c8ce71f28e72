"""The doctor's answers and the command line around it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ftloader import cli, doctor
from ftloader.runtime import free_threaded_build, gil_enabled, interpreter_name


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ftloader", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_the_doctor_reports_this_interpreter_and_every_section() -> None:
    done = run("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["Interpreter"]["name"].startswith(interpreter_name())
    assert facts["Interpreter"]["GIL"] == ("on" if gil_enabled() else "off")
    assert facts["Packages"]["numpy"] == "2.4.6"
    assert facts["Engines and extras"]["engine 'spdl'"] == "usable"
    text = doctor.as_text(facts)
    assert [line for line in text.splitlines() if line and line[0] != " "] == [
        "Interpreter",
        "Machine",
        "Packages",
        "Engines and extras",
        "The GIL",
    ]


def test_the_doctor_finds_that_no_installed_package_turns_the_gil_on() -> None:
    facts = doctor.gil_facts()
    if free_threaded_build():
        assert facts["re-enabled by"] == "none of the installed packages"
        assert "numpy" in facts["left off by"]
    else:
        assert "always has it" in facts["re-enabled by"]


def test_a_package_that_is_missing_or_crashes_is_an_answer(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    from pathlib import Path

    Path(str(tmp_path), "crashes.py").write_text("import os; os.abort()")
    assert "No module named 'missing_thing'" in doctor.probe("missing_thing")["error"]
    assert "the interpreter ended with -6" in doctor.probe("crashes")["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["doctr"], 2, "there is no command 'doctr'; choose one of doctor, synth, inspect"),
        (["--version"], 0, "ftloader 0.1.0"),
        (["--help"], 0, "usage: python -m ftloader"),
        ([], 2, "usage: python -m ftloader"),
    ],
)
def test_the_command_line_explains_itself(
    arguments: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == code
    captured = capsys.readouterr()
    assert text in captured.out + captured.err
