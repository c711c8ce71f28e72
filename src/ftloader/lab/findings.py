"""What a run found for each workload, in plain sentences with intervals.

Every sentence rests on one number of the summary. None speaks of more threads than cores, and a
ratio of arms that were built with different flags carries the mark of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .comparisons import leading, letters
from .laws import Fit, with_interval
from .prose import counted, interval, join, sentence, threads
from .statistics import SMALLEST_RESOLVABLE, Estimate, verdict
from .summary import GIL_ALONE, Comparison, Crossing, Series, Subject, Summary

MARK = " \u2020"


@dataclass(frozen=True)
class Glance:
    """One workload in a row: what the oldest free-threaded arm without the GIL (D) does.

    Attributes:
        title: of the workload.
        speedup: of the most threads over one.
        alone: D/C at the most threads, the GIL alone.
        best: from how many threads on it beats the baseline's best.
        build: what the build costs on one thread: C/B, or C/A where there is no B.
    """

    title: str
    speedup: Estimate | None
    alone: Comparison | None
    best: Crossing | None
    build: Comparison | None


def at_a_glance(summary: Summary) -> list[Glance]:
    """Return a row for each workload; none where nothing ran without the GIL."""
    free = next((arm for arm in summary.arms if arm.name == _free(summary)), None)
    if free is None:
        return []
    rows = []
    for subject in summary.subjects:
        pairs = {one.pair: one for one in reversed(subject.comparisons)}
        series = subject.of(free)
        point = series.at(max(summary.threads)) if series else None
        best = [
            one
            for one in subject.crossings
            if (one.arm, one.rival, one.best) == (free.name, summary.baseline, True)
        ]
        rows.append(
            Glance(
                title=subject.title,
                speedup=point.speedup if point and point.threads > 1 else None,
                alone=pairs.get("D/C"),
                best=best[0] if best else None,
                build=pairs.get("C/B", pairs.get("C/A")),
            )
        )
    return rows


def findings(summary: Summary) -> list[tuple[str, str]]:
    """Return a title and a few short sentences for each workload; :func:`further` has more."""
    return [(subject.title, " ".join(_sentences(subject, summary))) for subject in summary.subjects]


def _sentences(subject: Subject, summary: Summary) -> Iterator[str]:
    most = max(summary.threads)
    if most > 1:
        asked = leading(summary.arms)
        parts = [
            f"{_speedup(one, most)} on {one.arm.name}"
            for one in subject.threaded()
            if one.arm in asked
        ]
        yield f"{sentence(threads(most), end='')} against one: {join(parts)}."
    alone = [one for one in subject.comparisons if one.about.startswith(GIL_ALONE)]
    for one in alone:
        yield _gil_alone(one, several=len(alone) > 1)
    for crossing in subject.crossings:
        if (crossing.arm, crossing.rival) == (_free(summary), summary.baseline):
            yield _overtakes(crossing)


def further(subject: Subject, summary: Summary) -> list[str]:
    """Return what else was found for a workload, one sentence each; its tables have the rest."""
    return list(_further(subject, _free(summary)))


def _further(subject: Subject, free: str) -> Iterator[str]:
    for crossing in subject.crossings:
        if crossing.arm == free and not crossing.rival.threaded:
            yield _overtakes(crossing)
    for one in subject.comparisons:
        if one.pair in _SAID and one.ratio:
            yield (
                f"{_SAID[one.pair]}, {_of(one.above)} did {interval(one.ratio)} times the work of "
                f"{_of(one.below)}{MARK if one.caveat else ''}{_unless_resolved(one.ratio)}."
            )
    for series in subject.threaded():
        if series.laws and series.laws.broken:
            yield f"{series.arm.name}: {series.laws.said}"
        elif series.laws and series.laws.fits and series.arm.name == free:
            yield f"{free}: {series.laws.said}"


# What these comparisons show; the GIL alone and overtaking have sentences of their own.
_SAID = {
    "B/A": "As for a newer version without free threading",
    "C/B": "As for the free-threaded build itself",
    "E/D": "As for a newer free-threaded version",
}


def _free(summary: Summary) -> str:
    """Return the name of the oldest arm without the GIL (D), or nothing."""
    named = {letter: name for name, letter in letters(summary.arms).items()}
    return named.get("D", "")


def _of(text: str) -> str:
    """Turn an arm and its count, such as ``3.12, 1 thread``, round: ``one thread of 3.12``."""
    arm, _, count = text.rpartition(", ")
    return f"{threads(1) if count == '1 thread' else count} of {arm}"


def _speedup(series: Series, count: int) -> str:
    point = series.at(count)
    return (
        f"{interval(point.speedup)} times" if point and point.speedup else "not measured (refused)"
    )


def _gil_alone(one: Comparison, several: bool) -> str:
    arm, _, count = one.above.rpartition(", ")
    binary = f"same {arm.split()[0]} binary" if several else "same binary"
    where = f"Turning off the GIL alone ({binary}, {count})"
    if one.ratio is None:
        return f"{where} could not be judged: its samples were refused."
    ratio = interval(one.ratio)
    return {
        "faster": f"{where} made it {ratio} times as fast.",
        "slower": f"{where} made it slower: {ratio} times the rate.",
        "equal": f"{where} made no difference within 3 %: {ratio}.",
        "not resolved": f"{where}: {ratio} times the rate{_unless_resolved(one.ratio)}.",
    }[one.verdict]


def rival_text(crossing: Crossing) -> str:
    """Say what an arm was held against, such as ``the best of 3.12 (two threads)``."""
    rival, count = crossing.rival, crossing.count
    words = threads(count) if rival.threaded else rival.counted(count)
    return f"the best of {rival.name} ({words})" if count > 1 else f"{words} of {rival.name}"


def _overtakes(one: Crossing) -> str:
    """Say from which thread count on an arm without the GIL beats a rival."""
    mark = MARK if one.caveat else ""
    rival = rival_text(one)
    if one.ratio is None:
        return f"Against {rival} no sample could be accepted."
    if one.threads is not None:
        return (
            f"{one.arm} first beats {rival} at {threads(one.threads)}: "
            f"{interval(one.ratio)} times{mark}."
        )
    return (
        f"{one.arm} is not shown to beat {rival}: {interval(one.ratio)} times at "
        f"{threads(one.last)}{mark}{_unless_resolved(one.ratio)}."
    )


def _unless_resolved(ratio: Estimate) -> str:
    if verdict(ratio) != "not resolved":
        return ""
    if ratio.blocks < SMALLEST_RESOLVABLE:
        return f", on {counted(ratio.blocks, 'block')}, too few to resolve anything"
    return ", which this run does not resolve from 1"


def fit_text(fit: Fit) -> str:
    """Write a law's parameters with their intervals, as far as they may be quoted."""
    if not fit.identified:
        return "not identified"
    parts = [f"\u03b1 {with_interval(fit.alpha)}"]
    if fit.beta is not None:
        parts.append(f"\u03b2 {with_interval(fit.beta)}")
    elif fit.law == "usl":
        parts.append("\u03b2 not told from 0")
    # Below 1 where every thread slows the others: there is no peak to speak of.
    if fit.peak is not None and fit.peak.value >= 1:
        parts.append(f"N* {with_interval(fit.peak)}")
    return ", ".join(parts)
