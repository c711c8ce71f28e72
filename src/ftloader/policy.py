"""What is to happen when an operation fails: plain values that a stage carries.

The default is to raise. A stage may call an operation again, and may skip an item that failed for
good; then the item is recorded, counted against limits, and can be written to a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from .errors import PipelineError

OnError = Literal["raise", "skip"]

#: Items from which on a limit given as a rate is checked while the run goes on.
PROBATION: Final = 100


@dataclass(frozen=True, slots=True)
class Retry:
    """Call an operation again after an error that may pass, waiting longer each time.

    Args:
        attempts: calls in all, at least 1.
        delay: seconds before the second attempt.
        factor: by how much each further wait is longer.
        max_delay: longest wait in seconds.
        on: exceptions that may pass; every other one is final at once.

    Raises:
        PipelineError: an argument cannot be.
    """

    attempts: int
    delay: float = 0.1
    factor: float = 2.0
    max_delay: float = 5.0
    on: tuple[type[Exception], ...] = (OSError, TimeoutError)

    def __post_init__(self) -> None:
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int):
            raise PipelineError(f"attempts is an integer of at least 1, not {self.attempts!r}")
        if self.attempts < 1:
            raise PipelineError(f"attempts is at least 1, not {self.attempts}")
        if self.delay < 0 or self.factor < 1 or self.max_delay < 0:
            raise PipelineError(
                f"a retry waits no negative time and no shorter each time: delay {self.delay}, "
                f"factor {self.factor}, max_delay {self.max_delay}"
            )

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after the failed attempt of that number (1 is the first)."""
        # The exponent is bounded, because a float overflows long before an attempt count does.
        return min(self.delay * self.factor ** min(attempt - 1, 64), self.max_delay)


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """How one stage deals with errors.

    Attributes:
        on_error: ``"raise"`` ends the run at the first item that failed for good; ``"skip"``
            records the item and goes on.
        retry: which calls are repeated.
        max_failures: skipped items that are tolerated: a count, or a share of the stage's input.
        timeout: seconds one attempt of an asynchronous operation may take.
        key: what names an item in errors and records.
    """

    on_error: OnError = "raise"
    retry: Retry | None = None
    max_failures: int | float | None = None
    timeout: float | None = None
    key: Callable[[Any], object] | None = None


RAISE: Final = ErrorPolicy()


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """An item that was skipped."""

    stage: str
    #: Position in the stage's input, counted from 0; ``None`` where the engine cannot know it.
    index: int | None
    #: The item's key, or a short text for it.
    item: str
    #: The attempt that was the last, counted from 1.
    attempt: int
    #: The exception's type and text in one line.
    error: str
    #: The exception as Python prints it.
    traceback: str


def require_limit(limit: object, where: str) -> None:
    """Raise ``PipelineError`` unless ``limit`` is ``None``, a count, or a rate in (0, 1]."""
    if limit is None:
        return
    if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0:
        return
    if isinstance(limit, float) and 0 < limit <= 1:
        return
    raise PipelineError(
        f"{where}: max_failures is a count of at least 0 or a rate (a float in (0, 1]), "
        f"not {limit!r}"
    )


def exceeds(limit: int | float | None, failures: int, seen: int, *, final: bool = False) -> bool:
    """Tell whether so many failures among so many items break a limit.

    Args:
        limit: a count or a rate; ``None`` never breaks.
        failures: items that failed.
        seen: items in all.
        final: whether these are all, so that a rate is judged however few they are.
    """
    if limit is None:
        return False
    if isinstance(limit, int):
        return failures > limit
    return (final or seen >= PROBATION) and seen > 0 and failures / seen > limit
