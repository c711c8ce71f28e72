"""The plain sentences of a report, each made from numbers of the summary and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .arms import flag_differences
from .comparisons import leading
from .statistics import Estimate, what_blocks_allow, what_cores_allow
from .summary import Point, Summary


def number(value: float) -> str:
    """Format a number to three significant digits, without an exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2
    value = round(value, places) + 0.0  # no "-0.00"
    return f"{value:,.{places}f}".replace(",", "\u202f").replace("-", "\u2212")


def interval(estimate: Estimate | None, write: Callable[[float], str] = number) -> str:
    """Format an estimate with its interval; one block has none."""
    if estimate is None:
        return "\u2013"
    if estimate.blocks == 1:
        return write(estimate.value)
    return f"{write(estimate.value)} ({write(estimate.low)} to {write(estimate.high)})"


def threads(count: int) -> str:
    """Write a thread count with its noun."""
    words = {1: "one thread", 2: "two threads", 3: "three threads", 4: "four threads"}
    return words.get(count, f"{count} threads")


def lead(summary: Summary) -> str:
    """Answer the question in one sentence: the range of speed-ups of each arm over the work."""
    most = max(summary.threads)
    if most < 2:
        return "Only one thread was measured, so nothing is said about scaling."
    parts: list[str] = []
    for arm in leading(summary.arms):
        points = [one.at(most) for s in summary.subjects for one in s.series if one.arm == arm]
        found = [point.speedup.value for point in points if point and point.speedup]
        if found:
            low, high = number(min(found)), number(max(found))
            span = low if low == high else f"{low} to {high}"
            words = " times the work of one" if not parts else " times"
            parts.append(f"{span}{words} on {arm.name}")
    if not parts:
        return "No sample could be accepted, so nothing is said about scaling."
    return f"{sentence(threads(most), end='')} did {join(parts)}, depending on the kind of work."


def opening(summary: Summary) -> str:
    """Say what the numbers are medians of, in one sentence."""
    cores = summary.header["machine"]["cores"]
    return (
        f"Medians over {counted(summary.blocks, 'block')} of separate processes in shuffled order, "
        f"on {counted(cores, 'core')} of one machine."
    )


def shows_not(summary: Summary) -> list[str]:
    """Return what the run cannot say, one sentence each."""
    said = [sentence(what_cores_allow(summary.cores)), sentence(what_blocks_allow(summary.blocks))]
    if summary.status == "interrupted":
        said.append("The run was interrupted; the numbers rest on the processes that had ended.")
    versions = ", ".join(dict.fromkeys(f"{arm.name} ({arm.version})" for arm in summary.arms))
    said.append(
        f"It speaks of {versions} only. CPython 3.13t is experimental and gets no further "
        "free-threading fixes; later versions need their own run."
        if any(arm.free_threaded and arm.version.startswith("3.13") for arm in summary.arms)
        else f"It speaks of {versions} only."
    )
    said += _incomparable(summary)
    if any(not arm.threaded for arm in summary.arms):
        said.append(
            "Process pools send their outputs back pickled, every process holds the inputs for "
            "itself, and their memory is the proportional set size of all processes at the end, "
            "not a high-water mark; loaders that share memory may do better."
        )
    if any(subject.crossings for subject in summary.subjects):
        said.append(
            "An arm's best thread count is the one with the highest median of the same blocks, "
            "which favours that arm a little."
        )
    bare = [name for name, there in _present(summary).items() if not there]
    if bare:
        said.append(f"It has no {join(bare, 'or')} arm, so nothing is compared with one.")
    said.append(
        f"The images ({summary.header['data']['about']}) were in memory: no disk, no network, no "
        "training step and no GPU took part."
    )
    refused, samples = summary.refused
    windows, timed = summary.refused_windows
    said.append(
        f"{refused} of {samples} samples and {windows} of {timed} timed windows were refused "
        "because other processes or the hypervisor took the cores; they count nowhere."
    )
    said.append(
        "Points with more threads than cores show the scheduler, not a scaling law; no statement "
        "rests on them."
    )
    return said + [sentence(note) for note in summary.notes]


def _incomparable(summary: Summary) -> list[str]:
    said = []
    for arm in summary.arms:
        differ = flag_differences(summary.baseline, arm)
        # All arms of one binary have the same flags: say it once.
        if differ and arm.threaded and (arm.gil is False or not arm.free_threaded):
            said.append(
                f"Ratios across {summary.baseline.name} and {arm.version} are marked \u2020: not "
                f"comparable (build flags differ: {differ})."
            )
    return said


def _present(summary: Summary) -> dict[str, bool]:
    return {
        "GIL-build (such as 3.12)": any(not arm.free_threaded for arm in summary.arms),
        "free-threaded GIL-off": any(not arm.gil for arm in summary.arms),
        "free-threaded GIL-on": any(arm.free_threaded and arm.gil for arm in summary.arms),
        "same-source GIL-build": any(
            one.version == other.version and one.free_threaded and not other.free_threaded
            for one in summary.arms
            for other in summary.arms
        ),
        "process-pool": any(not arm.threaded for arm in summary.arms),
    }


def pool_method(summary: Summary) -> str:
    """Say how process pools were used; empty where there were none."""
    tasks = [
        found["per_task"]
        for record in summary.processes
        for found in record["workloads"].values()
        if "per_task" in found
    ]
    if not tasks:
        return ""
    low, high = min(tasks), max(tasks)
    return (
        "A pool's processes come from a fork server and prepare the items by themselves; positions "
        "are sent and outputs come back pickled, in the order of the inputs, two tasks in flight "
        f"for each process, {low if low == high else f'{low} to {high}'} items to a task (2 ms of "
        "work at least). CPU time is that of all processes."
    )


def arm_assertion(summary: Summary, arm: str) -> str:
    """Say in how many processes an arm's GIL state was asserted."""
    records = [record for record in summary.processes if record["arm"] == arm]
    state = "on" if records and records[0]["before"]["gil"] else "off"
    return f"GIL {state} before and after timing in {len(records)} of {len(records)} processes"


def point_label(point: Point) -> str:
    """Write a point's thread count, marked where it is more than the cores."""
    return f"{point.threads}\u2009*" if point.oversubscribed else str(point.threads)


def counted(count: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def join(parts: Iterable[str], word: str = "and") -> str:
    """Write a list as a sentence has it: commas, and a word before the last."""
    listed = list(parts)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {word} {listed[-1]}"


def sentence(text: str, end: str = ".") -> str:
    """Begin with a capital letter and end with a full stop."""
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else end)
