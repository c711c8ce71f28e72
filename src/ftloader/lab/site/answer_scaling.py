"""The first headline: what a loader's threads gain when the GIL goes away.

Every ratio is taken inside a block, at the most threads within the cores, and summarised over
blocks, as on the experiment's own page; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .. import prose
from ..arms import Arm, flag_differences
from ..statistics import Estimate, block_ratios, estimate, verdict
from . import rows
from .rows import Files, Row, Sentence


@dataclass(frozen=True)
class Ratio:
    """A ratio of one kind of work: its name, the estimate, and what the interval allows."""

    title: str
    found: Estimate
    verdict: str


class Scaling:
    """What the rows of one scaling run hold; remembers which rows it was asked for."""

    def __init__(self, files: Files) -> None:
        ((self.name, self.rows),) = files.items()
        self.header = self.rows[0].record
        self.most = max(self.header["run"]["threads"])
        self.arms = [Arm.from_json(one) for one in self.header["arms"]]
        self.used: list[Row] = [self.rows[0]]

    @property
    def threads(self) -> list[Arm]:
        """The arms whose workers are threads."""
        return [one for one in self.arms if one.threaded]

    def pair(self) -> tuple[Arm, Arm] | None:
        """Return the first arms that differ in the GIL and in nothing else: off, on."""
        for off in self.threads:
            for on in self.threads:
                same = (on.version, on.free_threaded, on.gil) == (off.version, True, True)
                if same and not off.gil:
                    return off, on
        return None

    def plain(self) -> Arm | None:
        """Return the first arm of a build with the GIL."""
        return next((one for one in self.threads if not one.free_threaded), None)

    def rates(self, arm: Arm, threads: int, workload: str) -> dict[int, float]:
        """Return items per second by block; a block's later line counts."""
        found = {}
        for row in rows.measured(self.rows):
            one = row.record
            if (one["arm"], one["threads"]) == (arm.name, threads):
                self.used.append(row)
                rate = one["workloads"].get(workload, {}).get("throughput")
                found[int(one["block"])] = rate
        return {block: float(rate) for block, rate in found.items() if rate is not None}

    def ratios(self, above: Callable[[str], Any], below: Callable[[str], Any]) -> list[Ratio]:
        """Divide two kinds of rates block by block, for each kind of work that has both."""
        found = []
        for one in self.header["experiment"]["workloads"]:
            numbers = block_ratios(above(one["name"]), below(one["name"]))
            if numbers:
                ratio = estimate(numbers)
                found.append(Ratio(one["title"], ratio, verdict(ratio)))
        return sorted(found, key=lambda one: -one.found.value)

    def gil_alone(self) -> list[Ratio]:
        """Return the rate without the GIL over that with it, same binary, most threads."""
        pair = self.pair()
        if pair is None:
            return []
        off, on = (partial(self.rates, arm, self.most) for arm in pair)
        return self.ratios(off, on)

    def speedups(self, arm: Arm) -> list[Ratio]:
        """Return the rate of the most threads over that of one, same arm."""
        return self.ratios(partial(self.rates, arm, self.most), partial(self.rates, arm, 1))

    def where(self) -> str:
        """Say on what: "two threads on 2 cores"."""
        cores = self.header["machine"]["cores"]
        return f"{prose.threads(self.most)} on {cores} {'core' if cores == 1 else 'cores'}"


def gil_alone(files: Files) -> Sentence:
    """Say what switching off the GIL does to each kind of work."""
    run = Scaling(files)
    found, pair = run.gil_alone(), run.pair()
    if not found or pair is None or run.most < 2:
        text = "No run with several threads has the GIL on and off in one binary."
        return rows.sentence(gil_alone, text, {run.name: run.used})
    opening = f"Switching off the GIL alone (same binary, {run.where()})"
    said: list[str] = []
    for word, form in _SAID.items():
        some = [one for one in found if one.verdict == word]
        if some:
            share = "all" if len(some) == len(found) else f"{len(some)} of"
            count = str(len(some)) if said else f"{share} {len(found)} kinds of work"
            start = "it" if said else opening
            said.append(form.format(start=start, count=count, some=_some(some)))
    text = " ".join(f"{one[:1].upper()}{one[1:]}." for one in said)
    return rows.sentence(gil_alone, text, {run.name: run.used})


_SAID = {
    "faster": "{start} made {count} faster: **{some}**",
    "slower": "{start} made {count} slower: {some}",
    "equal": "{start} left {count} within 3 %: {some}",
    "not resolved": "{start} left {count} unresolved: {some}",
}


def scaling(files: Files) -> Sentence:
    """Say what a second, third … thread brings without the GIL, and on the build with it."""
    run = Scaling(files)
    pair, plain = run.pair(), run.plain()
    arms = [one for one in (pair[0] if pair else None, plain) if one is not None]
    said = []
    for arm in arms:
        found = run.speedups(arm)
        if found and run.most > 1:
            said.append(f"on {arm.name} {_range(found)}")
    if not said:
        text = "No run with several threads is committed."
        return rows.sentence(scaling, text, {run.name: run.used})
    many = prose.threads(run.most).capitalize()
    text = f"{many} against one of the same arm: {'; '.join(said)}."
    return rows.sentence(scaling, text, {run.name: run.used})


def gain(files: Files) -> Sentence:
    """Say what somebody gains who moves: without the GIL against the GIL build at its best."""
    run = Scaling(files)
    pair, plain = run.pair(), run.plain()
    found: list[Ratio] = []
    if pair and plain and run.most > 1:
        off = pair[0]
        found = run.ratios(partial(run.rates, off, run.most), partial(_best, run, plain))
    if not found or not pair or not plain:
        text = "No run has both a build with the GIL and one without it."
        return rows.sentence(gain, text, {run.name: run.used})
    differ = flag_differences(pair[0], plain)
    mark = f" (not like for like: build flags differ, {differ})" if differ else ""
    text = (
        f"Against {plain.name} at its best thread count, {prose.threads(run.most)} of "
        f"{pair[0].name} did {_range(found)}{mark}."
    )
    return rows.sentence(gain, text, {run.name: run.used})


def _best(run: Scaling, arm: Arm, workload: str) -> dict[int, float]:
    """Return an arm's rates at the thread count with the highest median within the cores."""
    counts = {one: run.rates(arm, one, workload) for one in run.header["run"]["threads"]}
    medians = {
        count: estimate(list(rates.values())).value for count, rates in counts.items() if rates
    }
    return counts[max(medians, key=lambda count: medians[count])] if medians else {}


def _one(ratio: Ratio) -> str:
    return f"“{ratio.title}” {prose.interval(ratio.found)} times"


def _some(found: Sequence[Ratio]) -> str:
    """Name up to three; of more, the ends."""
    if len(found) <= 3:
        return prose.join([_one(one) for one in found])
    return f"from {_one(found[-1])} to {_one(found[0])}"


def _range(found: Sequence[Ratio]) -> str:
    if len(found) == 1:
        return f"{prose.interval(found[0].found)} times"
    low, high = found[-1], found[0]
    return (
        f"from {prose.interval(low.found)} times, “{low.title}”, to "
        f"**{prose.interval(high.found)} times**, “{high.title}”"
    )
