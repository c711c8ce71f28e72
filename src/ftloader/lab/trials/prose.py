"""The plain sentences of a report of trials, made from numbers of the summary and nothing else."""

from __future__ import annotations

import math
from collections import Counter

from .. import prose
from ..arms import flag_differences
from ..prose import join
from ..statistics import SMALLEST_RESOLVABLE, Estimate, what_blocks_allow
from .analyse import (
    CONFIRMED,
    LEFT_OUT,
    NOT_JUDGED,
    NOT_MEANT,
    NOT_MEASURED,
    REFUTED,
    UNDECIDED,
)
from .summary import Fate, Judged, Tested, TrialSummary

_VERDICTS = (CONFIRMED, REFUTED, UNDECIDED, NOT_JUDGED, NOT_MEASURED, LEFT_OUT)


def number(value: float) -> str:
    """Format a number to three significant digits, below 0.1 to two, without an exponent."""
    size = abs(value)
    if 0 < size < 0.1:
        places = 1 - math.floor(math.log10(size))
        return f"{value:.{places}f}".replace("-", "\u2212")
    return prose.number(value)


def interval(estimate: Estimate | None) -> str:
    """Format an estimate with its interval; one block has none."""
    return prose.interval(estimate, number)


def lead(summary: TrialSummary) -> str:
    """Say in one sentence what became of the hypotheses."""
    if summary.blocks < SMALLEST_RESOLVABLE:
        return "Too few blocks to judge a hypothesis; the numbers show that the harness works."
    counts = Counter(one.verdict for tested in summary.hypotheses for one in tested.results)
    # What could not be tried at all was not judged; the list of limits names it.
    total = sum(counts.values()) - counts[LEFT_OUT] - counts[NOT_MEANT]
    if not total:
        return "No hypothesis could be judged."
    said = [f"{counts[word]} {word}" for word in (CONFIRMED, REFUTED, UNDECIDED) if counts[word]]
    rest = counts[NOT_JUDGED] + counts[NOT_MEASURED]
    if rest:
        said.append(f"{rest} without enough accepted trials")
    hypotheses = sum(bool(tested.results) for tested in summary.hypotheses)
    return (
        f"Of {_count(total, 'judgement')} ({_count(hypotheses, 'hypothesis', 'hypotheses')}, each "
        f"in every arm it speaks of): {join(said)}."
    )


def opening(summary: TrialSummary) -> str:
    """Say what the numbers are medians of."""
    return (
        f"Medians over {_count(summary.blocks, 'block')}; in each block every contender does every "
        "job once in every arm, in a process of its own, all in random order. Ratios are taken "
        "inside blocks. In brackets: 95 % intervals over blocks."
    )


def findings(summary: TrialSummary) -> list[tuple[str, str]]:
    """Return each hypothesis with a sentence on what came of it."""
    return [
        (f"{one.text}: {limit(one)}", _finding(one)) for one in summary.hypotheses if one.results
    ]


def _finding(tested: Tested) -> str:
    said = []
    for word in _VERDICTS:
        mine = [one for one in tested.results if one.verdict == word]
        if mine:
            said.append(f"{word} on {join(_on(one) for one in mine)}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _on(one: Judged) -> str:
    where = one.where if one.estimate is None else f"{one.where}: {interval(one.estimate)}"
    return f"{where}, {_count(one.failed, 'trial')} having failed" if one.failed else where


def limit(tested: Tested) -> str:
    """Write a hypothesis's limit."""
    sign = "≤" if tested.better == "lower" else "≥"
    return f"{sign} {tested.limit:g} {tested.unit}".rstrip()


def fate(one: Fate) -> str:
    """Say what became of trials that have no number, or not all; empty if all of them have one."""
    if not one.fits:
        return "not in this arm"
    if one.missing:
        return "left out"
    said = []
    if one.failed:
        said.append(f"{one.failed} of {one.blocks} failed")
    if one.busy:
        said.append(f"{one.busy} of {one.blocks} refused")
    return ", ".join(said)


def tally(one: Fate) -> str:
    """Say how many trials of a contender count, and what became of the others."""
    if one.missing or not one.fits:
        return fate(one)
    count = one.blocks - one.failed - one.busy
    return ", ".join(
        [
            f"{count} of {one.blocks}",
            *([f"{one.failed} failed"] if one.failed else []),
            *([f"{one.busy} refused"] if one.busy else []),
        ]
    )


def shows_not(summary: TrialSummary) -> list[str]:
    """Return what the run cannot say, one sentence each."""
    described = summary.header["experiment"]
    blocks = what_blocks_allow(summary.blocks)
    refused, trials = summary.refused
    said = [*described["limits"], blocks[0].upper() + blocks[1:] + "."]
    said.append(
        f"{refused} of {trials} trials were refused because other processes or the hypervisor took "
        "the cores; they count nowhere, and each was tried once more."
    )
    said += [f"Left out on {join(arms)} ({why}): {title}." for title, why, arms in summary.left_out]
    if summary.failures:
        lost = sum(one.count for one in summary.failures)
        said.append(
            f"{_count(lost, 'trial')} failed (listed above); the numbers of such a contender rest "
            "on the trials that it survived."
        )
    if described["unasked"]:
        unasked = _count(described["unasked"], "hypothesis", "hypotheses")
        said.append(f"{unasked} of this experiment speak of what this run did not measure.")
    cores = summary.header["machine"]["cores"]
    said.append(f"One machine, on {cores} of its cores; nothing is said about more.")
    said += _builds(summary)
    if summary.status == "interrupted":
        said.append("The run was interrupted; the numbers rest on the processes that had ended.")
    return said


def _builds(summary: TrialSummary) -> list[str]:
    differ = {
        flag_differences(one, other)
        for one in summary.arms
        for other in summary.arms
        if not one.free_threaded and other.free_threaded
    } - {""}
    return [
        f"Numbers of arms of different builds are not compared (build flags differ: {text})."
        for text in sorted(differ)
    ]


def _count(count: int, noun: str, nouns: str = "") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {nouns or noun + 's'}"
