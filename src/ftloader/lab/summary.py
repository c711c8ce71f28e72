"""What a report says, as numbers: the frozen result of ``analyse.summarise``.

One place for what each number means; the prose, the tables and the plots only show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .arms import Arm, flag_differences
from .controls import Bounds
from .laws import Laws
from .statistics import Estimate

# How the comparison of one binary with the GIL on and off is announced.
GIL_ALONE = "the GIL alone"


@dataclass(frozen=True)
class Point:
    """One arm of one workload at one thread count.

    Attributes:
        threads: thread count; of a process pool, how many processes it has.
        oversubscribed: more threads than cores; shown hollow, in no fit and no claim.
        by_block: throughput of each block that was not refused, units/s.
        throughput: median over blocks; ``None`` if all were refused.
        speedup: against one thread of the same arm, block by block.
        ratios: the same of each block.
        versus: against one thread of the baseline arm, block by block.
        versus_best: against the baseline arm's best thread count, block by block.
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
    ratios: Mapping[int, float]
    versus: Estimate | None
    versus_best: Estimate | None
    serial: Estimate | None
    of_ceiling: Estimate | None
    peak_mib: float | None
    cpu_ms: float | None
    refused: int


@dataclass(frozen=True)
class Series:
    """One arm of one workload.

    Attributes:
        arm: the arm.
        points: in ascending thread count.
        laws: scaling laws fitted to the points within the cores, as far as those allow.
    """

    arm: Arm
    points: tuple[Point, ...]
    laws: Laws | None

    def at(self, threads: int) -> Point | None:
        """Return the point at a thread count, if there is one."""
        return next((point for point in self.points if point.threads == threads), None)

    def inside(self) -> list[Point]:
        """Return the points that have no more threads than there are cores."""
        return [point for point in self.points if not point.oversubscribed]

    def best(self) -> Point | None:
        """Return the point with the highest median throughput within the cores."""
        inside = [point for point in self.inside() if point.throughput]
        return max(inside, key=lambda p: p.throughput.value if p.throughput else 0, default=None)


@dataclass(frozen=True)
class Comparison:
    """Two arms at given thread counts: what the ratio of their rates is.

    Attributes:
        pair: letters of the two arms (see ``comparisons.letters``), such as ``"D/C"``.
        about: what the difference between the two arms is, and so what the ratio isolates.
        above: arm and thread count of the numerator, as text.
        below: the same of the denominator.
        ratio: numerator over denominator; ``None`` if no block has both.
        verdict: ``"faster"``, ``"slower"``, ``"equal"`` or ``"not resolved"``.
        p_value: two-sided sign-flip; ``None`` where n is too small.
        adjusted: the same after Holm's correction over the comparisons of this workload.
        caveat: why it is not comparable, or empty.
    """

    pair: str
    about: str
    above: str
    below: str
    ratio: Estimate | None
    verdict: str
    p_value: float | None
    adjusted: float | None
    caveat: str


@dataclass(frozen=True)
class Crossing:
    """From how many threads on an arm without the GIL beats a rival at a fixed number of workers.

    Attributes:
        arm: name of the arm.
        rival: what it is held against.
        count: how many workers that has.
        best: whether that number is the rival's best, rather than one.
        threads: smallest thread count at which the whole interval lies above 1; ``None`` if none.
        last: the most threads within the cores.
        ratio: at ``threads``, or at ``last`` where it never beats the rival; ``None`` if refused.
        caveat: why it is not comparable, or empty.
    """

    arm: str
    rival: Arm
    count: int
    best: bool
    threads: int | None
    last: int
    ratio: Estimate | None
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
    crossings: tuple[Crossing, ...]

    def of(self, arm: Arm) -> Series | None:
        """Return the series of an arm; a process pool may have none."""
        return next((one for one in self.series if one.arm == arm), None)

    def threaded(self) -> list[Series]:
        """Return the series of arms whose workers are threads."""
        return [one for one in self.series if one.arm.threaded]

    def fitted(self) -> list[Series]:
        """Return the series that a scaling law was fitted to."""
        return [one for one in self.series if one.laws and one.laws.fits]


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
        baseline: the arm that "versus" refers to: the oldest GIL build if there is one.
        cores: real cores that the processes could use.
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
    cores: int
    subjects: tuple[Subject, ...]
    controls: tuple[ControlResult, ...]
    threads: tuple[int, ...]
    blocks: int
    processes: tuple[Mapping[str, Any], ...]
    refused: tuple[int, int]
    refused_windows: tuple[int, int]
    notes: tuple[str, ...]

    def colour(self, arm: Arm) -> int:
        """Return which colour an arm has in every plot and table; a pool that of its threads."""
        threaded = [one for one in self.arms if one.threaded]
        alike = (arm.interpreter, arm.gil)
        same = (n for n, one in enumerate(threaded) if (one.interpreter, one.gil) == alike)
        return next(same, len(threaded))

    def incomparable(self, arm: Arm) -> str:
        """Name the build flags in which an arm differs from the baseline, or nothing."""
        return flag_differences(self.baseline, arm)
