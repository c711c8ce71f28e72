"""The plain sentences of a cost report, made from numbers of the summary and from nothing else."""

from __future__ import annotations

from collections import Counter

from ..arms import flag_differences
from ..prose import interval, number
from ..statistics import SMALLEST_RESOLVABLE, what_blocks_allow
from .analyse import (
    LEFT_OUT,
    MET,
    MISSED,
    NOT_JUDGED,
    NOT_MEASURED,
    UNDECIDED,
    CostSummary,
    Target,
)


def lead(summary: CostSummary) -> str:
    """Say how many targets were met, in one sentence."""
    if summary.blocks < SMALLEST_RESOLVABLE:
        return "Too few blocks to judge a target; the numbers show that the harness works."
    counts = Counter(one.verdict for target in summary.targets for one in target.results)
    # What could not be measured at all was not judged; the list of limits names it.
    total = sum(counts.values()) - counts[LEFT_OUT]
    said = [f"{counts[word]} {word}" for word in (MET, MISSED, UNDECIDED) if counts[word]]
    rest = counts[NOT_JUDGED] + counts[NOT_MEASURED]
    if rest:
        said.append(f"{rest} without enough accepted windows")
    return (
        f"Of {total} judgements ({len(summary.targets)} targets, each in every arm it speaks of): "
        + (", ".join(said) + ".")
    )


def opening(summary: CostSummary) -> str:
    """Say what the numbers are medians of."""
    blocks = "1 block" if summary.blocks == 1 else f"{summary.blocks} blocks"
    return (
        f"Medians over {blocks}, one process per arm and block; every ratio is of windows that "
        "followed each other in one process. In brackets: 95 % intervals over blocks."
    )


def limit(target: Target) -> str:
    """Write a target's limit."""
    return f"{'≤' if target.better == 'lower' else '≥'} {target.limit:g}"


def shows_not(summary: CostSummary) -> list[str]:
    """Return what the run cannot say, one sentence each."""
    said = [*summary.header["experiment"]["limits"]]
    blocks = what_blocks_allow(summary.blocks)
    said.append(blocks[0].upper() + blocks[1:] + ".")
    refused, windows = summary.refused_windows
    said.append(
        f"{refused} of {windows} windows were refused because other processes or the hypervisor "
        "took the cores; they count nowhere."
    )
    said.append(_cores(summary))
    differ = {
        flag_differences(one, other)
        for one in summary.arms
        for other in summary.arms
        if not one.free_threaded and other.free_threaded
    } - {""}
    said += [
        f"Times of arms of different builds are not compared (build flags differ: {text})."
        for text in sorted(differ)
    ]
    said += _left_out(summary)
    if summary.status == "interrupted":
        said.append("The run was interrupted; the numbers rest on the processes that had ended.")
    return said


def method(summary: CostSummary) -> str:
    """Say when the clock ran."""
    if summary.header["experiment"].get("one_thread"):
        return (
            "each contender runs on the calling thread alone, and the clock around its calls only"
        )
    return "the clock runs from arrival to arrival at the reader, in a run that goes on behind it"


def _left_out(summary: CostSummary) -> list[str]:
    """Name what could not be measured: one sentence for the same reason on the same arms."""
    arms: dict[tuple[str, str], set[str]] = {}
    for cell in summary.header["experiment"]["cells"]:
        for contender in cell["contenders"]:
            for record in summary.processes:
                found = record["cells"][cell["name"]]["contenders"][contender["name"]]
                if "missing" in found:
                    key = (contender["title"], found["missing"])
                    arms.setdefault(key, set()).add(record["arm"])
    titles: dict[tuple[str, str], list[str]] = {}
    for (title, why), names in arms.items():
        titles.setdefault((", ".join(sorted(names)), why), []).append(title)
    return [f"Left out on {on} ({why}): {', '.join(who)}." for (on, why), who in titles.items()]


def _cores(summary: CostSummary) -> str:
    cores = summary.header["machine"]["cores"]
    if summary.header["experiment"].get("one_thread"):
        return f"One thread on one machine with {cores} cores; nothing is said about several."
    return (
        f"One machine with {cores} cores, which workers, reader and feeder share; nothing is said "
        "about more."
    )


__all__ = ["interval", "lead", "limit", "method", "number", "opening", "shows_not"]
