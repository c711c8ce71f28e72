"""Finding a setting: screen what the model proposes, climb at the bottleneck, then do with less.

1. *Screen*: a window for each proposal, then again for the better ones, in the other order.
2. *Climb*: give the busiest stage about twice its workers, or all busy ones, while that brings
   more in single windows, taken in turn with the best setting so far.
3. *Confirm upwards*: the next larger number of every busy stage, by the paired rule of
   :mod:`.compare`; if one wins, climb on.
4. *Do with less*: for each stage, smaller numbers against the best setting of step 3, always that
   same one, so that small losses do not add up.

Single windows only steer; what is kept at the end was compared in pairs, unless time ran out. No
clock but the one given is read here, and nothing but ``measure`` touches the pipeline.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .compare import WORTH, Verdict, compare
from .model import Model, Setting, above, below, cheapest, replaced
from .trial import RESULTS, WINDOW, Window

#: Proposals that are screened at most.
SCREENED: Final = 8
#: Proposals within this factor of the best are screened again.
CLOSE: Final = 0.8
#: A stage busier than this may be the bottleneck.
BUSY: Final = 0.7

Measure = Callable[[Setting, int | None, float], Window]


@dataclass(slots=True)
class Record:
    """The windows of one setting."""

    rates: list[float] = field(default_factory=list)
    busy: tuple[float | None, ...] = ()


class Search:
    """One search; ``run`` does it.

    Args:
        model: what settings are expected to give.
        measure: makes one trial; called with a setting, results to count (or ``None`` at first)
            and the longest time in seconds.
        clock: tells the time in seconds.
        end: when to be done, on that clock.
    """

    def __init__(
        self, model: Model, measure: Measure, clock: Callable[[], float], end: float
    ) -> None:
        self._model = model
        self._measure = measure
        self._clock = clock
        self._end = end
        self._begin = clock()
        self._results: int | None = None
        self._longest = 0.0
        self.tried: dict[Setting, Record] = {}
        self.windows = 0
        #: Whether every neighbour of the result was compared before time ran out.
        self.settled = False

    def run(self) -> Setting | None:
        """Return the setting found, or ``None`` if no setting fits."""
        if self._model.shrunk(self._model.ones) is None:
            return None
        best = self._screen(self._model.candidates()[:SCREENED])
        refused: set[Setting] = set()
        while True:
            best, refused = self._climb(best, refused)
            larger = self._confirm(best)
            if larger is None:
                break
            best, refused = larger, set()
        best = self._do_with_less(best)
        self.settled = self._time_left()
        return best

    def rate(self, setting: Setting) -> float:
        """Return a setting's throughput so far: the median of its windows."""
        return statistics.median(self.tried[setting].rates)

    def _screen(self, proposals: list[Setting]) -> Setting:
        for setting in proposals:
            self._window(setting)
            if not self._time_left(0.4, windows=1):
                break
        top = max(map(self.rate, self.tried))
        # From here on windows are as long in results, so that two of them do the same work.
        self._results = max(RESULTS, round(top * WINDOW))
        close = [s for s in self.tried if self.rate(s) >= CLOSE * top]
        firsts = {s: self.tried[s].rates.pop() for s in close} if self._time_left(0.4) else {}
        for setting in reversed(firsts):
            self._window(setting)
            if not self._time_left(0.55, windows=1):
                break
        for setting, rate in firsts.items():
            if not self.tried[setting].rates:
                self.tried[setting].rates.append(rate)
        top = max(map(self.rate, close))
        return cheapest(s for s in close if self.rate(s) >= (1 - WORTH) * top)

    def _climb(self, best: Setting, refused: set[Setting]) -> tuple[Setting, set[Setting]]:
        while self._time_left(0.6):
            up = next((move for move in self._moves(best) if move not in refused), None)
            if up is None:
                break
            here, there = self._window(best), self._window(up)
            if there > here * (1 + WORTH):
                best, refused = up, set()
            else:
                refused.add(up)
        return best, refused

    def _confirm(self, best: Setting) -> Setting | None:
        """Compare the best setting with its neighbours above; return one that wins, if one does."""
        for up in self._moves(best):
            if not self._time_left(0.7):
                break
            verdict = self._compared(best, up, 0.8)
            if verdict.larger and not verdict.cut_short:
                return up
        return None

    def _do_with_less(self, best: Setting) -> Setting:
        current = self._only_what_was_busy(best)
        for place in sorted(self._model.tuned, key=lambda place: -best[place]):
            too_few = 0
            while self._time_left():
                high = current[place]
                step_down = below(high)
                workers = min(self._wanted(best, place), step_down)
                if too_few:
                    workers = (too_few + high) // 2
                if workers <= too_few or workers >= high:
                    break
                smaller = replaced(current, place, workers)
                if self._is_enough(smaller, best):
                    current = smaller
                elif too_few or workers == step_down:
                    break
                else:
                    too_few = workers
        return current

    def _only_what_was_busy(self, best: Setting) -> Setting:
        """Take every idle worker away at once, which mostly saves one comparison per stage."""
        smaller = best
        for place in self._model.tuned:
            smaller = replaced(smaller, place, min(best[place], self._wanted(best, place)))
        return smaller if smaller != best and self._is_enough(smaller, best) else best

    def _wanted(self, setting: Setting, place: int) -> int:
        """Return how many of a stage's workers were busy, and a tenth more."""
        busy = self._busy(setting, place)
        workers = setting[place]
        return workers if busy is None else max(1, math.ceil(workers * busy * 1.1))

    def _moves(self, setting: Setting) -> list[Setting]:
        """Return larger settings: more for each busy stage, busiest first, then for all of them.

        Where several stages are the bottleneck together, none gains from workers alone.
        """
        busy = {place: self._busy(setting, place) for place in self._model.tuned}
        share = {place: 1.0 if known is None else known for place, known in busy.items()}
        places = sorted((p for p in share if share[p] >= BUSY), key=lambda p: -share[p])
        together = setting
        for place in places:
            together = self._raised(together, place) or together
        moves = [up for place in places if (up := self._raised(setting, place)) is not None]
        return moves if together == setting or together in moves else [*moves, together]

    def _busy(self, setting: Setting, place: int) -> float | None:
        record = self.tried.get(setting)
        return record.busy[place] if record is not None and record.busy else None

    def _raised(self, setting: Setting, place: int) -> Setting | None:
        workers = above(setting[place], self._model.cap(place))
        while workers > setting[place]:
            larger = replaced(setting, place, workers)
            if self._model.fits(larger):
                return larger
            workers -= 1
        return None

    def _is_enough(self, smaller: Setting, best: Setting) -> bool:
        verdict = self._compared(smaller, best, 1.0)
        return not verdict.larger and not verdict.cut_short

    def _compared(self, smaller: Setting, larger: Setting, share: float) -> Verdict:
        return compare(
            lambda: self._window(smaller),
            lambda: self._window(larger),
            lambda: self._time_left(share),
        )

    def _window(self, setting: Setting) -> float:
        begin = self._clock()
        limit = max(2.5 * WINDOW, (self._end - begin) / 16)
        window = self._measure(setting, self._results, limit)
        self._longest = max(0.5 * self._longest, self._clock() - begin)
        self.windows += 1
        record = self.tried.setdefault(setting, Record())
        record.rates.append(window.rate)
        record.busy = window.busy
        return window.rate

    def _time_left(self, share: float = 1.0, windows: int = 2) -> bool:
        """Tell whether so many windows, a pair by default, end within that share of the time."""
        end = self._begin + share * (self._end - self._begin)
        return self._clock() + windows * self._longest < end
