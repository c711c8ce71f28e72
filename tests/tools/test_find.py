"""Interpreters are found in the documented order, and only those that are what was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from interpreters import cache, find
from interpreters.table import INTERPRETERS, Interpreter, InterpreterError, get

from .conftest import ROOT, Script

SHIM = "echo 'pyenv: command not found' >&2\nexit 127\n"
REAL = f'exec "{sys.executable}" "$@"\n'


def test_a_failing_shim_on_path_is_passed_over(
    bare: Path, script: Script, this: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(bare / "shims" / this.commands[0], SHIM)
    script(bare / "later" / this.commands[0], REAL)
    monkeypatch.setenv("PATH", f"{bare}/shims:{bare}/later")
    found = find.find(this, [])
    assert found is not None
    assert found.origin == "PATH"


def test_the_interpreter_behind_a_failing_pyenv_shim_is_found_in_pyenvs_folder(
    bare: Path, script: Script, this: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = "{}.{}.7".format(*this.version)
    script(bare / "home/.pyenv/shims" / this.commands[0], SHIM)
    script(bare / f"home/.pyenv/versions/{version}/bin" / this.commands[0], REAL)
    monkeypatch.setenv("PATH", f"{bare}/home/.pyenv/shims")
    tried: list[str] = []
    found = find.find(this, tried)
    assert found is not None
    assert found.origin == "pyenv's versions"
    assert "fails with exit 127" in tried[0]


def test_pyenv_root_is_followed(
    bare: Path, script: Script, this: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = "{}.{}.0".format(*this.version)
    script(bare / f"elsewhere/versions/{version}/bin" / this.commands[0], REAL)
    monkeypatch.setenv("PYENV_ROOT", str(bare / "elsewhere"))
    found = find.find(this, [])
    assert found is not None


def test_another_version_under_the_right_name_is_not_taken(bare: Path, script: Script) -> None:
    wanted = Interpreter("3.99", required=True)
    script(bare / "tools/python3.99", REAL)
    tried: list[str] = []
    assert find.find(wanted, tried) is None
    assert f"python3.99 is {sys.version_info[0]}.{sys.version_info[1]}." in tried[0]


def test_the_environment_variable_comes_first(
    bare: Path, script: Script, this: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(bare / "tools" / this.commands[0], REAL)
    monkeypatch.setenv(this.variable, str(script(bare / "mine/python", REAL)))
    found = find.find(this, [])
    assert found is not None
    assert found.origin == this.variable


def test_an_environment_variable_that_names_the_wrong_one_is_an_error(
    bare: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Interpreter("3.99t", required=True)
    monkeypatch.setenv("FTLOADER_PYTHON_3_99T", str(script(bare / "mine/python", SHIM)))
    with pytest.raises(InterpreterError, match=r"FTLOADER_PYTHON_3_99T=.* fails with exit 127"):
        find.find(wanted, [])


def test_a_half_installed_build_is_not_taken_and_a_finished_one_is(
    bare: Path, script: Script, this: Interpreter
) -> None:
    release = "{}.{}.9".format(*this.version)
    prefix = cache.prefix_for(release, this.free_threaded)
    script(prefix / "bin" / this.commands[0], REAL)
    assert find.find(this, []) is None
    cache.write_stamp(prefix, {"release": release})
    found = find.find(this, [])
    assert found is not None
    assert found.origin == "ftloader's cache"


def test_the_cache_follows_xdg_but_not_a_relative_path(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.user_cache() == bare / "home/.cache/ftloader"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.user_cache() == bare / "home/.cache/ftloader"
    monkeypatch.setenv("XDG_CACHE_HOME", str(bare / "xdg"))
    assert cache.user_cache() == bare / "xdg/ftloader"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        InterpreterError, match=r"unknown interpreter '3\.1': choose 3\.12, 3\.13, 3\.13t"
    ):
        get("3.1")


def test_every_interpreter_has_its_constraints_and_they_agree_on_what_digests_depend_on() -> None:
    compared = ("numpy", "pillow", "spdl-core", "matplotlib", "torch")
    pins = []
    for name in INTERPRETERS:
        lines = (ROOT / "constraints" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if "://" in line or "@" in line]
        pins.append({line for line in lines if line.partition("==")[0] in compared})
    assert len(pins[0]) == len(compared)
    assert all(pin == pins[0] for pin in pins)


def test_the_command_line_ends_in_one_message_when_one_cannot_be_had(bare: Path) -> None:
    command = [sys.executable, str(ROOT / "tools/interpreters"), "ensure", "3.14t"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("ftloader: no CPython 3.14t found. Install CPython 3.14t, or set")
    assert "Traceback" not in done.stderr
