"""A progress line with the time left, for work that many threads do.

Thread-safe. On a terminal the line is rewritten in place; elsewhere (a log file) a line is printed
every few seconds, and nothing for work that is over sooner.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TextIO

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 5.0


class Progress:
    """Counts finished items and prints how far the work is.

    Args:
        label: what is being made.
        total: how many items there are.
        stream: where to print; ``None`` prints nothing.
        clock: seconds that only ever grow.
    """

    def __init__(
        self, label: str, total: int, stream: TextIO | None, clock: Callable[[], float]
    ) -> None:
        self._label = label
        self._total = total
        self._stream = stream
        self._clock = clock
        self._terminal = stream is not None and stream.isatty()
        self._interval = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        self._lock = threading.Lock()
        self._done = 0
        self._printed = False
        self._start = self._last = clock()

    def advance(self) -> None:
        """Count one more finished item; any thread may call this."""
        with self._lock:
            self._done += 1
            now = self._clock()
            if self._stream is not None and now - self._last >= self._interval:
                self._last = now
                self._print(self._stream, now - self._start)

    def close(self) -> None:
        """Finish the line."""
        with self._lock:
            if self._stream is not None and self._printed:
                self._print(self._stream, self._clock() - self._start)
                if self._terminal:
                    self._stream.write("\n")
                    self._stream.flush()

    def _print(self, stream: TextIO, elapsed: float) -> None:
        left = elapsed / max(self._done, 1) * (self._total - self._done)
        text = f"{self._label}: {self._done} of {self._total} images, {left:.0f} s left"
        stream.write(f"\r{text:<72}" if self._terminal else f"{text}\n")
        stream.flush()
        self._printed = True
