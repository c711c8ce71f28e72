"""What to try against a bottleneck; only what the counters give a reason for.

An operation's time is wall time: it may compute, wait for I/O, or queue for the GIL. Which of
them shows only beside the processor time that the process used meanwhile, and not always then; so
where several explanations fit, each is named with its condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..engine.stats import RunStats, StageStats
from ..runtime import cpu_budget, gil_enabled
from .table import seconds, times

ASYNC: Final = ("coroutine", "async generator")
REGROUPING: Final = ("aggregate", "disaggregate")

# Where "much" begins. None of these is sharp; each is only used to choose between sentences.
#: Share of the cores from which on none is left.
FULL: Final = 0.9
#: Operations that use less than this share of their time on a core mostly wait.
WAITING: Final = 0.6
#: Cores that a process uses in which one thread at a time runs: one, give or take.
ONE_CORE: Final = (0.8, 1.2)
#: Operations under way per core in use from which on they seem to take turns.
TURNS: Final = 1.3
#: Seconds below which an operation costs about as much as handing its result over.
CHEAP: Final = 20e-6
#: By how much one item in a hundred is slower where others wait for it.
UNEVEN: Final = 2.0
#: Items from which nothing can be concluded.
FEW: Final = 50


@dataclass(frozen=True, slots=True)
class Machine:
    """What the process could use and has used.

    Attributes:
        cores: cores it may keep busy.
        gil: whether the GIL is on.
        cpu: cores it kept busy on average during the run, or ``None`` if nobody measured.
    """

    cores: float
    gil: bool
    cpu: float | None = None

    @classmethod
    def here(cls, cpu: float | None = None) -> Machine:
        """Return this process on this machine.

        Args:
            cpu: cores kept busy on average, if measured.
        """
        return cls(cpu_budget(), gil_enabled(), cpu)


def advise(stage: StageStats | None, stats: RunStats, machine: Machine) -> tuple[str, ...]:
    """Return what to try against a station whose slots are always at work.

    Args:
        stage: its counters; ``None`` for the reader.
        stats: the run's.
        machine: what the process could use and has used.
    """
    if stage is None:
        return ("faster code where the items are used: the pipeline keeps up with it",)
    if stage is stats.stages[0]:
        return (
            "a source that only names its items (paths, indices) and a stage that reads them with "
            "concurrency: the source itself is read by one thread",
        )
    if stage.kind in REGROUPING:
        return ("less work in it, or the same work in a pipe before it: it runs on one thread",)
    advice = _for_async(stage) if stage.kind in ASYNC else _for_threads(stage, stats, machine)
    if stage.retries:
        return (
            f"a look at its {stage.retries:,} repeated calls: the waits between them count as work",
            *advice,
        )
    return advice


def advise_idle(stats: RunStats, machine: Machine) -> tuple[str, ...]:
    """Return what to try where no station is at work for half of the time.

    Args:
        stats: the run's counters.
        machine: what the process could use and has used.
    """
    advice = []
    if stats.delivered < FEW:
        advice.append("a longer measurement")
    if _one_core(machine):
        advice.append(f"a free-threaded interpreter: {_used(machine)}, as if threads took turns")
    if all(stage.p50 < CHEAP for stage in stats.stages):
        advice.append("more work in fewer stages: the operations cost no more than their hand-over")
    else:
        advice.append("a prefetch before the reader, if items come in bursts")
    return tuple(advice)


def hold_up(
    stage: StageStats | None, stats: RunStats, machine: Machine
) -> tuple[str, tuple[str, ...]]:
    """Return why a stage cannot hand over although the next one waits, and what to try.

    Args:
        stage: the stage's counters.
        stats: the run's.
        machine: what the process could use and has used.
    """
    held = sum(other.bytes_held for other in stats.stages)
    if stats.memory_budget is not None and held >= FULL * stats.memory_budget:
        return "the memory budget is used up", (
            "a larger memory_budget",
            "less concurrency before it, so that fewer results are under way",
        )
    in_order: tuple[str, ...] = (
        "output_order='completion', if the order does not matter",
        "a prefetch behind it, so that more results can wait",
    )
    if stage is not None and stage.p99 > UNEVEN * stage.p50:
        spread = f"half take up to {seconds(stage.p50)}, one in a hundred {seconds(stage.p99)}"
        if _one_core(machine):
            in_order += (f"a free-threaded interpreter: {_used(machine)}",)
        return f"they wait for an earlier item that takes longer ({spread})", in_order
    if _one_core(machine):
        return f"its threads seem to take turns with the GIL ({_used(machine)})", (
            "a free-threaded interpreter",
            "operations that release the GIL",
        )
    if machine.cpu is not None and machine.cpu >= FULL * machine.cores:
        return f"its threads wait for a core ({_used(machine)})", ("a cheaper operation",)
    return "the counters do not tell why, perhaps for an earlier item that takes longer", in_order


def _for_async(stage: StageStats) -> tuple[str, ...]:
    advice = [f"a higher concurrency (now {stage.concurrency}): a slot on the event loop is cheap"]
    if stage.blocking_calls:
        advice.insert(
            0,
            f"a plain function for what blocks in it: it held up the event loop "
            f"{times(stage.blocking_calls)}, at most for {seconds(stage.blocking_longest)}",
        )
    return tuple(advice)


def _for_threads(stage: StageStats, stats: RunStats, machine: Machine) -> tuple[str, ...]:
    cores, cpu, now = machine.cores, machine.cpu, stage.concurrency
    under_way = sum(s.busy for s in stats.stages if s.kind not in ASYNC) / stats.elapsed
    if_io = "an async operation, if it waits for I/O"
    if cpu is None:
        if under_way < FULL * cores:
            return f"more concurrency (now {now}, and {cores:g} cores may be used)", if_io
        return "a cheaper operation, if it computes: it has no core left", if_io
    used = _used(machine)
    if cpu >= FULL * cores:
        return (f"a cheaper operation: {used}, so more concurrency gains little",)
    operations = f"{under_way:.1f} operations were under way on average, but {used}"
    if _one_core(machine) and under_way >= TURNS * cpu:
        return (
            f"a free-threaded interpreter, if it is Python code that computes: {operations}, as if "
            "they took turns with the GIL (or other programs had the cores)",
            f"{if_io} instead",
        )
    if cpu >= WAITING * under_way:
        more = f"concurrency={now + max(1, int(cores - cpu))} (now {now}): {used}"
        return (more + ("; this helps where it releases the GIL" if machine.gil else ""),)
    return (f"concurrency={2 * now} (now {now}) or {if_io}: {operations}",)


def _one_core(machine: Machine) -> bool:
    """Tell whether the process used as much as one thread at a time does, with the GIL on."""
    cpu = machine.cpu
    return machine.gil and cpu is not None and ONE_CORE[0] <= cpu <= ONE_CORE[1] < machine.cores


def _used(machine: Machine) -> str:
    return f"{machine.cpu or 0:.1f} of {machine.cores:g} cores are in use" + (
        " with the GIL on" if machine.gil else ""
    )
