"""What a report of trials says: frozen numbers, already judged; ``analyse`` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..arms import Arm
from ..costs.analyse import ControlRow
from ..statistics import Estimate


@dataclass(frozen=True)
class Fate:
    """What became of a contender's trials in one arm, in one cell or in all.

    Attributes:
        blocks: blocks in which it was tried.
        failed: of these, blocks in which its process crashed, hung or ended without an answer.
        busy: of these, blocks in which the machine was too busy, both times.
        refused: trials that were refused, the repeated ones among them.
        missing: why it could not be imported; empty where it could.
        fits: whether it makes sense in this arm.
    """

    blocks: int
    failed: int
    busy: int
    refused: int
    missing: str = ""
    fits: bool = True


@dataclass(frozen=True)
class Entry:
    """One metric of one contender in one arm.

    Attributes:
        by_block: the value of each block that has one.
        value: their summary; ``None`` if there is none.
        ratio: over the baseline's, block by block; ``None`` without a baseline, and of itself.
        points: the distribution behind it, all blocks together, in order; empty if none was kept.
    """

    by_block: Mapping[int, float]
    value: Estimate | None
    ratio: Estimate | None
    points: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """One contender of a table; entries and fates in the order of the summary's arms.

    Attributes:
        name: short name.
        title: name for people.
        place: among all contenders of the experiment, for its colour.
        baseline: whether the cell's ratios are taken against it.
        entries: one for each arm.
        fates: one for each arm.
    """

    name: str
    title: str
    place: int
    baseline: bool
    entries: tuple[Entry, ...]
    fates: tuple[Fate, ...]


@dataclass(frozen=True)
class Table:
    """One metric of one cell.

    Attributes:
        metric: as the header has it.
        rows: the contenders.
    """

    metric: Mapping[str, Any]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Job:
    """One cell.

    Attributes:
        name: short name.
        title: heading.
        about: one sentence.
        settings: what contenders got, as text.
        baseline: title of the contender that ratios are taken against; empty for none.
        group: of cells that are points of one plot; empty for a cell by itself.
        x: where on that plot.
        tables: the metrics that anything was measured of.
    """

    name: str
    title: str
    about: str
    settings: str
    baseline: str
    group: str
    x: float
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Group:
    """Cells that are points of one plot.

    Attributes:
        name: short name.
        x_title: what their ``x`` is.
        jobs: the cells, by ``x``.
        metrics: those that more than one cell has.
    """

    name: str
    x_title: str
    jobs: tuple[Job, ...]
    metrics: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Judged:
    """A hypothesis in one arm, or across two.

    Attributes:
        where: the arm, or the two arms, as text.
        estimate: the number; ``None`` where nothing was accepted.
        verdict: one of ``analyse``'s words.
        failed: trials that it would have rested on, had they not failed.
    """

    where: str
    estimate: Estimate | None
    verdict: str
    failed: int


@dataclass(frozen=True)
class Tested:
    """A hypothesis with what came of it: in each arm, or across each pair of arms.

    Attributes:
        text: the claim without its number.
        subject: what is judged, as text: metric, contender and cell, and against what.
        better: which side of the limit confirms it.
        limit: the number.
        unit: of the limit; empty for a ratio.
        across: whether it is judged across arms.
        results: the verdicts.
    """

    text: str
    subject: str
    better: str
    limit: float
    unit: str
    across: bool
    results: tuple[Judged, ...]


@dataclass(frozen=True)
class Failure:
    """Trials of one contender on one cell in one arm that ended in the same way.

    Attributes:
        contender: its title.
        cell: title of the cell.
        arm: name of the arm.
        count: how many.
        tried: in how many blocks it was tried.
        how: how they ended.
        words: the last line of the first of them that says what happened.
    """

    contender: str
    cell: str
    arm: str
    count: int
    tried: int
    how: str
    words: str


@dataclass(frozen=True)
class TrialSummary:
    """Everything that a report of trials says.

    Attributes:
        header: the result file's first line.
        status: how the run ended.
        arms: those that were measured, in the order given.
        jobs: the cells.
        groups: cells drawn as curves.
        hypotheses: judged.
        controls: the controls, found in bounds.
        counts: contenders by title, with what became of all their trials in each arm.
        failures: trials that gave no answer.
        left_out: contenders that could not be imported: title, reason, names of the arms.
        notes: what trials said of themselves, with whose and where.
        blocks: blocks that hold at least one trial.
        processes: the measured processes.
        refused: refused trials, and how many there were.
    """

    header: Mapping[str, Any]
    status: str
    arms: tuple[Arm, ...]
    jobs: tuple[Job, ...]
    groups: tuple[Group, ...]
    hypotheses: tuple[Tested, ...]
    controls: tuple[ControlRow, ...]
    counts: tuple[tuple[str, tuple[Fate, ...]], ...]
    failures: tuple[Failure, ...]
    left_out: tuple[tuple[str, str, tuple[str, ...]], ...]
    notes: tuple[str, ...]
    blocks: int
    processes: tuple[Mapping[str, Any], ...]
    refused: tuple[int, int]
