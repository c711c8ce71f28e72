"""Operations with SPDL's meaning, as operations of the native engine.

Each becomes a generator, because that is how a native stage gives no result for an item. So the
items of such a stage cross threads one by one; a native ``pipe`` hands cheap ones over in chunks.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import Any

from ..engine.failure import refuse_coroutine
from ..stages import kind_of


class Aggregator(ABC):
    """Groups items by its own rule, under SPDL's names; any object with both methods will do.

    One object serves every epoch of its pipeline, called by one thread at a time; ``flush`` is
    called at the end of each epoch and has to leave it empty.
    """

    @abstractmethod
    def accumulate(self, item: Any) -> Any | None:
        """Take one item; return a group, or ``None`` if none is complete."""

    @abstractmethod
    def flush(self) -> Any | None:
        """Return what is left at the end, or ``None``."""


class Slots:
    """How many synchronous operations of a pipeline may run at once, over all its stages.

    Args:
        count: how many; ``None`` if the stages' own concurrency is limit enough.

    Owned by the built pipeline; every worker of every synchronous stage takes one per call.
    """

    def __init__(self, count: int | None) -> None:
        #: Hold it while an operation runs.
        self.one: AbstractContextManager[Any]
        self.one = nullcontext() if count is None else threading.Semaphore(count)
        #: Set when nobody will read any more: who waits for a slot need not run its operation.
        self.closed = False

    def close(self) -> None:
        """Say that nobody will read any more."""
        self.closed = True


def dropping(op: Callable[[Any], Any], name: str, slots: Slots) -> Callable[[Any], Any]:
    """Return an operation as a generator function that drops ``None``.

    Args:
        op: an operation of any kind.
        name: what the new one is called.
        slots: a synchronous operation takes one while it runs.
    """
    make: Callable[[Callable[[Any], Any], Slots], Callable[[Any], Any]] = {
        "function": _function,
        "coroutine": _coroutine,
        "generator": _generator,
        "async generator": _async_generator,
    }[kind_of(op)]
    wrapped = make(op, slots)
    wrapped.__name__ = name
    return wrapped


def _function(op: Callable[[Any], Any], slots: Slots) -> Callable[[Any], Iterator[Any]]:
    def apply(item: Any) -> Iterator[Any]:
        with slots.one:
            if slots.closed:
                return
            result = op(item)
        refuse_coroutine(result)
        if result is not None:
            yield result

    return apply


def _coroutine(op: Callable[[Any], Any], slots: Slots) -> Callable[[Any], AsyncIterator[Any]]:
    async def apply(item: Any) -> AsyncIterator[Any]:
        result = await op(item)
        if result is not None:
            yield result

    return apply


def _generator(op: Callable[[Any], Any], slots: Slots) -> Callable[[Any], Iterator[Any]]:
    def apply(item: Any) -> Iterator[Any]:
        outputs = op(item)  # runs nothing yet
        end = object()
        while not slots.closed:
            with slots.one:
                output = next(outputs, end)
            if output is end:
                return
            if output is not None:
                yield output

    return apply


def _async_generator(op: Callable[[Any], Any], slots: Slots) -> Callable[[Any], AsyncIterator[Any]]:
    async def apply(item: Any) -> AsyncIterator[Any]:
        async with aclosing(op(item)) as outputs:
            async for output in outputs:
                if output is not None:
                    yield output

    return apply


def elements(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the elements of one item."""
    yield from items


class Grouping:
    """An :class:`Aggregator` under the native names."""

    def __init__(self, aggregator: Any, drop_last: bool) -> None:
        self._aggregator = aggregator
        self._drop_last = drop_last

    def add(self, item: Any) -> Iterable[Any]:
        """Take one item; return the group it completed, if it did."""
        group = self._aggregator.accumulate(item)
        return () if group is None else (group,)

    def flush(self) -> Iterable[Any]:
        """Empty the aggregator; return what was left, unless that is to be dropped."""
        group = self._aggregator.flush()
        return () if group is None or self._drop_last else (group,)


def grouping(aggregator: Any, drop_last: bool) -> Callable[[], Grouping]:
    """Return what :meth:`ftloader.Pipeline.aggregate` asks for, named after the aggregator."""

    def make() -> Grouping:
        return Grouping(aggregator, drop_last)

    make.__name__ = type(aggregator).__name__
    return make
