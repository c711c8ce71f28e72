"""A pipeline that exists as numbers only, and a clock that moves when it is measured."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace

from ftloader.tuning.model import Cost, Setting
from ftloader.tuning.trial import WINDOW, Window


def stage(
    name: str,
    seconds: float,
    share: float = 1.0,
    *,
    kind: str = "function",
    gil_bound: bool | None = None,
    concurrency: int | None = None,
    nbytes: float = 0.0,
    calls: float = 1.0,
) -> Cost:
    cpu = share * seconds
    return Cost(name, kind, calls, seconds, cpu, nbytes, concurrency, gil_bound)


def named(steps: list[Cost]) -> tuple[Cost, ...]:
    """Give every step a name of its own, as the stages of a pipeline have."""
    return tuple(replace(step, name=f"stage {place}") for place, step in enumerate(steps))


@dataclass
class Simulated:
    """What settings really give: queueing limits, rounded off where two of them meet.

    Attributes:
        steps: true costs.
        cores: cores of the machine.
        noise: standard deviation of a window's logarithm.
        crowding: loss per worker beyond the cores, for stages that compute.
        window: seconds that one window takes on the clock.
    """

    steps: tuple[Cost, ...]
    cores: float
    noise: float = 0.0
    crowding: float = 0.0
    window: float = 0.3
    now: float = 0.0
    windows: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(7))

    def clock(self) -> float:
        return self.now

    def true_rate(self, setting: Setting) -> float:
        limits = [self.cores / sum(step.calls * step.cpu for step in self.steps)]
        limits += [
            n / (step.calls * step.seconds) for step, n in zip(self.steps, setting, strict=True)
        ]
        held = sum(step.calls * step.cpu for step in self.steps if step.gil_bound)
        limits += [1 / held] if held else []
        # A high norm: close to the smallest limit, a few per cent below it where two are equal.
        rate = sum(limit**-12 for limit in limits) ** (-1 / 12)
        extra = sum(
            max(0.0, n * step.share - self.cores)
            for step, n in zip(self.steps, setting, strict=True)
        )
        return rate / (1 + self.crowding * extra)

    def measure(self, setting: Setting, results: int | None, limit: float) -> Window:
        self.now += self.window
        self.windows += 1
        true = self.true_rate(setting)
        busy = tuple(
            min(1.0, true * step.calls * step.seconds / n)
            for step, n in zip(self.steps, setting, strict=True)
        )
        count = results or max(1, round(true * WINDOW))
        return Window(true * math.exp(self.random.gauss(0, self.noise)), count, busy)
