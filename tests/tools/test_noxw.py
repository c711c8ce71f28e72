"""The wrapper finds a Python that runs, makes its environment once and whole, and says why not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Script

# A program that behaves as the wrapper needs a Python to: it answers the probe, makes a folder
# with a python in it, installs nothing, and moves the folder to its place.
FAKE_PYTHON = """
echo "$@" >> "$CALLS"
case $* in
    *noxw-probe*) echo noxw-probe venv 3.11.0 0123456789ab ;;
    *"-m venv"*)
        for folder; do :; done
        mkdir -p "$folder/bin"
        cp "$INNER" "$folder/bin/python"
        [ -p "$CALLS.pipe" ] || exit 0
        echo begun > "$CALLS.pipe"
        exec sleep 1000 > "$CALLS.pipe" ;;
    *os.rename*) exec "$REAL" "$@" ;;
esac
"""
INNER = """
case "$*" in
    "-m nox"*) shift 2; for argument; do echo "<$argument>"; done ;;
esac
"""


@pytest.fixture
def project(bare: Path) -> Path:
    """Copy what the wrapper needs to a folder with a space in its name."""
    folder = bare / "a clone"
    (folder / "constraints").mkdir(parents=True)
    shutil.copy(ROOT / "noxw", folder)
    shutil.copy(ROOT / "constraints/nox.txt", folder / "constraints")
    return folder


@pytest.fixture
def fake(
    bare: Path, project: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """Choose the program above as the Python of the wrapper."""
    monkeypatch.setenv("CALLS", str(bare / "calls"))
    monkeypatch.setenv("INNER", str(script(bare / "inner", INNER)))
    monkeypatch.setenv("REAL", sys.executable)
    monkeypatch.setenv("NOXW_PYTHON", str(script(bare / "fake/python3", FAKE_PYTHON)))
    return {"calls": bare / "calls", "env": project / ".noxw/py3.11.0-0123456789ab"}


def call(wrapper: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [wrapper, *arguments], capture_output=True, text=True, check=False, **options
    )


def lame(*modules: str) -> str:
    """Return a program that is the running Python without some modules."""
    hidden = "; ".join(f"sys.modules['{module}'] = None" for module in modules)
    return (
        f'shift 2; code=$1; shift\nexec "{sys.executable}" -c "import sys; {hidden}\n$code" "$@"\n'
    )


def test_without_any_python_one_line_says_what_to_install(project: Path) -> None:
    done = call(project / "noxw", "-l", env={"PATH": "/nonexistent"})
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("noxw: no working Python 3.9 or newer on PATH; install one")
    assert not (project / ".noxw").exists()


def test_shims_that_fail_and_old_pythons_are_no_pythons(
    bare: Path, project: Path, script: Script
) -> None:
    script(bare / "tools/python3", "echo 'pyenv: python3: command not found' >&2; exit 127\n")
    script(bare / "tools/python3.9", "exit 3\n")
    done = call(project / "noxw")
    assert done.returncode == 1
    assert done.stderr.startswith("noxw: no working Python 3.9 or newer on PATH;")


def test_a_python_without_ensurepip_and_pip_names_one_package(
    bare: Path, project: Path, script: Script
) -> None:
    python = script(bare / "tools/python3", lame("ensurepip", "pip"))
    done = call(project / "noxw")
    assert done.returncode == 1
    assert done.stderr.startswith(f"noxw: {python} (Python 3.")
    assert "has neither ensurepip nor pip; install one package" in done.stderr
    assert done.stderr.rstrip().endswith("apt-get install python3-venv) and call again")


def test_a_chosen_python_that_does_not_run_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOXW_PYTHON", "/nonexistent/python3")
    done = call(project / "noxw")
    assert done.returncode == 1
    assert "NOXW_PYTHON=/nonexistent/python3 does not run as Python 3.9 or newer" in done.stderr


def test_arguments_reach_nox_as_they_are_from_any_folder_through_any_link(
    bare: Path, project: Path, fake: dict[str, Path]
) -> None:
    (bare / "bin").mkdir()
    (bare / "bin/first").symlink_to("../a clone/noxw")
    (bare / "second").symlink_to(bare / "bin/first")
    done = call(bare / "second", "-s", "two words", "", "*", cwd="/")
    assert done.returncode == 0, done.stderr
    expected = ["--noxfile", f"{project}/noxfile.py", "-s", "two words", "", "*"]
    assert done.stdout.splitlines() == [f"<{argument}>" for argument in expected]


def test_the_second_call_makes_nothing_and_says_nothing(
    project: Path, fake: dict[str, Path]
) -> None:
    assert "making an environment for nox with" in call(project / "noxw").stderr
    calls = fake["calls"].read_text().count("-m venv")
    done = call(project / "noxw", "-l")
    assert done.returncode == 0
    assert done.stderr == ""
    assert fake["calls"].read_text().count("-m venv") == calls == 1
    assert [entry.name for entry in (project / ".noxw").iterdir()] == [fake["env"].name]


def test_a_closed_standard_input_does_no_harm(project: Path, fake: dict[str, Path]) -> None:
    done = call(Path("/bin/sh"), "-c", 'exec "$0" -l <&-', str(project / "noxw"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_creation_is_done_again(
    project: Path, fake: dict[str, Path], number: int
) -> None:
    pipe = Path(f"{fake['calls']}.pipe")
    os.mkfifo(pipe)
    # A group of its own: the signal reaches the wrapper's children as Ctrl-C would.
    first = subprocess.Popen(
        [project / "noxw"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with open(pipe, encoding="utf-8") as reader:
        assert reader.readline() == "begun\n"
        os.killpg(first.pid, number)
        first.communicate()
    assert first.returncode != 0
    assert not fake["env"].exists()
    pipe.unlink()
    assert call(project / "noxw").returncode == 0
    assert [entry.name for entry in (project / ".noxw").iterdir()] == [fake["env"].name]


def test_calls_at_the_same_time_all_succeed(project: Path, fake: dict[str, Path]) -> None:
    command = [project / "noxw", "-l"]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
    assert fake["env"].is_dir()


def test_a_failed_installation_says_why_and_leaves_no_environment(
    project: Path, script: Script, bare: Path
) -> None:
    # A real environment and a real pip, with nowhere to take packages from.
    env = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    env.update(PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1")
    env["NOXW_PYTHON"] = str(script(bare / "python3", f'exec "{sys.executable}" "$@"\n'))
    done = call(project / "noxw", env=env)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("noxw: could not install nox and uv (is a package index within reach")
    log = Path(message.rpartition("output: ")[2])
    assert "No matching distribution" in log.read_text(encoding="utf-8")
    assert not list((project / ".noxw").glob("py*"))
    assert not list((project / ".noxw").glob("new.*"))
