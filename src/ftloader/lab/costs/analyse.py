"""From a result file to the numbers of a cost report; nothing is measured here, nothing guessed.

A contender's number in a block is the median of its accepted windows; a ratio's is the median of
the ratios of windows of the same round, both accepted. Summaries are over blocks. A claim is
judged by its interval alone: met if all of it lies on the right side of the limit, missed if none
of it does, undecided otherwise, and not judged where the blocks are too few for any of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ..arms import Arm
from ..controls import Bounds, bounds
from ..results import ResultFile
from ..statistics import SMALLEST_RESOLVABLE, Estimate, block_ratios, estimate
from . import check

MET, MISSED, UNDECIDED = "met", "missed", "undecided"
NOT_JUDGED, NOT_MEASURED = "too few blocks", "not measured"
LEFT_OUT = "left out"


@dataclass(frozen=True)
class Row:
    """One contender of a cell; numbers in the order of the summary's arms, ``None`` if refused.

    Attributes:
        title: name for people.
        baseline: whether the cell's ratios are taken against it.
        values: in the cell's unit.
        ratios: over the baseline's, round by round.
    """

    title: str
    baseline: bool
    values: tuple[Estimate | None, ...]
    ratios: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class Table:
    """One cell with its contenders."""

    name: str
    title: str
    about: str
    unit: str
    better: str
    baseline: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Judged:
    """A claim in one arm, or across two.

    Attributes:
        where: the arm, or the two arms, as text.
        estimate: the number; ``None`` where nothing was accepted.
        verdict: one of the words above.
    """

    where: str
    estimate: Estimate | None
    verdict: str


@dataclass(frozen=True)
class Target:
    """A claim with what came of it: in each arm, or across each pair of arms."""

    text: str
    better: str
    limit: float
    across: bool
    results: tuple[Judged, ...]


@dataclass(frozen=True)
class ControlRow:
    """One control of one arm."""

    name: str
    arm: str
    ratio: Estimate | None
    bounds: Bounds
    refused: int


@dataclass(frozen=True)
class CostSummary:
    """Everything a cost report says.

    Attributes:
        header: the result file's first line.
        status: how the run ended.
        arms: those that were measured, in the order given.
        tables: the cells.
        targets: the claims, judged.
        controls: the controls, found in bounds.
        blocks: blocks that hold at least one process.
        processes: the measured processes.
        refused_windows: refused windows, and how many there were.
    """

    header: Mapping[str, Any]
    status: str
    arms: tuple[Arm, ...]
    tables: tuple[Table, ...]
    targets: tuple[Target, ...]
    controls: tuple[ControlRow, ...]
    blocks: int
    processes: tuple[Mapping[str, Any], ...]
    refused_windows: tuple[int, int]


def summarise(file: ResultFile) -> CostSummary:
    """Check a result file and work out its numbers.

    Raises:
        MeasurementError: the file holds something that must not be believed.
    """
    check.result(file)
    measured = {record["arm"] for record in file.processes}
    arms = tuple(Arm.from_json(one) for one in file.header["arms"] if one["name"] in measured)
    look = Lookup(file)
    windows = [
        window
        for record in file.processes
        for cell in record["cells"].values()
        for found in cell["contenders"].values()
        for window in found["windows"]
    ]
    return CostSummary(
        header=file.header,
        status=file.status,
        arms=arms,
        tables=tuple(_table(cell, arms, look) for cell in file.header["experiment"]["cells"]),
        targets=tuple(_target(one, arms, look) for one in file.header["experiment"]["claims"]),
        controls=tuple(_controls(file, arms, look)),
        blocks=len({record["block"] for record in file.processes}),
        processes=file.processes,
        refused_windows=(sum(not window["accepted"] for window in windows), len(windows)),
    )


class Lookup:
    """Finds what was measured, by arm, cell, contender and block."""

    def __init__(self, file: ResultFile) -> None:
        self._processes = file.processes

    def records(self, arm: str) -> dict[int, Mapping[str, Any]]:
        """Return an arm's processes by block."""
        return {int(r["block"]): r for r in self._processes if r["arm"] == arm}

    def values(self, arm: str, cell: str, contender: str) -> dict[int, float]:
        """Return a contender's number in each block that accepted one."""
        found = {}
        for block, record in self.records(arm).items():
            good = [w for w in _rounds(record, cell, contender) if w is not None]
            if good:
                found[block] = median(good)
        return found

    def ratios(self, arm: str, cell: str, above: str, below: str) -> list[float]:
        """Return the ratio of two contenders in each block that accepted both in one round."""
        return list(self.ratios_by_block(arm, cell, above, below).values())

    def ratios_by_block(self, arm: str, cell: str, above: str, below: str) -> dict[int, float]:
        """Return the same by block, blocks in order."""
        found = {}
        for block, record in sorted(self.records(arm).items()):
            # Not strict: a contender that was left out has no windows.
            pairs = zip(_rounds(record, cell, above), _rounds(record, cell, below), strict=False)
            good = [one / other for one, other in pairs if one is not None and other]
            if good:
                found[block] = median(good)
        return found

    def left_out(self, arm: str, cell: str, *contenders: str) -> bool:
        """Tell whether any of some contenders could not be measured in an arm."""
        return any(
            "missing" in record["cells"][cell]["contenders"][name]
            for record in self.records(arm).values()
            for name in contenders
            if name
        )

    def estimate(self, values: Sequence[float]) -> Estimate | None:
        """Summarise over blocks; ``None`` if there is nothing to summarise."""
        return estimate(values) if values else None


