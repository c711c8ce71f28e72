"""Where skipped items leave the stream: counted in its order, recorded, held against the limits.

Behind each stage that skips stands a :class:`Sieve`. It sees results in stream order, so with
input order the same items are delivered before a limit is broken whatever the concurrency. The
limit of the whole run is counted as failures come, so which item breaks it depends on timing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from ..errors import PipelineError, RunError, StageError, TooManyFailures
from ..options import RunOptions
from ..policy import FailureRecord, exceeds
from ..stages import Pipe
from .failure import Failure, Skipped

#: Errors that a broken limit shows.
SHOWN: Final = 10
#: Records that a run keeps; the quarantine file gets all.
KEPT: Final = 10_000


class SkipLog:
    """What one run has skipped.

    Args:
        options: the run's options.

    Raises:
        PipelineError: the quarantine file cannot be written.

    Thread safety: every method may be called from any thread.
    """

    def __init__(self, options: RunOptions) -> None:
        self._lock = threading.Lock()
        self._limit = options.max_failures
        self._file = options.quarantine
        self._records: list[FailureRecord] = []
        self._count = 0
        self._shown: list[StageError] = []
        if self._file is not None:
            self._write("")

    @property
    def records(self) -> tuple[FailureRecord, ...]:
        """What was skipped so far."""
        with self._lock:
            return tuple(self._records)

    def add(self, item: Skipped, seen: int) -> RunError | None:
        """Record a skipped item; return the error that it makes if it breaks the run's limit."""
        with self._lock:
            self._count += 1
            if len(self._records) < KEPT:
                self._records.append(item.record)
            if len(self._shown) < SHOWN:
                self._shown.append(item.error)
            if self._file is not None:
                try:
                    self._write(json.dumps(asdict(item.record)) + "\n")
                except PipelineError as error:
                    broken = RunError(str(error))
                    broken.__cause__ = error.__cause__
                    return broken
            if exceeds(self._limit, self._count, seen):
                return too_many("the run", self._limit, self._count, seen, self._shown)
            return None

    def finish(self, seen: int) -> RunError | None:
        """Return the error of a broken limit at the end of the run, however short that was."""
        with self._lock:
            if not exceeds(self._limit, self._count, seen, final=True):
                return None
            return too_many("the run", self._limit, self._count, seen, self._shown)

    def _write(self, line: str) -> None:
        assert self._file is not None
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise PipelineError(f"the quarantine file cannot be written: {error}") from error


class Sieve:
    """Takes the skipped items of one stage out of the stream; its channel's lock protects it.

    Args:
        stage: the stage.
        log: the run's.
        fail: told of the error when a limit breaks.
        source_items: how many items the source has given.
        stage_items: how many items the stage has taken.
    """

    def __init__(
        self,
        stage: Pipe,
        log: SkipLog,
        fail: Callable[[RunError], None],
        source_items: Callable[[], int],
        stage_items: Callable[[], int],
    ) -> None:
        self._stage = stage.name
        self._limit = stage.policy.max_failures
        self._log = log
        self._fail = fail
        self._source_items = source_items
        self._stage_items = stage_items
        self._count = 0
        self._shown: list[StageError] = []
        self._broken = False

    def sift(self, items: Sequence[Any]) -> list[Any]:
        """Return the items without those skipped; a broken limit ends them with a failure."""
        kept = []
        for item in items:
            if self._broken:
                break
            if type(item) is Skipped:
                item = self._judge(item)
                if item is None:
                    continue
            kept.append(item)
        return kept

    def finish(self) -> list[Failure]:
        """Judge a rate at the end of the stage's input, however short that was."""
        seen = self._stage_items()
        if self._broken or not exceeds(self._limit, self._count, seen, final=True):
            return []
        return [self._break(too_many(self._where(), self._limit, self._count, seen, self._shown))]

    def _judge(self, item: Skipped) -> Failure | None:
        self._count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(item.error)
        error = self._log.add(item, self._source_items())
        index = item.record.index
        seen = self._stage_items() if index is None else index + 1
        if error is None and exceeds(self._limit, self._count, seen):
            error = too_many(self._where(), self._limit, self._count, seen, self._shown)
        return None if error is None else self._break(error)

    def _break(self, error: RunError) -> Failure:
        self._broken = True
        self._fail(error)
        return Failure(error)

    def _where(self) -> str:
        return f"stage {self._stage!r}"


def too_many(
    where: str, limit: int | float | None, failures: int, seen: int, shown: list[StageError]
) -> TooManyFailures:
    """Return the error of a broken limit, with the first failures as its cause."""
    rate = f" ({failures / seen:.1%} of {seen})" if isinstance(limit, float) and seen else ""
    allowed = f"{limit:.1%}" if isinstance(limit, float) else limit
    error = TooManyFailures(
        f"{where} has skipped {failures} items{rate}, and max_failures allows {allowed}; "
        f"the first: {shown[0]}"
    )
    error.__cause__ = ExceptionGroup(f"the first items that {where} skipped", list(shown))
    return error
