"""The plain sentences of a report, each made from numbers of the summary and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from .arms import flag_differences
from .statistics import (
    SMALLEST_RESOLVABLE,
    Estimate,
    verdict,
    what_blocks_allow,
    what_cores_allow,
)
from .summary import GIL_ALONE, Comparison, Point, Series, Subject, Summary


def number(value: float) -> str:
    """Format a number to three significant digits, without an exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2
    value = round(value, places) + 0.0  # no "-0.00"
    return f"{value:,.{places}f}".replace(",", "\u202f").replace("-", "\u2212")


def interval(estimate: Estimate | None) -> str:
    """Format an estimate with its interval; one block has none."""
    if estimate is None:
        return "\u2013"
    if estimate.blocks == 1:
        return number(estimate.value)
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"


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
    for arm in summary.arms:
        points = [one.at(most) for s in summary.subjects for one in s.series if one.arm == arm]
        found = [point.speedup.value for point in points if point and point.speedup]
        if found:
            low, high = number(min(found)), number(max(found))
            span = low if low == high else f"{low} to {high}"
            words = " times the work of one" if not parts else " times"
            parts.append(f"{span}{words} on {arm.name}")
    if not parts:
        return "No sample could be accepted, so nothing is said about scaling."
    return f"{_sentence(threads(most), end='')} did {_join(parts)}, depending on the kind of work."


def opening(summary: Summary) -> str:
    """Say what the numbers are medians of, in one sentence."""
    cores = summary.header["machine"]["cores"]
    return (
        f"Medians over {_count(summary.blocks, 'block')} of separate processes in shuffled order, "
        f"on {_count(cores, 'core')} of one machine."
    )


def findings(summary: Summary) -> list[tuple[str, str]]:
    """Return a title and a few short sentences for each workload."""
    return [(subject.title, _finding(subject, summary)) for subject in summary.subjects]


def _finding(subject: Subject, summary: Summary) -> str:
    most = max(summary.threads)
    said = []
    if most > 1:
        parts = [f"{_speedup(one, most)} on {one.arm.name}" for one in subject.series]
        said.append(f"{_sentence(threads(most), end='')} against one: {_join(parts)}.")
    off = subject.of(gil=False, free_threaded=True)
    plain = subject.of(gil=True, free_threaded=False)
    said += [_gil_alone(one) for one in subject.comparisons if one.about.startswith(GIL_ALONE)]
    if off and plain:
        said.append(_overtakes(off, plain, summary))
    return " ".join(said)


def _speedup(series: Series, count: int) -> str:
    point = series.at(count)
    return (
        f"{interval(point.speedup)} times" if point and point.speedup else "not measured (refused)"
    )


def _gil_alone(one: Comparison) -> str:
    where = f"Turning off the GIL alone (same binary, {one.above.rpartition(', ')[2]})"
    if one.ratio is None:
        return f"{where} could not be judged: its samples were refused."
    ratio = interval(one.ratio)
    return {
        "faster": f"{where} made it {ratio} times as fast.",
        "slower": f"{where} made it slower: {ratio} times the rate.",
        "equal": f"{where} made no difference within 3 %: {ratio}.",
        "not resolved": f"{where}: {ratio} times the rate, {_unresolved(one.ratio)}.",
    }[one.verdict]


def _overtakes(off: Series, plain: Series, summary: Summary) -> str:
    """Say from which thread count on the GIL-less arm beats the GIL build's one thread."""
    mark = " \u2020" if flag_differences(off.arm, plain.arm) else ""
    inside = [point for point in off.points if not point.oversubscribed and point.versus]
    for point in inside:
        if point.versus and verdict(point.versus) == "faster":
            return (
                f"{off.arm.name} first beats one thread of {plain.arm.name} at "
                f"{threads(point.threads)}: {interval(point.versus)} times{mark}."
            )
    if not inside:
        return f"Against one thread of {plain.arm.name} no sample could be accepted."
    last = inside[-1]
    why = (
        f", {_unresolved(last.versus)}" if last.versus and verdict(last.versus) != "slower" else ""
    )
    return (
        f"{off.arm.name} is not shown to beat one thread of {plain.arm.name}: "
        f"{interval(last.versus)} times at {threads(last.threads)}{mark}{why}."
    )


def _unresolved(ratio: Estimate) -> str:
    if ratio.blocks < SMALLEST_RESOLVABLE:
        return f"on {_count(ratio.blocks, 'block')}, too few to resolve anything"
    return "which this run does not resolve from 1"


def shows_not(summary: Summary) -> list[str]:
    """Return what the run cannot say, one sentence each."""
    cores = int(summary.header["machine"]["cores"])
    said = [_sentence(what_cores_allow(cores)), _sentence(what_blocks_allow(summary.blocks))]
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
    bare = [name for name, there in _present(summary).items() if not there]
    if bare:
        said.append(f"It has no {_join(bare, 'or')} arm, so nothing is compared with one.")
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
    return said + [_sentence(note) for note in summary.notes]


def _incomparable(summary: Summary) -> list[str]:
    said = []
    for arm in summary.arms:
        differ = flag_differences(summary.baseline, arm)
        # Both arms of one binary have the same flags: say it once.
        if differ and (arm.gil is False or not arm.free_threaded):
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
    }


def arm_assertion(summary: Summary, arm: str) -> str:
    """Say in how many processes an arm's GIL state was asserted."""
    records = [record for record in summary.processes if record["arm"] == arm]
    state = "on" if records and records[0]["before"]["gil"] else "off"
    return f"GIL {state} before and after timing in {len(records)} of {len(records)} processes"


def point_label(point: Point) -> str:
    """Write a point's thread count, marked where it is more than the cores."""
    return f"{point.threads}\u2009*" if point.oversubscribed else str(point.threads)


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _join(parts: Iterable[str], word: str = "and") -> str:
    listed = list(parts)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {word} {listed[-1]}"


def _sentence(text: str, end: str = ".") -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else end)
