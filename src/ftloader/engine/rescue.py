"""What becomes of an operation that raised: another attempt, a skipped item, or the end of the run.

A :class:`Rescue` belongs to one stage of one worker. It is asked only after an error, so stages
that never fail pay nothing for it. Only an ``Exception`` is ever skipped: what is derived from
``BaseException`` alone (``KeyboardInterrupt``, ``SystemExit``, a cancellation) ends the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..errors import StageError
from ..stages import Pipe
from .failure import NO_RESULT, Failure, Skipped, name_item, refuse_coroutine, skipped
from .state import RunState
from .stats import Counters


class Rescue:
    """Decides what stands in the stream in place of a result.

    Args:
        stage: the stage.
        state: the run.
        counters: those of the worker; retries and failures are counted there.
        passing: exceptions that are not the operation's, and go on.
    """

    def __init__(
        self,
        stage: Pipe,
        state: RunState,
        counters: Counters,
        passing: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._stage = stage
        self._retry = stage.policy.retry
        self._state = state
        self._counters = counters
        self._passing = passing
        self._asked = False

    def call(self, index: int | None, item: Any, error: BaseException) -> Any:
        """Return the result of a later attempt, or what :meth:`verdict` says.

        Raises:
            Stopped: the run was stopped between two attempts.
        """
        attempt = 1
        while self._may_pass(error, attempt):
            assert self._retry is not None
            self._state.pause(self._retry.pause(attempt))
            attempt += 1
            self._counters.retries += 1
            try:
                result = self._stage.op(item)
                refuse_coroutine(result)
            except self._passing:
                raise
            except BaseException as again:
                error = again
            else:
                return result
        return self.verdict(index, item, error, attempt)

    async def acall(self, index: int | None, item: Any, error: BaseException) -> Any:
        """Return the result of a later attempt of a coroutine function, or a verdict."""
        attempt = 1
        while self._may_pass(error, attempt):
            assert self._retry is not None
            await asyncio.sleep(self._retry.pause(attempt))
            attempt += 1
            self._counters.retries += 1
            try:
                async with asyncio.timeout(self._stage.policy.timeout):
                    return await self._stage.op(item)
            except BaseException as again:
                if self._state.stopped or isinstance(again, self._passing):
                    raise
                error = again
        return self.verdict(index, item, error, attempt)

    def verdict(
        self, index: int | None, item: Any, error: BaseException, attempt: int = 1
    ) -> Failure | Skipped:
        """Return what stands in the stream for an item that failed for good, and count it."""
        self._asked = True
        stage = self._stage
        failure = StageError(stage.name, index, name_item(stage, item), error, attempt)
        self._counters.failures += 1
        if stage.policy.on_error == "skip" and isinstance(error, Exception):
            self._counters.skipped += 1
            return skipped(failure)
        self._state.fail(failure)
        return Failure(failure)

    def lost(self, results: Sequence[Any]) -> int:
        """Return how many of these results are none, but what stands in place of one."""
        if self._asked:
            return sum(type(result) in NO_RESULT for result in results)
        return int(bool(results) and type(results[-1]) is Failure)  # one that came through here

    def _may_pass(self, error: BaseException, attempt: int) -> bool:
        retry = self._retry
        return retry is not None and attempt < retry.attempts and isinstance(error, retry.on)
