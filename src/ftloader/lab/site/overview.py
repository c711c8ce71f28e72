"""What the overview says: three headline answers, a line per experiment, machines, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import answer_batching, answer_safety, answer_scaling, leads, limits
from .find import SCALING, Experiment, ResultSet
from .rows import Files, Rule, Sentence


@dataclass(frozen=True)
class Headline:
    """One of the three answers.

    Attributes:
        name: names its picture and its place on the page.
        question: what it answers.
        experiment: whose result sets it rests on.
        said: the answer first, then what belongs to it; empty where nothing is committed.
        where: date and machine.
        files: the rows, for the picture.
    """

    name: str
    question: str
    experiment: str
    said: tuple[Sentence, ...]
    where: str
    files: Files


@dataclass(frozen=True)
class Line:
    """One experiment on the overview; ``lead`` is ``None`` where nothing is committed."""

    experiment: Experiment
    lead: Sentence | None


@dataclass(frozen=True)
class Overview:
    """Everything on the overview, and the footnotes in the order of the page."""

    headlines: tuple[Headline, ...]
    lines: tuple[Line, ...]
    limits: tuple[Sentence, ...]
    machines: tuple[tuple[str, tuple[ResultSet, ...]], ...]

    @property
    def sentences(self) -> list[Sentence]:
        """Every sentence with a number, in the order in which they are read."""
        said = [one for headline in self.headlines for one in headline.said]
        said += [line.lead for line in self.lines if line.lead]
        return [*said, *self.limits]

    def note(self, said: Sentence) -> int:
        """Return the number of a sentence's footnote, from 1."""
        return next(n for n, one in enumerate(self.sentences, 1) if one is said)


def overview(experiments: Sequence[Experiment]) -> Overview:
    """Return the overview of an experiments folder.

    Raises:
        MeasurementError: a run must not be believed.
    """
    known = {one.name: one for one in experiments}
    headlines = [
        *_scaling(known.get("scaling")),
        _headline(
            "batching",
            "What does batching by memory buy over a batch size?",
            known.get("dynamic_batching"),
            (answer_batching.planned, answer_batching.measured, answer_batching.limited),
        ),
        _headline(
            "safety",
            "Which detection transforms may threads share?",
            known.get("thread_safety"),
            (answer_safety.shareable, answer_safety.races),
            together=True,
        ),
    ]
    found: dict[str, list[ResultSet]] = {}
    for experiment in experiments:
        for one in experiment.sets:
            found.setdefault(one.machine, []).append(one)
    return Overview(
        headlines=tuple(headlines),
        lines=tuple(Line(one, leads.lead(one)) for one in experiments),
        limits=tuple(limits.limits(experiments)),
        machines=tuple((name, tuple(sets)) for name, sets in sorted(found.items())),
    )


def _scaling(experiment: Experiment | None) -> list[Headline]:
    """Return one headline per machine, the one with the most cores first."""
    question = "What do a loader's threads gain when the GIL goes away?"
    rules = (answer_scaling.gil_alone, answer_scaling.scaling, answer_scaling.gain)
    newest = {one.machine: one for one in (experiment.sets if experiment else ())}
    sets = sorted(newest.values(), key=lambda one: -int(one.header["machine"]["cores"]))
    found = [
        Headline(
            f"scaling{place or ''}",
            question,
            one.experiment,
            tuple(rule(one.files) for rule in rules),
            f"{one.date} · {one.machine}",
            one.files,
        )
        for place, one in enumerate(sets)
        if one.form == SCALING
    ]
    return found or [Headline("scaling", question, "scaling", (), "", {})]


def _headline(
    name: str,
    question: str,
    experiment: Experiment | None,
    rules: Sequence[Rule],
    together: bool = False,
) -> Headline:
    """Return a headline from the newest set, or from all sets together."""
    sets = experiment.sets if experiment else ()
    if not experiment or not sets:
        return Headline(name, question, name, (), "", {})
    chosen = sets if together else sets[-1:]
    files = {path: lines for one in chosen for path, lines in one.files.items()}
    return Headline(
        name,
        question,
        experiment.name,
        tuple(rule(files) for rule in rules),
        f"{chosen[-1].date} · {chosen[-1].machine}",
        files,
    )
