"""What a report says, as numbers: the frozen result of ``analyse.summarise``.

One place for what each number means; the prose, the tables and the plots only show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .arms import Arm
from .controls import Bounds
from .statistics import Estimate

# How the comparison of one binary with the GIL on and off is announced.
GIL_ALONE = "the GIL alone"


@dataclass(frozen=True)
class Point:
    """One arm of one workload at one thread count.

    Attributes:
        threads: thread count.
        oversubscribed: more threads than cores; shown hollow, in no fit and no claim.
        by_block: throughput of each block that was not refused, units/s.
        throughput: median over blocks; ``None`` if all were refused.
        speedup: against one thread of the same arm, block by block.
        versus: against one thread of the baseline arm, block by block.
        serial: Karp-Flatt fraction; ``None`` at one thread and oversubscribed.
        of_ceiling: speed-up over the ceiling control's, block by block; GIL off only.
        peak_mib: resident memory at its high-water mark while this ran, median over blocks.
        cpu_ms: CPU milliseconds per unit, median over blocks.
        refused: samples refused at this point.
    """

    threads: int
    oversubscribed: bool
    by_block: Mapping[int, float]
    throughput: Estimate | None
    speedup: Estimate | None
    versus: Estimate | None
    serial: Estimate | None
    of_ceiling: Estimate | None
    peak_mib: float | None
    cpu_ms: float | None
    refused: int


@dataclass(frozen=True)
class Series:
    """One arm of one workload; ``points`` in ascending thread count."""

    arm: Arm
    points: tuple[Point, ...]

    def at(self, threads: int) -> Point | None:
        """Return the point at a thread count, if there is one."""
        return next((point for point in self.points if point.threads == threads), None)

    def best(self) -> Point | None:
        """Return the point with the highest median throughput within the cores."""
        inside = [p for p in self.points if not p.oversubscribed and p.throughput]
        return max(inside, key=lambda p: p.throughput.value if p.throughput else 0, default=None)


@dataclass(frozen=True)
class Comparison:
    """Two arms at given thread counts: what the ratio of their rates is.

    Attributes:
        about: what the difference between the two arms is.
        above: arm and thread count of the numerator, as text.
        below: the same of the denominator.
        ratio: numerator over denominator; ``None`` if no block has both.
        verdict: ``"faster"``, ``"slower"``, ``"equal"`` or ``"not resolved"``.
        p_value: two-sided sign-flip; ``None`` where n is too small.
        caveat: why it is not comparable, or empty.
    """

    about: str
    above: str
    below: str
    ratio: Estimate | None
    verdict: str
    p_value: float | None
    caveat: str


@dataclass(frozen=True)
class Subject:
    """One workload: its series and the comparisons between them."""

    name: str
    title: str
    about: str
    unit: str
    series: tuple[Series, ...]
    comparisons: tuple[Comparison, ...]

    def of(self, gil: bool, free_threaded: bool) -> Series | None:
        """Return the first series of an arm with this GIL state and kind of build."""
        for one in self.series:
            if (one.arm.gil, one.arm.free_threaded) == (gil, free_threaded):
                return one
        return None


@dataclass(frozen=True)
class ControlResult:
    """One control of one arm at one thread count."""

    name: str
    about: str
    arm: str
    threads: int
    ratio: Estimate | None
    bounds: Bounds | None
    refused: int


@dataclass(frozen=True)
class Summary:
    """Everything a report says.

    Attributes:
        header: the result file's first line.
        status: how the run ended.
        arms: in the order they were given.
        baseline: the arm that "versus" refers to: the GIL build if there is one.
        subjects: the workloads.
        controls: the controls, judged and found in bounds at two threads.
        threads: thread counts within the cores.
        blocks: blocks that hold at least one measurement.
        processes: number of measured processes.
        refused: refused workload samples, and how many there were.
        refused_windows: refused timed windows, and how many there were.
        notes: what the checks could not compare.
    """

    header: Mapping[str, Any]
    status: str
    arms: tuple[Arm, ...]
    baseline: Arm
    subjects: tuple[Subject, ...]
    controls: tuple[ControlResult, ...]
    threads: tuple[int, ...]
    blocks: int
    processes: tuple[Mapping[str, Any], ...]
    refused: tuple[int, int]
    refused_windows: tuple[int, int]
    notes: tuple[str, ...]
