"""Which part of a pipeline limits it, from its counters alone.

A pipeline is a line of stations (the source, the stages, the reader) with bounded buffers between
them. Its throughput is limited by the station with the highest *load*: the share of the run that
its slots were at work, on average. Before it there is no room, behind it there are no items, so
the neighbours block and starve; they confirm it. Rules, in order:

1. Where nothing was ever blocked, the engine takes turns (``serial``) or does not see its stages
   wait (``spdl``): the station that was at work most is named, and nothing more is said.
2. If a stage was mostly blocked while the one behind it starved *at the same time* (their shares
   add up to more than the whole), its results are kept from leaving: they wait for an earlier,
   slower item, for memory, or for the processor.
3. Otherwise the station with the highest load is the bottleneck, if that is at least a half.
4. Otherwise nothing is: hand-overs or short bursts take the time, and no sentence says more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ..engine.stats import RunStats, StageStats
from .advice import ASYNC, Machine, advise, advise_idle, hold_up
from .table import reader_times, shares

#: From this load on a station is called the bottleneck without reserve; below LIMITING it is none.
SATURATED: Final = 0.8
LIMITING: Final = 0.5
#: By how much "blocked" and "starved behind" must overlap to be more than noise.
OVERLAP: Final = 0.15
#: The next station's load from which on it is worth a word: it limits the gain to four times.
NEAR: Final = 0.25

SOURCE: Final = "the source"
READER: Final = "the reader"


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What limits a run; printed, it is one sentence and what to try.

    Attributes:
        stage: the stage's name, ``"the source"`` or ``"the reader"``; ``None`` where the counters
            do not show one.
        load: share of the run that its slots were at work, 0 to 1.
        sentence: what the counters show, in a sentence that names it.
        advice: what to try, the likeliest first.
    """

    stage: str | None
    load: float
    sentence: str
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.sentence + (f" Try {'; or '.join(self.advice)}." if self.advice else "")


@dataclass(frozen=True, slots=True)
class Station:
    """A part of the line.

    ``load``, ``starved`` and ``blocked`` are shares of the run that all its slots had, each 0 to 1.
    ``shown`` are the three per cents of the table, which sentences quote: they leave out what had
    not been counted yet (a wait in progress) and time after the source's end.
    """

    name: str
    text: str
    load: float
    starved: float
    blocked: float
    shown: tuple[int, int, int]
    stats: StageStats | None


def bottleneck(stats: RunStats, machine: Machine | None = None) -> Bottleneck:
    """Name what limits a run.

    Args:
        stats: its counters, of the whole run or of a part of it
            (:func:`ftloader.observe.brief.since`).
        machine: what the process could use; by default this one, its use of it unmeasured.

    Determinism: the answer depends on the arguments alone.
    """
    machine = machine or Machine.here()
    if stats.elapsed <= 0 or not (stats.delivered or any(s.busy for s in stats.stages)):
        return Bottleneck(None, 0.0, "Too little has happened to tell what limits the run.")
    line = stations(stats)
    top = max(line, key=lambda station: station.load)
    if not any(stage.blocked for stage in stats.stages):
        return _most_at_work(top)
    for station, behind in pairwise(line[1:]):
        overlap = station.blocked + behind.starved - 1
        if overlap <= OVERLAP or station.blocked <= station.load or not _may_wait(station, stats):
            continue
        # With another station at work, both may just be waiting for the GIL or for a core.
        if station is top or top.load < LIMITING:
            return _held_up(stats, station, behind, machine)
    return _busiest(stats, line, machine)


def stations(stats: RunStats) -> list[Station]:
    """Return the source, the stages and the reader as stations."""
    line = []
    for number, stage in enumerate(stats.stages):
        time = stats.elapsed * max(stage.concurrency, 1)
        # A long operation is counted when it ends, so a short interval may get more than its own.
        load, starved, blocked = (
            min(part / time, 1.0) for part in (stage.busy, stage.starved, stage.blocked)
        )
        name = stage.name if number else SOURCE
        shown = _shown(stage.busy, stage.starved, stage.blocked)
        line.append(Station(name, _quoted(name), load, starved, blocked, shown, stage))
    waited, worked = (part / stats.elapsed for part in reader_times(stats))
    shown = _shown(worked, waited, 0.0)
    return [*line, Station(READER, READER, worked, waited, 0.0, shown, None)]


def _may_wait(station: Station, stats: RunStats) -> bool:
    """Tell whether results can be kept back: by an earlier one, or by the memory budget."""
    stage = station.stats
    return stage is not None and (stage.concurrency > 1 or stats.memory_budget is not None)


def _busiest(stats: RunStats, line: list[Station], machine: Machine) -> Bottleneck:
    place = max(range(len(line)), key=lambda i: line[i].load)
    top = line[place]
    if top.load < LIMITING:
        sentence = f"Nothing limits the run by itself: the busiest is {top.text}, {_at_work(top)}."
        return Bottleneck(None, top.load, sentence, advise_idle(stats, machine))
    verdict = "The bottleneck is" if top.load >= SATURATED else "The bottleneck is most likely"
    signs = []
    if place > 0 and line[place - 1].blocked >= LIMITING:
        before = line[place - 1]
        signs.append(f"{before.text} before it was blocked {before.shown[2]} %")
    if place + 1 < len(line) and line[place + 1].starved >= LIMITING:
        behind = line[place + 1]
        signs.append(f"{behind.text} behind it waited {behind.shown[1]} %")
    sentence = f"{verdict} {top.text}: {_at_work(top)}"
    sentence += f" ({' and '.join(signs)})." if signs else "."
    second = max((s for s in line if s is not top), key=lambda s: s.load)
    if second.load >= NEAR:
        sentence += (
            f" Next comes {second.text} ({second.shown[0]} %): relieving {top.text} alone gives at "
            f"most {1 / second.load:.1f} times the throughput."
        )
    return Bottleneck(top.name, top.load, sentence, advise(top.stats, stats, machine))


def _held_up(stats: RunStats, station: Station, behind: Station, machine: Machine) -> Bottleneck:
    reason, advice = hold_up(station.stats, stats, machine)
    sentence = (
        f"The bottleneck is {station.text}: its results were kept from leaving {station.shown[2]} "
        f"% of the time although {behind.text} behind it waited {behind.shown[1]} %; {reason}."
    )
    return Bottleneck(station.name, station.load, sentence, advice)


def _most_at_work(top: Station) -> Bottleneck:
    return Bottleneck(
        top.name,
        top.load,
        f"Most of the time went to {top.text}: {_at_work(top)}.",
        ("engine='threads', which works on several items at once and times every wait",),
    )


def _at_work(station: Station) -> str:
    stage, share = station.stats, f"{station.shown[0]} % of the time"
    if stage is None:
        return f"it was at work {share}"
    what, state = ("slot", "taken") if stage.kind in ASYNC else ("worker", "busy")
    if stage.concurrency == 1:
        return f"its one {what} was {state} {share}"
    return f"its {stage.concurrency} {what}s were {state} {share}"


def _shown(busy: float, starved: float, blocked: float) -> tuple[int, int, int]:
    split = shares((busy, starved, blocked))
    return (split[0], split[1], split[2]) if split else (0, 0, 0)


def _quoted(name: str) -> str:
    return name if name in (SOURCE, READER) else repr(name)
