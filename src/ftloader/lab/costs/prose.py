"""The plain sentences of a cost report, made from numbers of the summary and from nothing else."""

from __future__ import annotations

from collections import Counter

from ..arms import flag_differences
from ..prose import interval, number
from ..statistics import SMALLEST_RESOLVABLE, what_blocks_allow
from .analyse import MET, MISSED, NOT_JUDGED, NOT_MEASURED, UNDECIDED, CostSummary, Target


def lead(summary: CostSummary) -> str:
    """Say how many targets were met, in one sentence."""
    if summary.blocks < SMALLEST_RESOLVABLE:
        return "Too few blocks to judge a target; the numbers show that the harness works."
    counts = Counter(one.verdict for target in summary.targets for one in target.results)
    total = sum(counts.values())
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
    said.append(
        f"One machine with {summary.header['machine']['cores']} cores, which workers, reader and "
        "feeder share; nothing is said about more."
    )
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
    if summary.status == "interrupted":
        said.append("The run was interrupted; the numbers rest on the processes that had ended.")
    return said


__all__ = ["interval", "lead", "limit", "number", "opening", "shows_not"]
