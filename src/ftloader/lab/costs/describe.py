"""What a cost experiment is: cells of contenders, and claims about them made before the run.

Frozen descriptions, nothing else; ``load`` reads them from a script, as every worker does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...errors import MeasurementError
from ..experiment import Control, Inputs, load_described, missing, require_controls


@dataclass(frozen=True)
class Measured:
    """One window of one contender.

    Attributes:
        value: what was measured, in the cell's unit.
        seconds: how long the timed part took.
        digest: of the outputs, equal for all contenders of a cell; empty where each window has
            compared its outputs with the expected ones itself.
        parts: what the contender's parts took, by name, in the cell's unit.
    """

    value: float
    seconds: float
    digest: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """One way to do a cell's work.

    Attributes:
        name: short name in files.
        title: name for people.
        measure: does an amount of work once and measures it; checks what came out.
        needs: modules that it imports; where one of them cannot be imported the contender is left
            out, and the report says why.
    """

    name: str
    title: str
    measure: Callable[[Inputs, int], Measured]
    needs: tuple[str, ...] = ()

    def missing(self) -> str:
        """Import what it needs; return what went wrong, empty where nothing did."""
        return missing(self.needs)


@dataclass(frozen=True)
class Part:
    """A part of a contender's work, timed inside the contender's own windows.

    Attributes:
        name: its key in :attr:`Measured.parts`.
        title: name for people.
        of: name of the contender.
    """

    name: str
    title: str
    of: str


@dataclass(frozen=True)
class Cell:
    """The same work done by several contenders.

    Attributes:
        name: short name in files.
        title: heading.
        about: one sentence on what is done and what the value means.
        unit: of the values.
        better: whether ``"lower"`` or ``"higher"`` values are better.
        baseline: name of the contender that ratios are taken against; empty for none.
        contenders: what is measured, in the order of the table.
        first: amount of work to begin with; amounts grow until a window is long enough.
        step: amounts are multiples of it.
        window: seconds that a window should last at least; 0 leaves it to the run.
        fixed: always use the amount ``first``; for single events, where length means nothing.
        rounds: how many times as many rounds as other cells.
        parts: rows below the contenders; with the whole as the baseline, ratios are shares.
    """

    name: str
    title: str
    about: str
    unit: str
    better: Literal["lower", "higher"]
    baseline: str
    contenders: tuple[Contender, ...]
    first: int = 64
    step: int = 1
    window: float = 0.0
    fixed: bool = False
    rounds: int = 1
    parts: tuple[Part, ...] = ()

    def rows(self) -> Iterator[Contender | Part]:
        """Yield everything that has a value, in the order of the table."""
        yield from self.contenders
        yield from self.parts


@dataclass(frozen=True)
class Claim:
    """A target, written before the run and judged by an interval.

    Attributes:
        text: what is claimed, without the number.
        cell: name of the cell.
        contender: whose value it is.
        limit: the number.
        better: ``"lower"``: the value must be at most the limit; ``"higher"``: at least.
        against: name of the contender whose value it is divided by, round by round; empty for the
            value itself.
        per: the value is divided by this, such as the number of stages.
        across: the value with the GIL off over that of the same binary with the GIL on, block by
            block; one claim for each such pair of arms instead of one for each arm.
    """

    text: str
    cell: str
    contender: str
    limit: float
    better: Literal["lower", "higher"]
    against: str = ""
    per: float = 1.0
    across: bool = False


@dataclass(frozen=True)
class CostExperiment:
    """A question about costs and what is measured to answer it.

    Attributes:
        name: short name; also the name of the report folder.
        title: the question's subject, for headings.
        question: one sentence ending in a question mark.
        cells: what is measured.
        claims: what the cells are expected to show.
        limits: what a run cannot say, one sentence each, for the report.
        controls: both controls, the ceiling and contention.
        packages: distributions, other than those of every run, whose versions are recorded.
        one_thread: whether every contender works on the calling thread alone.
    """

    name: str
    title: str
    question: str
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    limits: tuple[str, ...]
    controls: tuple[Control, ...]
    packages: tuple[str, ...] = ()
    one_thread: bool = False

    def require_sound(self) -> None:
        """Refuse a description that cannot be measured or judged.

        Raises:
            ControlError: the ceiling or the contention control is missing.
            MeasurementError: a name is used twice, or one that is referred to does not exist.
        """
        where = f"experiment {self.name!r}"
        require_controls({control.name for control in self.controls}, where)
        rows = {cell.name: [one.name for one in cell.rows()] for cell in self.cells}
        known = {name: set(names) for name, names in rows.items()}
        twice = any(len(known[name]) < len(names) for name, names in rows.items())
        if twice or len(known) < len(self.cells):
            raise MeasurementError(f"{where} uses a name for two things")
        asked = [(cell.name, cell.baseline) for cell in self.cells if cell.baseline]
        asked += [(cell.name, part.of) for cell in self.cells for part in cell.parts]
        for claim in self.claims:
            asked += [(claim.cell, name) for name in (claim.contender, claim.against) if name]
        for cell_name, contender in asked:
            if contender not in known.get(cell_name, ()):
                raise MeasurementError(
                    f"{where}: there is no contender {contender!r} in a cell {cell_name!r}"
                )


def load(where: Path | str) -> CostExperiment:
    """Load an experiment: the ``EXPERIMENT`` of a script, or a ``"module:attribute"``.

    Raises:
        DataError: nothing can be loaded from there.
        MeasurementError: it is no ``CostExperiment``.
    """
    return load_described(where, CostExperiment, "experiments/engine_overhead/run.py")
