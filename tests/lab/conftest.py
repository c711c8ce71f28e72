"""One real run of a small experiment, shared by the tests that read its result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ftloader

TINY = Path(__file__).with_name("tiny.py")
Records = list[dict[str, Any]]


class Bench:
    """Runs the tiny experiment on this interpreter, as a user would.

    The GIL is on in every arm: there the controls hold on a machine that is busy with other tests,
    and what these tests ask about is the harness, not the speed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = ["--images", "4", "--threads", "1,2", "--blocks", "1", "--gil", "on"]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(TINY), *arguments]

    def environment(self, fault: str = "") -> dict[str, str]:
        # The run has a working folder of its own, where a relative PYTHONPATH means nothing.
        source = str(Path(ftloader.__file__).resolve().parents[1])
        return {
            **os.environ,
            "PYTHONPATH": source,
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TINY_FAULT": fault,
        }

    def run(self, *arguments: str, fault: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(fault),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def finished(bench: Bench) -> Path:
    """Return the folder of a complete run with its report."""
    done = bench.run(*bench.data)
    assert done.returncode == 0, done.stderr
    (found,) = (bench.folder / "reports").glob("tiny-*")
    return found


@pytest.fixture
def records(finished: Path) -> Records:
    lines = (finished / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def rewrite(tmp_path: Path) -> Callable[[Records], Path]:
    """Return a function that writes records as a result file of their own."""

    def write(changed: Records) -> Path:
        folder = tmp_path / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        text = "".join(json.dumps(record) + "\n" for record in changed)
        (folder / "results.jsonl").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site made from the committed results."""
    from ftloader.lab import report

    root = Path(__file__).parents[2] / "experiments"
    out = tmp_path_factory.mktemp("site")
    assert report.main(["--site", "--out", str(out), str(root)]) == 0
    return out
