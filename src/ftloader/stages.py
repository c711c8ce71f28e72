"""The kinds of stages, as plain values: what a pipeline is made of and what engines read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from .errors import PipelineError

OutputOrder = Literal["input", "completion"]
OpKind = Literal["function", "coroutine", "generator", "async generator"]


class Aggregator(Protocol):
    """Groups items by its own rule; one is made for each run and used by one thread."""

    def add(self, item: Any) -> Iterable[Any]:
        """Take one item and return the groups it completed (often none)."""

    def flush(self) -> Iterable[Any]:
        """Return the groups left over when the input has ended."""


@dataclass(frozen=True, slots=True)
class Pipe:
    """Apply an operation to every item."""

    name: str
    op: Callable[[Any], Any]
    kind: OpKind
    concurrency: int
    output_order: OutputOrder

    @property
    def is_async(self) -> bool:
        """Whether the operation is awaited on an event loop instead of called on a thread."""
        return self.kind in ("coroutine", "async generator")

    def __str__(self) -> str:
        return f"{self.name}: {self.kind} × {self.concurrency}, {self.output_order} order"


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
