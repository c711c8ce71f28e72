"""Runs of the tiny experiments that are stopped in a chosen process, for real, and then go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

import ftloader

HERE = Path(__file__).parent
# Read by every interpreter at its start: the worker whose turn it is stops when it has read its
# job, is on its CPUs and is about to read the inputs.
STALL = """
import os, sys, threading
turns, last = os.environ.get("TINY_TURNS", ""), int(os.environ.get("TINY_STALLS_AT", 0))
def stall(event, arguments):
    if event == "open" and last and str(arguments[0]).endswith(os.sep + "inputs"):
        with open(turns, "ab") as file:
            file.write(b".")
        if os.path.getsize(turns) >= last:
            threading.Event().wait()
if any(word.endswith("worker") for word in sys.orig_argv):
    sys.addaudithook(stall)
"""


class Runs:
    """Runs experiments in a folder of their own, as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sitecustomize.py").write_text(STALL, encoding="utf-8")

    def environment(self, stalls_at: int = 0, turns: Path | None = None) -> dict[str, str]:
        source = Path(ftloader.__file__).resolve().parents[1]
        return {
            **os.environ,
            "PYTHONPATH": f"{self.folder}{os.pathsep}{source}",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TINY_FAULT": "",
            "TINY_STALLS_AT": str(stalls_at),
            "TINY_TURNS": str(turns or ""),
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python to its end."""
        return subprocess.run(
            [sys.executable, *words],
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def interrupt(self, number: signal.Signals, process: int, out: Path, *words: str) -> str:
        """Run an experiment, send a signal during the given process, and return what it said.

        Checks that the worker that was measuring has ended too.
        """
        turns = out.with_suffix(".turns")
        turns.touch()
        with subprocess.Popen(
            [sys.executable, *words, "--out", str(out)],
            env=self.environment(process, turns),
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            while turns.stat().st_size < process:
                try:
                    running.wait(timeout=0.05)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError(f"it ended too early: {running.communicate()[1]}")
            workers = psutil.Process(running.pid).children(recursive=True)
            running.send_signal(number)
            _, said = running.communicate(timeout=30)
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert workers
        assert not alive
        return said


def lines_of(folder: Path) -> list[dict[str, object]]:
    text = (folder / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
