"""What every engine promises about a run.

* The items are those of the serial engine: the same sequence where every stage keeps input order,
  the same multiset otherwise.
* The first error ends the run. Everything before it in the stream is delivered, then the reader
  gets one :class:`~ftloader.errors.StageError` or :class:`~ftloader.errors.SourceError`, and the
  same one again on every later read. Nothing is dropped in silence.
* A run ends by itself when it is exhausted or has failed, and by :meth:`Run.stop`, ``with``,
  ``break`` or garbage collection otherwise; then its threads are gone.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ..errors import RunError, RunStopped, summary
from ..policy import FailureRecord
from .state import Late
from .stats import RunStats


class Lifetime:
    """How long a run has gone on, until it was ended."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._took: float | None = None

    def end(self) -> None:
        """Say that the run has ended; the first time counts."""
        if self._took is None:
            self._took = self.elapsed

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._took is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, until it ended."""
        return time.perf_counter() - self._began if self._took is None else self._took


class Run[T](ABC):
    """One execution of a pipeline: an iterator with a way to stop it.

    Thread safety: one thread reads; :meth:`stop` and :meth:`stats` may be called from any.
    """

    _lifetime: Lifetime
    _ended = False
    _until = math.inf  # when the read under way gives up, by the monotonic clock
    _failure: RunError | None = None
    _traceback: TracebackType | None = None

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._failure is not None:
            # With the traceback of the first time: it would grow with every read.
            raise self._failure.with_traceback(self._traceback)
        if self._ended:
            raise StopIteration
        try:
            return self._next()
        except StopIteration:
            self._ended = True
            self.stop()
            raise
        except RunError as error:
            self._failure, self._traceback = error, error.__traceback__
            try:
                self.stop()
            except Exception as late:  # a clean-up of the user's; the first error is the one
                error.add_note(f"then, while stopping: {summary(late)}")
            raise
        except Late:
            raise
        except BaseException:  # Ctrl-C while waiting
            self.stop()
            raise

    def get(self, timeout: float | None = None) -> T:
        """Return the next item, as ``next(run)`` does, but give up after a time.

        Args:
            timeout: seconds to wait for it; for ever if ``None``. The ``serial`` engine makes the
                item meanwhile, in this thread, and does not give up.

        Raises:
            TimeoutError: it did not come in that time. Nothing is lost: read on when you like.
            StopIteration: there are no more.
            RunError: the run has failed or was stopped.
        """
        self._until = math.inf if timeout is None else time.monotonic() + timeout
        try:
            return next(self)
        except Late:
            raise TimeoutError(f"there was no item within {timeout} s") from None
        finally:
            self._until = math.inf

    @property
    def ending(self) -> bool:
        """Whether the run has ended or is being ended.

        For sources that wait for something of their own: a run can end only when they return.
        """
        return self._lifetime.ended

    @abstractmethod
    def _next(self) -> T:
        """Return the next item, or raise ``StopIteration`` or the run's ``RunError``."""

    @abstractmethod
    def stop(self, timeout: float | None = None) -> None:
        """End the run and wait until its threads are gone; call it as often as you like.

        It returns when the operations in flight have returned. A reader still waiting in another
        thread, or reading later, gets :class:`~ftloader.errors.RunStopped`.

        Args:
            timeout: seconds to wait for them; for ever if ``None``.

        Raises:
            StuckOperation: one has not returned in time (``threads`` engine). Its thread cannot
                be ended and lives on until it does.
        """

    @abstractmethod
    def stats(self) -> RunStats:
        """Return the counters of this run so far."""

    @property
    @abstractmethod
    def failures(self) -> tuple[FailureRecord, ...]:
        """What was skipped so far, in the order of the stream, stage by stage; the first 10,000."""

    def spans(self) -> list[tuple[str, int, float, float, int]]:
        """Return what each worker did when: stage, worker, begin, end (seconds), items.

        Empty unless the run was made with ``trace=True`` on the ``threads`` engine.
        """
        return []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def stopped() -> RunStopped:
    """Return the error of a reader whose run was stopped."""
    return RunStopped("the run was stopped; start a new one to read on")
