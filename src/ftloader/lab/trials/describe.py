"""What a trial experiment is: cells, contenders, metrics, and hypotheses written before the run.

Frozen descriptions, nothing else. One trial is one process: one contender does one cell's job in
one arm, once per block, and returns a number for each metric that it could measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...errors import MeasurementError
from ..experiment import Control, Inputs, load_described, missing, require_controls

Setting = int | float | str
Better = Literal["lower", "higher", ""]
#: The arms that a hypothesis speaks of: by the GIL's state, or by the interpreter's build.
Arms = Literal["all", "gil on", "gil off", "gil build", "free-threaded build"]
#: Of a distribution that a trial keeps for plots, this many numbers are written at most.
MOST_POINTS = 400


@dataclass(frozen=True)
class Metric:
    """One thing that trials measure.

    Attributes:
        name: short name in files.
        title: name for people.
        unit: of its values; "" for a ratio or a share.
        better: whether lower or higher values are better; "" where neither is.
        about: one sentence: how it is measured.
    """

    name: str
    title: str
    unit: str
    better: Better
    about: str


@dataclass(frozen=True)
class Outcome:
    """What one trial measured.

    Attributes:
        values: by metric; a metric that could not be measured here is left out.
        digest: of the outputs, equal for all contenders of a cell; empty where the trial compared
            its outputs itself.
        points: distributions by metric, such as every wait behind a percentile, for plots.
        notes: what a reader must know of this trial, one sentence each.
    """

    values: Mapping[str, float]
    digest: str = ""
    points: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contender:
    """One way to do the job.

    Attributes:
        name: short name in files.
        title: name for people.
        run: does a cell's job with its settings and measures it; checks what came out.
        needs: modules that it imports; where one cannot be imported the contender is left out,
            and the report says why.
        gil: the arms it makes sense in: all, or those with the GIL on or off.
        ours: whether it is ours to mend. If one that is crashes or hangs, the run stops, and so it
            does for a contender that needs nobody else's package; what others do is a result.
    """

    name: str
    title: str
    run: Callable[[Inputs, Mapping[str, Setting]], Outcome]
    needs: tuple[str, ...] = ()
    gil: Literal["any", "on", "off"] = "any"
    ours: bool = False

    def missing(self) -> str:
        """Import what it needs; return what went wrong, empty where nothing did."""
        return missing(self.needs)


@dataclass(frozen=True)
class Cell:
    """One job, with its settings.

    Attributes:
        name: short name in files.
        title: heading.
        about: one sentence on what is done.
        settings: what contenders get, such as ``{"workers": 2, "batch": 16}``.
        contenders: names of those that take part, in the order of the table; empty for all.
        baseline: name of the contender that ratios are taken against; empty for none.
        group: cells of one group are points of one plot; empty for a cell by itself.
        x: where on that plot, such as the number of threads.
        x_title: what ``x`` is.
    """

    name: str
    title: str
    about: str
    settings: Mapping[str, Setting]
    contenders: tuple[str, ...] = ()
    baseline: str = ""
    group: str = ""
    x: float = 0.0
    x_title: str = ""


@dataclass(frozen=True)
class Hypothesis:
    """What somebody claims, or we expect, written before the run and judged by an interval.

    The number judged is the metric's value; divided, block by block, by that of another contender
    (``against``) or another cell (``against_cell``) if one is named.

    Attributes:
        text: the claim without its number; whose it is, if somebody else's.
        cell: name of the cell.
        contender: whose value it is.
        metric: which value.
        limit: the number.
        better: ``"lower"``: confirmed if at most the limit; ``"higher"``: if at least.
        against: name of a contender.
        against_cell: name of a cell.
        across_gil: with the GIL off over with it on, same binary: one verdict for each such pair
            of arms instead of one for each arm.
        arms: those it speaks of; in others the number is shown and not judged.
    """

    text: str
    cell: str
    contender: str
    metric: str
    limit: float
    better: Literal["lower", "higher"]
    against: str = ""
    against_cell: str = ""
    across_gil: bool = False
    arms: Arms = "all"


@dataclass(frozen=True)
class TrialExperiment:
    """A question, and the trials that answer it.

    Attributes:
        name: short name; also the name of the report folder.
        title: the question's subject, for headings.
        question: one sentence ending in a question mark.
        metrics: what is measured, the most important first.
        contenders: who takes part.
        cells: the jobs.
        hypotheses: what is expected.
        limits: what a run cannot say, one sentence each, for the report.
        controls: both controls, the ceiling and contention; measured in processes of their own.
        packages: distributions, other than those of every run, whose versions are recorded.
        images: images in memory unless the command line says otherwise.
        deadline: seconds that one trial may take.
    """

    name: str
    title: str
    question: str
    metrics: tuple[Metric, ...]
    contenders: tuple[Contender, ...]
    cells: tuple[Cell, ...]
    hypotheses: tuple[Hypothesis, ...]
    limits: tuple[str, ...]
    controls: tuple[Control, ...]
    packages: tuple[str, ...] = ()
    images: int = 16
    deadline: float = 120.0

    def taking_part(self, cell: Cell) -> Iterator[Contender]:
        """Yield the contenders of a cell in the order of its table."""
        known = {one.name: one for one in self.contenders}
        for name in cell.contenders or known:
            yield known[name]

    def require_sound(self) -> None:
        """Refuse a description that cannot be measured or judged.

        Raises:
            ControlError: the ceiling or the contention control is missing.
            MeasurementError: a name is used twice, or one that is referred to does not exist.
        """
        where = f"experiment {self.name!r}"
        require_controls({control.name for control in self.controls}, where)
        contenders = {one.name for one in self.contenders}
        metrics = {one.name for one in self.metrics}
        cells = {cell.name: set(cell.contenders) or contenders for cell in self.cells}
        for kind in (self.contenders, self.metrics, self.cells):
            if len({one.name for one in kind}) < len(kind):
                raise MeasurementError(f"{where} uses a name for two things")
        asked = [(cell.name, name) for cell in self.cells for name in cell.contenders]
        asked += [(cell.name, cell.baseline) for cell in self.cells if cell.baseline]
        for one in self.hypotheses:
            asked.append((one.cell, one.contender))
            asked.append((one.against_cell or one.cell, one.against or one.contender))
            if one.metric not in metrics:
                raise MeasurementError(f"{where}: there is no metric {one.metric!r}")
        for cell_name, contender in asked:
            if contender not in cells.get(cell_name, set()) & contenders:
                raise MeasurementError(
                    f"{where}: there is no contender {contender!r} in a cell {cell_name!r}"
                )


def load(where: Path | str) -> TrialExperiment:
    """Load an experiment: the ``EXPERIMENT`` of a script, or a ``"module:attribute"``.

    Raises:
        DataError: nothing can be loaded from there.
        MeasurementError: it is no ``TrialExperiment``.
    """
    return load_described(where, TrialExperiment, "experiments/peers/run.py")
