"""What the tests of the set-up share: small real programs in a folder of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from interpreters.table import Interpreter  # noqa: E402

from ftloader.runtime import interpreter_name  # noqa: E402

Script = Callable[[Path, str], Path]


def make_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def script() -> Script:
    """Write a shell program and make it executable."""
    return make_script


@pytest.fixture
def this() -> Interpreter:
    """The interpreter that runs the tests, as something to be looked for."""
    return Interpreter(interpreter_name(), required=True)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave nothing of the machine to be found: an empty home, and a PATH with the tools only."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "cp", "mkdir", "mv", "rm", "sed", "readlink", "sleep", "grep"):
        source = next(
            Path(folder, name)
            for folder in [*os.environ["PATH"].split(os.pathsep), "/usr/bin", "/bin"]
            if Path(folder, name).is_file()
        )
        (tools / name).symlink_to(source)
    for name in ("PYENV_ROOT", "XDG_CACHE_HOME", "XDG_DATA_HOME", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("FTLOADER_PYTHON")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tools))
    return tmp_path
