"""A line in the log every so many seconds, for a run that nobody watches.

One thread writes it, to the logger ``"ftloader"`` at level ``INFO``. The thread holds no reference
to the run, so it never keeps it alive, and ends with it.
"""

from __future__ import annotations

import logging
import threading
import weakref
from types import TracebackType
from typing import Any, Final, Self

from ..engine.base import Run
from ..engine.stats import RunStats
from ..errors import PipelineError
from .brief import one_line

logger: Final = logging.getLogger("ftloader")


class LogEvery:
    """Logs a run's state periodically, until the run or the ``with`` block ends.

    Each line gives the rate, the bottleneck and the reader's wait since the line before; a last
    one is logged when the block is left. Nothing is shown unless the program's logging shows
    ``INFO`` (for instance after ``logging.basicConfig(level=logging.INFO)``).

    Args:
        run: the run.
        seconds: time between two lines.

    Raises:
        PipelineError: ``seconds`` is not a positive number.
    """

    def __init__(self, run: Run[Any], seconds: float) -> None:
        if not seconds > 0:
            raise PipelineError(f"log_every: seconds is a positive number, not {seconds!r}")
        over = threading.Event()
        self._over = over
        self._teller = _Teller(weakref.ref(run, lambda _: over.set()))
        self._thread = threading.Thread(
            target=_log,
            args=(self._teller, over, min(seconds, threading.TIMEOUT_MAX)),
            name="ftloader-log",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Log a last line, if anything happened since the one before, and end the thread."""
        self._over.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._teller.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def log_every(run: Run[Any], seconds: float) -> LogEvery:
    """Log a run's state every so many seconds; use it with ``with``.

    ``with pipeline.run() as run, log_every(run, 10): ...``

    Args:
        run: the run.
        seconds: time between two lines.

    Raises:
        PipelineError: ``seconds`` is not a positive number.
    """
    return LogEvery(run, seconds)


class _Teller:
    """Logs what is new; used by one thread after the other."""

    def __init__(self, run: weakref.ref[Run[Any]]) -> None:
        self._run = run
        self._last: RunStats | None = None

    def tell(self) -> bool:
        """Log a line; tell whether there will be more to say."""
        run = self._run()
        if run is None:
            return False
        stats = run.stats()
        del run
        # The time stops when the run ends, so the same time twice means that it is over.
        if self._last is not None and stats.elapsed == self._last.elapsed:
            return False
        logger.info("%s", one_line(stats, self._last))
        self._last = stats
        return True


def _log(teller: _Teller, over: threading.Event, seconds: float) -> None:
    while not over.wait(seconds):
        if not teller.tell():
            return
