"""What a setting is expected to give: throughput, cores and bytes, from what each stage costs.

Pure arithmetic on measured costs. A stage that works on ``n`` items at once, each for ``w``
seconds, finishes at most ``n / w`` of them a second (Little's law); all stages together need their
CPU time from the cores, those that hold the GIL need theirs from one core, and so do those on the
event loop. The smallest of these limits is the expected throughput. It is optimistic, so it
proposes settings to try and rules out wasteful ones; it never decides between two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

#: Concurrency of each step, in order; 1 for a step that has none.
Setting = tuple[int, ...]

#: Values that are tried; between two of them a neighbour would hardly differ.
LADDER: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
MOST_THREADS: Final = 64
MOST_TASKS: Final = 256
#: From this share of CPU time on, a stage's workers count against the cores.
COMPUTES: Final = 0.1
#: Cores count as full from this share on: an operation is never measured to compute all the time.
FULL: Final = 0.9
#: A stage with less than this share of all CPU time needs no more threads for it.
CHEAP: Final = 0.05
#: Results that wait behind a step without concurrency, as in the engine.
BUFFER: Final = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step costs.

    Attributes:
        name: the step's name.
        kind: of its operation, or ``"regroup"``.
        calls: calls per item of the source.
        seconds: wall time of one call.
        cpu: CPU time of one call, in seconds; never more than ``seconds``.
        nbytes: bytes of one result.
        concurrency: the number it has, or ``None`` if one is to be found.
        gil_bound: whether it holds the GIL so long that two threads do no more than one.
        buffer: results that may wait behind it, if a prefetch says so.
        most: highest number worth trying, whatever the costs say.
    """

    name: str
    kind: str
    calls: float
    seconds: float
    cpu: float
    nbytes: float = 0.0
    concurrency: int | None = None
    gil_bound: bool | None = None
    buffer: int | None = None
    most: int = MOST_TASKS

    @property
    def share(self) -> float:
        """The share of its time in which it computes."""
        return min(1.0, self.cpu / self.seconds) if self.seconds > 0 else 1.0

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop."""
        return self.kind in ("coroutine", "async generator")

    def held(self, workers: int) -> float:
        """Return the bytes of results it keeps in flight at most, with so many workers."""
        waiting = self.buffer if self.buffer is not None else max(BUFFER, workers)
        return self.nbytes * (workers + waiting)


@dataclass(frozen=True, slots=True)
class Model:
    """The steps of a pipeline, and what they may use.

    Attributes:
        steps: their costs, in order.
        cores: cores that may be kept busy.
        strict: whether ``cores`` was asked for, so that not even a trial may plan for more.
        memory: bytes of results that may be in flight, or ``None``.
        source_rate: items per second that the source gives at most.
        source_bytes: bytes of the source's results in flight.
    """

    steps: tuple[Cost, ...]
    cores: float
    strict: bool = False
    memory: int | None = None
    source_rate: float = math.inf
    source_bytes: float = 0.0

    @property
    def tuned(self) -> tuple[int, ...]:
        """Places of the steps whose concurrency is to be found."""
        return tuple(place for place, step in enumerate(self.steps) if step.concurrency is None)

    @property
    def ones(self) -> Setting:
        """The smallest setting."""
        return tuple(step.concurrency or 1 for step in self.steps)

    @property
    def cpu(self) -> float:
        """CPU seconds for one item of the source, over all steps."""
        return sum(step.calls * step.cpu for step in self.steps)

    def cap(self, place: int) -> int:
        """Return the highest number worth trying for a step."""
        step = self.steps[place]
        share = max(step.share, 1e-9)
        if step.is_async:
            # Eight times what fills the loop's thread: a single operation costs more CPU time
            # than one among many.
            cap = min(MOST_TASKS, math.ceil(8 / share))
        else:
            cores = 1.0 if step.gil_bound else self.cores
            cap = min(MOST_THREADS, max(2, math.ceil(2 * cores / share)))
        return max(1, min(cap, step.most))

    def limits(self, *, gil: bool = True) -> dict[str, float]:
        """Return what bounds the throughput whatever the setting, in source items per second.

        Args:
            gil: whether the stages that hold the GIL are bound by it.
        """
        limits = {"the source": self.source_rate}
        limits["the cores"] = _per(self.cores, self.cpu)
        on_loop = sum(step.calls * step.cpu for step in self.steps if step.is_async)
        limits["the event loop's thread"] = _per(1.0, on_loop)
        if gil:
            holding = sum(step.calls * step.cpu for step in self.steps if step.gil_bound)
            limits["the GIL"] = _per(1.0, holding)
        for step in self.steps:
            if step.concurrency is not None:
                limits[f"stage {step.name!r}"] = _per(step.concurrency, step.calls * step.seconds)
        return limits

    def expected(self, setting: Setting) -> float:
        """Return the expected throughput of a setting, in source items per second."""
        return min(*self.limits().values(), self._unlimited(setting))

    def nbytes(self, setting: Setting) -> float:
        """Return the bytes of results that a setting keeps in flight at most."""
        held = (step.held(n) for step, n in zip(self.steps, setting, strict=True))
        return self.source_bytes + sum(held)

    def fits(self, setting: Setting) -> bool:
        """Tell whether a setting stays within memory and has no worker too many for the cores.

        A worker that computes is one too many if the cores are full without it.
        """
        if self.memory is not None and self.nbytes(setting) > self.memory:
            return False
        cores = self.cores if self.strict else 2 * self.cores
        for place in self.tuned:
            if setting[place] > 1 and self.steps[place].share >= COMPUTES:
                without = replaced(setting, place, setting[place] - 1)
                if self._unlimited(without) * self.cpu >= FULL * cores:
                    return False
        return True

    def shrunk(self, setting: Setting) -> Setting | None:
        """Return a setting that fits, by taking workers away where that costs least, or none."""
        while not self.fits(setting):
            smaller = [
                replaced(setting, place, setting[place] - 1)
                for place in self.tuned
                if setting[place] > 1
            ]
            if not smaller:
                return None
            setting = max(smaller, key=lambda s: (self._unlimited(s), -self.nbytes(s)))
        return setting

    def candidates(self) -> list[Setting]:
        """Return settings worth trying, the most promising first."""
        top = min(self.limits().values())
        found: dict[Setting, None] = {}
        for setting in (*self._balanced(top), *self._filled(top), self.ones):
            fitting = self.shrunk(setting)
            if fitting is not None:
                found[fitting] = None
        return sorted(found, key=lambda s: (-round(self.expected(s), 6), sum(s)))

    def needed(self, rate: float) -> Setting:
        """Return the smallest setting that is expected to reach a throughput, within the caps."""
        setting = list(self.ones)
        for place in self.tuned:
            step = self.steps[place]
            cap = self.cap(place)
            busy = step.calls * step.seconds
            wanted = rate * busy if busy > 0 else 0.0
            # A hundredth of a worker is no reason for another one.
            setting[place] = max(1, math.ceil(wanted - 0.01)) if wanted < cap else cap
        return tuple(setting)

    def _balanced(self, top: float) -> Iterator[Setting]:
        for factor in (1.0, 2.0, 0.5, 0.25, 0.125):
            yield self.needed(top * factor)

    def _filled(self, top: float) -> Iterator[Setting]:
        # As many threads as cores wherever something computes: sampled costs may mislead.
        balanced = self.needed(top)
        for extra in (0, 1):
            setting = balanced
            for place in self.tuned:
                step = self.steps[place]
                heavy = step.calls * step.cpu >= CHEAP * self.cpu
                if heavy and step.share >= 0.5 and not step.is_async:
                    filled = min(self.cap(place), math.ceil(self.cores) + extra)
                    setting = replaced(setting, place, filled)
            yield setting

    def _unlimited(self, setting: Setting) -> float:
        rates = (
            _per(n, step.calls * step.seconds) for step, n in zip(self.steps, setting, strict=True)
        )
        return min(rates, default=math.inf)


def replaced(setting: Setting, place: int, workers: int) -> Setting:
    """Return a setting with another number at one place."""
    return (*setting[:place], workers, *setting[place + 1 :])


def above(workers: int, cap: int) -> int:
    """Return the next number to try upwards: about twice as many, the cap at most."""
    return min(cap, max(workers + 1, next((n for n in LADDER if n >= 2 * workers), cap)))


def below(workers: int) -> int:
    """Return the next smaller number of the ladder."""
    return max((n for n in LADDER if n < workers), default=1)


def _per(amount: float, cost: float) -> float:
    return amount / cost if cost > 0 else math.inf


def cheapest(settings: Iterable[Setting]) -> Setting:
    """Return the setting with the fewest workers."""
    return min(settings, key=lambda setting: (sum(setting), setting))
