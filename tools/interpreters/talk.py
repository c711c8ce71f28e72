"""Tells a person what is happening: lines on standard error, and progress with the time left."""

from __future__ import annotations

import sys
import time


def say(text: str) -> None:
    """Print one line for a person."""
    print(f"ftloader: {text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return a duration as a person says it, such as ``"2 min 40 s"``."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Progress:
    """A progress line: rewritten in place on a terminal, else a new line every 15 seconds."""

    def __init__(self, every: float = 15.0) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = 0.5 if self._terminal else every
        self._last = time.monotonic() if not self._terminal else 0.0

    def show(self, text: str) -> None:
        """Show ``text``, unless something was shown a moment ago."""
        now = time.monotonic()
        if now - self._last < self._every:
            return
        self._last = now
        if self._terminal:
            print(f"\r\033[Kftloader: {text}", end="", file=sys.stderr, flush=True)
        else:
            say(text)

    def clear(self) -> None:
        """Remove the line that is rewritten in place."""
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
