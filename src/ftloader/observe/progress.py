"""A progress bar around a pipeline or a run: how far, how fast, and what limits it.

``for item in progress(pipeline)`` yields the items unchanged and draws on stderr, with ``tqdm`` if
it is installed and with a line of our own otherwise. The counters are read about twice a second,
by the reader's own thread; there is no other.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TextIO

from ..engine.base import Run
from ..engine.stats import RunStats
from ..length import known_length
from ..pipeline import Pipeline
from .bottleneck import bottleneck
from .brief import short, since
from .table import rate

#: Seconds between two looks at the counters, and between two lines where they cannot be rewritten.
LOOK: Final = 0.5
LOG_LINE: Final = 10.0


class Bar(Protocol):
    """What draws: ``tqdm.tqdm``, one of its relatives, or :class:`Line`."""

    def update(self, n: float = 1, /) -> object:
        """Count finished items."""

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> object:
        """Set the text behind the figures."""

    def close(self) -> object:
        """Finish."""


class Progress[T]:
    """An iterator over a run's items that shows how far it is.

    It has a length where the number of items can be known (:func:`ftloader.length.known_length`)
    or was given, and is always true.

    Args:
        items: a pipeline, which is run on the default engine, or a run that was made before.
        total: how many items there will be, if that is known better.
        description: text before the figures.
        file: where to draw; stderr by default.
        bar: what draws, called with ``total``, ``desc`` and ``file``; ``tqdm.tqdm`` if it is
            installed, else :class:`Line`.

    Thread safety: one thread iterates.
    """

    def __init__(
        self,
        items: Pipeline[T] | Run[T],
        *,
        total: int | None = None,
        description: str | None = None,
        file: TextIO | None = None,
        bar: Callable[..., Bar] | None = None,
    ) -> None:
        self._items = items
        if total is None and isinstance(items, Pipeline):
            total = known_length(items)
        #: How many items there will be, or ``None``.
        self.total = total
        self._description = description
        self._file = file
        self._bar = bar

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError("the number of items cannot be known before they are there")
        return self.total

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[T]:
        """Yield the items; a run that was started here ends with the iteration."""
        if isinstance(self._items, Run):
            yield from self._show(self._items)
        else:
            with self._items.run() as run:
                yield from self._show(run)

    def _show(self, run: Run[T]) -> Iterator[T]:
        make = self._bar or default_bar()
        bar = make(total=self.total, desc=self._description, file=self._file or sys.stderr)
        last = run.stats()
        due = time.perf_counter() + LOOK
        try:
            for item in run:
                yield item
                del item  # a reader that waits must not keep its last item alive
                if time.perf_counter() >= due:
                    last = self._look(bar, run, last)
                    due = time.perf_counter() + LOOK
                bar.update(1)
            bar.set_postfix_str(short(bottleneck(run.stats())), refresh=False)
        finally:
            bar.close()

    def _look(self, bar: Bar, run: Run[T], last: RunStats) -> RunStats:
        stats = run.stats()
        # Shown by the bar's own clock; refreshing here as well would draw twice as often.
        bar.set_postfix_str(short(bottleneck(since(stats, last))), refresh=False)
        return stats


def progress[T](
    items: Pipeline[T] | Run[T],
    *,
    total: int | None = None,
    description: str | None = None,
    file: TextIO | None = None,
    bar: Callable[..., Bar] | None = None,
) -> Progress[T]:
    """Iterate a pipeline or a run with a progress bar; see :class:`Progress`.

    Args:
        items: a pipeline, which is run on the default engine, or a run that was made before.
        total: how many items there will be, if that is known better.
        description: text before the figures.
        file: where to draw; stderr by default.
        bar: what draws; ``tqdm.tqdm`` if it is installed, else a line of our own.
    """
    return Progress(items, total=total, description=description, file=file, bar=bar)


def default_bar() -> Callable[..., Bar]:
    """Return ``tqdm.tqdm`` if it is installed, else :class:`Line`."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]  # never a dependency
    except ImportError:
        return Line
    made: Callable[..., Bar] = tqdm
    return made


class Line:
    """One line that is rewritten on a terminal, and printed now and then elsewhere.

    Args:
        total: how many items there will be, or ``None``.
        desc: text before the figures.
        file: where to print.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        total: int | None = None,
        desc: str | None = None,
        file: TextIO = sys.stderr,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._total = total
        self._start = f"{desc}: " if desc else ""
        self._file = file
        self._clock = clock
        self._terminal = file.isatty()
        self._interval = LOOK if self._terminal else LOG_LINE
        self._n = 0
        self._postfix = ""
        self._begin = clock()
        self._due = self._begin + self._interval
        self._width = 0

    def update(self, n: float = 1, /) -> None:
        """Count finished items, and draw if that is due."""
        self._n += int(n)
        now = self._clock()
        if now >= self._due:
            self._due = now + self._interval
            self._draw(now)

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set the text behind the figures."""
        self._postfix = s
        if refresh:
            self._draw(self._clock())

    def close(self) -> None:
        """Draw the last figures and finish the line."""
        self._draw(self._clock())
        if self._terminal:
            self._file.write("\n")
            self._file.flush()

    def _draw(self, now: float) -> None:
        text = self._text(now - self._begin)
        if self._terminal:
            # A line that wraps could not be rewritten; spaces go over what the last one had more.
            text = text[: shutil.get_terminal_size().columns - 1]
            self._file.write(f"\r{text:<{self._width}}")
        else:
            self._file.write(f"{text}\n")
        self._file.flush()
        self._width = len(text)

    def _text(self, elapsed: float) -> str:
        done = f"{self._start}{self._n:,}"
        if self._total is not None:
            share = f" ({100 * self._n // self._total} %)" if self._total else ""
            done += f" of {self._total:,}{share}"
        text = f"{done} items, {rate(self._n, elapsed)}/s, {elapsed:.0f} s"
        if self._total is not None and 0 < self._n < self._total:
            text += f", {elapsed / self._n * (self._total - self._n):.0f} s left"
        return text + (f"; {self._postfix}" if self._postfix else "")
