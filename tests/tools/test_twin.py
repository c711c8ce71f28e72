"""An interpreter to be measured beside another is of its release, and is made only when asked for.

The interpreters here are shell programs that answer as the one with the GIL would.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from interpreters import build, cli, ensure, find, probe
from interpreters.table import INTERPRETERS, Interpreter, InterpreterError

from ftloader import runtime

from .conftest import Script

WANTED = Interpreter("3.99", required=False, twin="3.99t")
PLAIN = {"compiler options": "-O3", "PGO": False, "LTO": False, "shared libpython": False}
WITH_PGO = {**PLAIN, "PGO": True}
TWIN = probe.Found("/twin", (3, 99, 7), True, True, "cpython", "here", tuple(sorted(PLAIN.items())))


def python(script: Script, path: Path, version: str, flags: dict[str, object]) -> Path:
    facts = {
        "executable": str(path),
        "version": [int(part) for part in version.split(".")],
        "level": "final",
        "free_threaded": False,
        "implementation": "cpython",
        "flags": flags,
    }
    return script(path, f"echo 'ftloader-probe:{json.dumps(facts)}'\n")


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> probe.Found:
    """Let the free-threaded one be there already."""
    monkeypatch.setitem(INTERPRETERS, "3.99t", Interpreter("3.99t", required=True))
    monkeypatch.setattr(ensure, "_known", {"3.99t": TWIN})
    return TWIN


def test_another_release_is_passed_over_with_the_reason(bare: Path, script: Script) -> None:
    python(script, bare / "tools/python3.99", "3.99.6", PLAIN)
    tried: list[str] = []
    assert find.beside(WANTED, TWIN, tried) is None
    assert "python3.99 is 3.99.6, not 3.99.7" in tried[0]


def test_one_with_the_twins_flags_is_preferred_wherever_it_lies(bare: Path, script: Script) -> None:
    python(script, bare / "tools/python3.99", "3.99.7", WITH_PGO)
    alike = python(script, bare / "home/.pyenv/versions/3.99.7/bin/python3.99", "3.99.7", PLAIN)
    found = find.beside(WANTED, TWIN, [])
    assert found is not None
    assert found.path == str(alike)


def test_one_with_other_flags_serves_a_bench_and_a_line_says_what_differs(
    bare: Path, script: Script, twin: probe.Found, capsys: pytest.CaptureFixture[str]
) -> None:
    other = python(script, bare / "tools/python3.99", "3.99.7", WITH_PGO)
    found = ensure.already(WANTED)
    assert found is not None
    assert found.path == str(other)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "was not built as 3.99t was (PGO): reports mark the two as not comparable" in said
    # What a bench was given is what it then makes its environment with.
    assert ensure.ensure(WANTED) == found


def test_a_bench_makes_none(bare: Path, twin: probe.Found, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object) -> probe.Found:
        raise AssertionError("asked to build")

    monkeypatch.setattr(build, "build", never)
    monkeypatch.setattr(ensure, "_uv_install", never)
    assert ensure.already(WANTED) is None


def test_asking_for_one_builds_the_twins_release_and_not_another(
    bare: Path, script: Script, twin: probe.Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One with other flags does not do where one is asked for.
    python(script, bare / "tools/python3.99", "3.99.7", WITH_PGO)
    asked: list[Interpreter] = []

    def made(wanted: Interpreter, tried: list[str]) -> probe.Found:
        asked.append(wanted)
        return replace(TWIN, path="/made", free_threaded=False)

    monkeypatch.setattr(build, "build", made)
    assert ensure.ensure(WANTED).path == "/made"
    assert asked == [WANTED.pinned("3.99.7")]


def test_no_plain_build_is_made_beside_a_twin_that_is_none(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(INTERPRETERS, "3.99t", Interpreter("3.99t", required=True))
    optimised = replace(TWIN, flags=tuple(sorted(WITH_PGO.items())))
    monkeypatch.setattr(ensure, "_known", {"3.99t": optimised})
    monkeypatch.setattr(find, "uv_command", lambda: None)
    with pytest.raises(InterpreterError, match=r"no CPython 3\.99\.7 with the GIL and the flags"):
        ensure.ensure(WANTED)


def test_a_variable_that_names_another_release_is_an_error(
    bare: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTLOADER_PYTHON_3_99", str(python(script, bare / "mine", "3.99.6", PLAIN)))
    with pytest.raises(InterpreterError, match=r"is 3\.99\.6, not 3\.99\.7: set it to a CPython 3"):
        find.beside(WANTED, TWIN, [])


def test_the_flags_are_those_that_the_laboratory_compares() -> None:
    found = probe.ask(sys.executable, "here")
    assert isinstance(found, probe.Found)
    flags = {name: str(value).lower() for name, value in found.flags}
    ours = runtime.build_flags()
    assert flags == {
        "compiler options": ours["optimisation"].lower(),
        "PGO": ours["pgo"],
        "LTO": ours["lto"],
        "shared libpython": ours["shared_library"],
    }


def test_the_table_says_how_to_get_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "INTERPRETERS", {"3.13": INTERPRETERS["3.13"]})
    assert "for measuring beside 3.13t; ensure builds it" in cli.table()
