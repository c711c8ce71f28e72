"""Processes that call a transform for an audit: started, listened to, and always ended.

A child writes one JSON document per line to its stdout. It runs in a session of its own, so that
Ctrl-C reaches the parent alone, and ends with everything that it has started when its ``with``
block does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

#: Seconds beyond a child's own limit after which it is ended from outside.
_GRACE: Final = 15.0
_LOOK: Final = 0.25
_WORDS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended.

    Attributes:
        code: its exit code, negative for a signal.
        hung: whether it did not come to its end.
        words: the end of what it wrote on stderr.
    """

    code: int
    hung: bool
    words: str


class Child:
    """A worker process; use it in a ``with`` statement.

    Args:
        job: what :func:`ftloader.audit._jobs.pack` returned.
        checks_memory: whether Python's allocator checks each block (``PYTHONMALLOC=debug``).
        patience: seconds it may take until its first event.
    """

    def __init__(self, job: bytes, *, checks_memory: bool = False, patience: float) -> None:
        self._limit = patience
        self._hung = False
        self._code: int | None = None
        # Files, not pipes: nobody has to read or write them while the child runs.
        with tempfile.TemporaryFile() as given:
            given.write(job)
            given.seek(0)
            self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, *_options(), "-m", "ftloader.audit.worker"],
                    env={**os.environ, **({"PYTHONMALLOC": "debug"} if checks_memory else {})},
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=self._words,
                    start_new_session=True,
                )
            except BaseException:
                self._words.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._words.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what it reports, up to its end.

        An event's ``limit`` is the time, seconds, within which the next one must come; a child
        that keeps still for longer is ended.
        """
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        rest = b""
        heard = time.monotonic()
        while True:
            ready, _, _ = select.select([stream], [], [], _LOOK)
            if not ready:
                # A process that the child left behind may hold the pipe open.
                if self._is_over():
                    return
                if time.monotonic() - heard > self._limit + _GRACE:
                    self._hung = True
                    return
                continue
            chunk = os.read(stream, 1 << 16)
            if not chunk:
                return
            heard = time.monotonic()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event: dict[str, Any] = json.loads(line)
                self._limit = event.get("limit", self._limit)
                yield event

    def ending(self) -> Ending:
        """Return how it ended; it is given a moment to do so."""
        until = time.monotonic() + (0 if self._hung else _GRACE)
        while not self._is_over() and time.monotonic() < until:
            time.sleep(0.01)
        self._hung = self._hung or not self._is_over()
        code = self._end()
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _WORDS))
        words = self._words.read().decode("utf-8", "replace")
        # faulthandler's own words: the child ended itself at its limit.
        return Ending(code, self._hung or "\nTimeout (" in f"\n{words}", words)

    def _is_over(self) -> bool:
        """Tell whether it has ended, and leave it to be waited for: its group stays its own."""
        if self._code is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is not None

    def _end(self) -> int:
        if self._code is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has not come as far as making its group, or is a zombie without one
            self._process.kill()
            self._code = self._process.wait()
        return self._code


def _options() -> list[str]:
    """Return this interpreter's ``-X`` options, among them the GIL's."""
    return [
        f"-X{name}" if value is True else f"-X{name}={value}"
        for name, value in sys._xoptions.items()
    ]
