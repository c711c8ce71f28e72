"""The page on planning keeps its word: its example runs, its excerpts are what is printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ftloader.cli import main as cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "planning.md").read_text(encoding="utf-8")


def test_the_example_runs_as_printed(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={"XDG_CACHE_HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 4
    assert len(lines) % 2 == 0
    assert [line.split()[1:4] for line in lines[:2]] == [["1", "of", "2"], ["2", "of", "2"]]


def test_the_excerpts_are_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    commands = re.findall(r"^    python -m ftloader (.*--(?:out|compare)\b.*)$", PAGE, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["synth", "plan"]
    for command in commands:
        assert cli(shlex.split(command)) == 0
    printed = capsys.readouterr().out
    (excerpts,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    for excerpt in excerpts.split("\n\n"):
        assert excerpt in printed


def test_the_synopsis_has_every_option_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    synopsis = PAGE[PAGE.index("    python -m ftloader plan") : PAGE.index("The data are")]
    assert cli(["plan", "--help"]) == 0
    known = set(re.findall(r"(?m)^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out)) - {"--help"}
    assert set(re.findall(r"--[a-z-]+", synopsis)) == known
