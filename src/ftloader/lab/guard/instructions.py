"""Counting instructions: a second opinion on the engine's own cost that a busy machine cannot blur.

Valgrind runs one thread at a time, so what is counted is work, not waiting. Threads still meet in
another order each time, which moves a count by a few per cent; each is therefore taken several
times, and two sources differ only where their counts do not overlap.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from ...errors import MeasurementError
from ..arms import Arm, environment
from .runner import CHILD, EARLIER, NOW

#: Work by name: what the interpreter's start is told from by doing more, and how much more.
AMOUNTS: Final = {"hand_over_1": (1_000, 61_000), "first_item": (10, 70)}
REPEATS: Final = 3
#: Counts that differ by less are not called a regression even where they do not overlap.
MARGIN: Final = 0.05
_SECONDS = 600


@dataclass(frozen=True)
class Count:
    """Instructions per unit of one work in both sources.

    Attributes:
        work: its name.
        earlier: one number per repetition.
        now: the same.
    """

    work: str
    earlier: tuple[float, ...]
    now: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median now over median earlier."""
        return median(self.now) / median(self.earlier)

    @property
    def worse(self) -> bool:
        """Whether every count of now lies above every earlier one, by more than the margin."""
        return min(self.now) > max(self.earlier) and self.ratio > 1 + MARGIN


def unavailable() -> str:
    """Return why nothing can be counted here; empty where it can."""
    return "" if shutil.which("valgrind") else "valgrind is not installed"


def count(arm: Arm, interpreter: Path, sources: Mapping[str, Path]) -> list[Count]:
    """Count both sources in turns, in one arm.

    Raises:
        MeasurementError: Valgrind or what it runs failed.
    """
    return [_count(name, arm, interpreter, sources) for name in AMOUNTS]


def _count(name: str, arm: Arm, interpreter: Path, sources: Mapping[str, Path]) -> Count:
    little, much = AMOUNTS[name]
    found: dict[str, list[float]] = {EARLIER: [], NOW: []}
    for _ in range(REPEATS):
        for source, numbers in found.items():
            words = [str(interpreter), "-P", str(CHILD), "--once", name]
            env = {**environment(arm), "PYTHONPATH": str(sources[source]), "PYTHONHASHSEED": "0"}
            low, high = (_instructions([*words, str(each)], env) for each in (little, much))
            numbers.append((high - low) / (much - little))
    return Count(name, tuple(found[EARLIER]), tuple(found[NOW]))


def _instructions(words: Sequence[str], env: Mapping[str, str]) -> int:
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    try:
        done = subprocess.run(
            [*tool, *words], env=env, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"valgrind took more than {_SECONDS} s") from error
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or counted is None:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MeasurementError(f"valgrind ended with exit code {done.returncode}: {last}")
    return int(counted[1])
