"""Operations, sources and readers that the tests of SPDL's vocabulary share."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

#: Seconds after which something that has to happen has not: a bound on a hang, never a delay.
PATIENCE = 60.0


def same(x: Any) -> Any:
    return x


async def asame(x: Any) -> Any:
    return x


def fails_on(*values: Any) -> Callable[[Any], Any]:
    """Return an operation that raises on these values."""

    def op(x: Any) -> Any:
        if x in values:
            raise ValueError(f"no {x}")
        return x

    return op


class Passes:
    """A source that gives another list in each epoch, the last one for ever."""

    def __init__(self, *epochs: list[Any]) -> None:
        self._epochs = list(epochs)

    def __iter__(self) -> Iterator[Any]:
        epoch = self._epochs.pop(0) if len(self._epochs) > 1 else self._epochs[0]
        return iter(epoch)


class ASource:
    """An async source that can be iterated again."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self._items:
            yield item


class Counted:
    """An operation that tells when it has been called so many times."""

    def __init__(self, calls: int) -> None:
        self._left = calls
        self._lock = threading.Lock()
        self.reached = threading.Event()

    def __call__(self, x: Any) -> Any:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.reached.set()
        return x


def read_until_failure(pipeline: Any, failure: type[BaseException]) -> tuple[list[Any], Any]:
    """Return what a pipeline delivers, and the failure that ends it."""
    delivered: list[Any] = []
    try:
        for item in pipeline.get_iterator(timeout=PATIENCE):
            delivered.append(item)  # noqa: PERF402 (what came before the failure counts)
    except failure as error:
        return delivered, error
    raise AssertionError(f"no {failure.__name__}; it delivered {delivered}")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, the members of a group, and all their causes."""
    if error is None:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from causes(member)
    yield from causes(error.__cause__)
