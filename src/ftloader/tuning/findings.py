"""What tuning has found: plain values, and the text that says it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..pipeline import Pipeline
from ..runtime import gil_enabled
from .gil import Scaling
from .model import CHEAP, Cost, Model, Setting

#: A limit counts as reached from this share of it on.
REACHED = 0.75


@dataclass(frozen=True, slots=True)
class StageFinding:
    """One stage that has a concurrency.

    Attributes:
        name: the stage's name.
        kind: how its operation is called.
        concurrency: the number found, or the one it had.
        tuned: whether the number was found here.
        seconds: wall time of one call, one at a time.
        cpu_share: share of that time in which it computes; the rest it waits.
        nbytes: mean bytes of a result.
        gil_bound: whether the GIL keeps two threads from doing more than one; ``None``: not
            asked (it waits, or runs on the event loop), or the machine was too busy to tell.
        sentence: what this means.
    """

    name: str
    kind: str
    concurrency: int
    tuned: bool
    seconds: float
    cpu_share: float
    nbytes: float
    gil_bound: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting that was tried: the numbers by stage, results per second (median), windows."""

    setting: tuple[tuple[str, int], ...]
    throughput: float
    windows: int


@dataclass(frozen=True)
class Tuning:
    """What :func:`ftloader.tune` has found; ``print`` it.

    Attributes:
        pipeline: the pipeline with a number for every stage.
        stages: every stage that has a concurrency, in order.
        throughput: results per second at these numbers, median over windows, with a reader that
            does nothing.
        seconds: time it took.
        tried: every setting that was tried, the best throughput first.
        settled: whether all comparisons were made; ``False`` when time ran out before.
        without_gil: upper bound of the throughput on a free-threaded interpreter, in results per
            second; ``None`` where no stage is held up by the GIL.
        sentences: what limits the pipeline, and what would change it.
    """

    pipeline: Pipeline[Any]
    stages: tuple[StageFinding, ...]
    throughput: float
    seconds: float
    tried: tuple[Trial, ...]
    settled: bool
    without_gil: float | None
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        head = ("stage", "kind", "concurrency", "per call", "computing", "result", "GIL-bound")
        rows = [
            (
                stage.name,
                stage.kind,
                f"{stage.concurrency}" + ("" if stage.tuned else " (given)"),
                duration(stage.seconds),
                f"{stage.cpu_share:.0%}",
                size(stage.nbytes),
                {True: "yes", False: "no", None: "–"}[stage.gil_bound],
            )
            for stage in self.stages
        ]
        findings = [f"- {stage.name}: {stage.sentence}" for stage in self.stages]
        lines = [*table(head, rows), "", *findings, "", *self.sentences]
        return "\n".join(lines)


def stage_finding(
    step: Cost, setting: int, model: Model, scaling: Scaling | None, busy: float | None
) -> StageFinding:
    """Return what was found about one stage."""
    sentence = _sentence(step, setting, model, scaling, busy)
    return StageFinding(
        step.name,
        step.kind,
        setting,
        step.concurrency is None,
        step.seconds,
        step.share,
        step.nbytes,
        step.gil_bound,
        sentence,
    )


def _sentence(
    step: Cost, setting: int, model: Model, scaling: Scaling | None, busy: float | None
) -> str:
    says = f"{setting} at once" if setting > 1 else "one at a time"
    if step.concurrency is not None:
        return f"{says}, as given"
    if busy is not None and busy * setting < CHEAP:
        return f"{says}; it is cheap: one worker would be busy for {busy * setting:.1%} of the time"
    if step.is_async and step.share >= 0.5:
        return (
            f"{says}; it computes on the event loop for {step.share:.0%} of its time and holds up "
            "everything else there: make it a plain function, which runs on threads"
        )
    if step.share < 0.5:
        says += f"; it waits for {1 - step.share:.0%} of its time"
        if busy is not None and setting > 1:
            says += f", and of its {setting} places {min(busy, 1.0):.0%} were in use"
        return says + _at_cap(step, setting, model, busy)
    if step.gil_bound and scaling is not None:
        return (
            f"{says}; it holds the GIL (or a lock of its own): two threads did "
            f"{scaling.ratio:.2f} × the work of one, with {scaling.cores:.1f} cores in use"
        )
    if scaling is None:
        return f"{says}; it computes"
    if scaling.gil_bound is None and gil_enabled():
        return (
            f"{says}; it computes, and the machine was too busy to tell whether it holds the GIL "
            f"(a control that does not gained {scaling.control:.2f} × from a second thread)"
        )
    return f"{says}; it computes: two threads did {scaling.ratio:.2f} × the work of one"


def _at_cap(step: Cost, setting: int, model: Model, busy: float | None) -> str:
    place = model.steps.index(step)
    if setting < model.cap(place) or (busy is not None and busy < REACHED):
        return ""
    if setting == step.most:
        return "; the source has no more items"
    return "; this is the most that is tried, and more may bring more"


def limit_sentences(
    model: Model, setting: Setting, outputs: float, throughput: float
) -> Iterator[str]:
    """Say what bounds the throughput at a setting, and what a free-threaded interpreter could give.

    Args:
        model: what settings are expected to give.
        setting: the numbers found.
        outputs: results of the pipeline per item of the source.
        throughput: results per second that were measured with them.
    """
    name, limit = min(model.limits().items(), key=lambda entry: entry[1])
    if throughput >= REACHED * limit * outputs:
        yield (
            f"It is bound by {name}: at most {rate(limit * outputs)}, from the cost of single "
            "calls."
        )
    bound = without_gil(model, outputs)
    if bound is None:
        return
    free, gain = bound, min(model.cores, bound / throughput)
    held = [step.name for step in model.steps if step.gil_bound]
    names = " and ".join(held) + (" holds" if len(held) == 1 else " hold") + " the GIL"
    if gain <= 1.05:
        yield f"{names}, but something else is the limit: without the GIL, it would be no faster."
        return
    why = min(model.limits(gil=False).items(), key=lambda entry: entry[1])[0]
    yield (
        f"{names}, so more threads do not help here. A free-threaded interpreter "
        f"would give at most {gain:.1f} × this rate. This is an upper bound and no forecast: the "
        f"smaller of {model.cores:g} (cores) and {free / throughput:.1f} (what {why} would allow, "
        f"{rate(free)}), if a call cost the same CPU time there and threads shared nothing else."
    )


def without_gil(model: Model, outputs: float) -> float | None:
    """Return the bound of the throughput without the GIL, in results per second, if it matters."""
    if not any(step.gil_bound for step in model.steps):
        return None
    return min(model.limits(gil=False).values()) * outputs


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table, the first two columns flush left."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def duration(seconds: float) -> str:
    """Return a time with three digits and a fitting unit."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def size(nbytes: float) -> str:
    """Return a number of bytes with a fitting unit."""
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if nbytes >= factor:
            return f"{nbytes / factor:.3g} {unit}"
    return f"{nbytes:.0f} B"


def rate(per_second: float) -> str:
    """Return a rate in results per second."""
    if not math.isfinite(per_second):
        return "any rate"
    return f"{float(f'{per_second:.3g}'):,.6g} results/s"
