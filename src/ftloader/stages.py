"""The kinds of stages, as plain values: what a pipeline is made of and what engines read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict

from .errors import PipelineError
from .policy import RAISE, ErrorPolicy, OnError, Retry, require_limit

OutputOrder = Literal["input", "completion"]
Concurrency = int | Literal["auto"]
Weight = Literal["nbytes"] | Callable[[Any], int]
OpKind = Literal["function", "coroutine", "generator", "async generator"]


class Aggregator(Protocol):
    """Groups items by its own rule; one is made for each run and used by one thread."""

    def add(self, item: Any) -> Iterable[Any]:
        """Take one item and return the groups it completed (often none)."""

    def flush(self) -> Iterable[Any]:
        """Return the groups left over when the input has ended."""


class PipeOptions(TypedDict, total=False):
    """The options of :meth:`ftloader.Pipeline.pipe`, which documents them."""

    concurrency: Concurrency
    output_order: OutputOrder
    name: str | None
    on_error: OnError
    retry: Retry | int | None
    max_failures: int | float | None
    timeout: float | None
    weight: Weight | None
    key: Callable[[Any], object] | None


@dataclass(frozen=True, slots=True)
class Pipe:
    """Apply an operation to every item."""

    name: str
    op: Callable[[Any], Any]
    kind: OpKind
    concurrency: Concurrency
    output_order: OutputOrder
    policy: ErrorPolicy = RAISE
    weight: Weight | None = None

    @property
    def is_async(self) -> bool:
        """Whether the operation is awaited on an event loop instead of called on a thread."""
        return self.kind in ("coroutine", "async generator")

    @property
    def workers(self) -> int:
        """How many operations may run at once, once that is settled."""
        if self.concurrency == "auto":
            raise PipelineError(f"stage {self.name!r}: its concurrency is still to be found")
        return self.concurrency

    def __str__(self) -> str:
        text = f"{self.name}: {self.kind} × {self.concurrency}, {self.output_order} order"
        if self.policy.retry is not None:
            text += f", {self.policy.retry.attempts} attempts"
        return text + (", errors skipped" if self.policy.on_error == "skip" else "")


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Group successive items into lists of ``size``, or by a policy."""

    name: str
    size: int | None
    policy: Callable[[], Aggregator] | None
    drop_last: bool

    def __str__(self) -> str:
        if self.size is None:
            return f"{self.name}: by {getattr(self.policy, '__name__', self.policy)}"
        return f"{self.name}: lists of {self.size}" + (", last dropped" if self.drop_last else "")


@dataclass(frozen=True, slots=True)
class Disaggregate:
    """Emit the elements of every item, one by one."""

    name: str

    def __str__(self) -> str:
        return f"{self.name}: elements one by one"


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Keep up to ``size`` results of the stage before ready, ahead of the stage behind."""

    name: str
    size: int

    def __str__(self) -> str:
        return f"{self.name}: up to {self.size} ready"


Stage = Pipe | Aggregate | Disaggregate | Prefetch


def kind_of(op: Callable[..., Any]) -> OpKind:
    """Return how an operation is to be called."""
    # A callable object's own type says nothing; its __call__ does.
    for candidate in (op, getattr(op, "__call__", None)):  # noqa: B004 (callable() was asked above)
        if inspect.isasyncgenfunction(candidate):
            return "async generator"
        if inspect.iscoroutinefunction(candidate):
            return "coroutine"
        if inspect.isgeneratorfunction(candidate):
            return "generator"
    return "function"


def require_positive(value: object, what: str, stage: str) -> None:
    """Raise ``PipelineError`` unless ``value`` is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PipelineError(f"stage {stage!r}: {what} is an integer of at least 1, not {value!r}")


def error_policy(
    stage: str,
    kind: OpKind,
    on_error: OnError,
    retry: Retry | int | None,
    max_failures: int | float | None,
    timeout: float | None,
    key: Callable[[Any], object] | None,
) -> ErrorPolicy:
    """Return a stage's error policy.

    Raises:
        PipelineError: an option cannot be, or has no meaning for this kind of operation.
    """
    if on_error not in ("raise", "skip"):
        raise PipelineError(f"stage {stage!r}: on_error is 'raise' or 'skip', not {on_error!r}")
    require_limit(max_failures, f"stage {stage!r}")
    if max_failures is not None and on_error != "skip":
        raise PipelineError(f"stage {stage!r}: max_failures needs on_error='skip'")
    if retry is not None and kind not in ("function", "coroutine"):
        raise PipelineError(f"stage {stage!r}: a {kind} cannot be retried, its results have left")
    if timeout is not None and kind not in ("coroutine", "async generator"):
        raise PipelineError(
            f"stage {stage!r}: timeout is for asynchronous operations, a thread cannot be "
            "interrupted; use run(stuck_after=...)"
        )
    if timeout is not None and not timeout > 0:
        raise PipelineError(f"stage {stage!r}: timeout is a time in seconds, not {timeout!r}")
    if key is not None and not callable(key):
        raise PipelineError(f"stage {stage!r}: key is a function of an item, not {key!r}")
    if retry is not None and not isinstance(retry, Retry):
        retry = Retry(retry)
    return ErrorPolicy(on_error, retry, max_failures, timeout, key)