def _rounds(record: Mapping[str, Any], cell: str, contender: str) -> list[float | None]:
    windows = record["cells"][cell]["contenders"][contender]["windows"]
    return [float(w["value"]) if w["accepted"] else None for w in windows]


def _table(cell: Mapping[str, Any], arms: Sequence[Arm], look: Lookup) -> Table:
    name, baseline = cell["name"], cell["baseline"]

    def row(contender: Mapping[str, Any]) -> Row:
        mine = contender["name"]
        return Row(
            title=contender["title"],
            baseline=mine == baseline,
            values=tuple(
                look.estimate(list(look.values(arm.name, name, mine).values())) for arm in arms
            ),
            ratios=tuple(
                look.estimate(look.ratios(arm.name, name, mine, baseline)) if baseline else None
                for arm in arms
            ),
        )

    rows = tuple(row(contender) for contender in cell["contenders"])
    base = next((one.title for one in rows if one.baseline), "")
    return Table(name, cell["title"], cell["about"], cell["unit"], cell["better"], base, rows)


def _target(claim: Mapping[str, Any], arms: Sequence[Arm], look: Lookup) -> Target:
    cell, contender = claim["cell"], claim["contender"]
    found: list[Judged] = []

    def add(where: str, numbers: Sequence[float], *places: str) -> None:
        result = look.estimate([number / claim["per"] for number in numbers])
        judged = verdict(result, claim["better"], claim["limit"])
        if any(look.left_out(arm, cell, contender, claim["against"]) for arm in places):
            judged = LEFT_OUT
        found.append(Judged(where, result, judged))

    if claim["across"]:
        for off, on in pairs_of(arms):
            above = look.values(off.name, cell, contender)
            below = look.values(on.name, cell, contender)
            add(f"{off.name} over on", block_ratios(above, below), off.name, on.name)
    else:
        for arm in arms:
            if claim["against"]:
                ratios = look.ratios(arm.name, cell, contender, claim["against"])
                add(arm.name, ratios, arm.name)
            else:
                values = list(look.values(arm.name, cell, contender).values())
                add(arm.name, values, arm.name)
    return Target(claim["text"], claim["better"], claim["limit"], claim["across"], tuple(found))


def pairs_of(arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Return the pairs of arms that differ in the GIL and in nothing else: off, on."""
    return [
        (off, on)
        for off in arms
        for on in arms
        if on.free_threaded and on.gil and not off.gil
        if (on.version, on.workers) == (off.version, off.workers)
    ]


def verdict(found: Estimate | None, better: str, limit: float) -> str:
    """Judge an interval against a limit."""
    if found is None:
        return NOT_MEASURED
    if found.blocks < SMALLEST_RESOLVABLE:
        return NOT_JUDGED
    if better == "lower":
        return MET if found.high <= limit else MISSED if found.low > limit else UNDECIDED
    return MET if found.low >= limit else MISSED if found.high < limit else UNDECIDED


def _controls(file: ResultFile, arms: Sequence[Arm], look: Lookup) -> list[ControlRow]:
    rows = []
    for control in file.header["experiment"]["controls"]:
        name = control["name"]
        for arm in arms:
            found = [record["controls"][name] for record in look.records(arm.name).values()]
            ratios = [one["ratio"] for one in found if one["ratio"] is not None]
            refused = sum(one["refused"] for one in found)
            limits = bounds(name, arm.gil)
            rows.append(ControlRow(name, arm.name, look.estimate(ratios), limits, refused))
    return rows
