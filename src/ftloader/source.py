"""What may feed a pipeline, and how it is opened.

A source is an iterable, an async iterable, or a zero-argument callable that returns one. Opening
it gives a fresh iterator for one run. A pipeline over an iterator can be run once: the second time
is an error, not a silently empty run.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import CoroutineType
from typing import Any

from .errors import PipelineError


def is_source(candidate: Any) -> bool:
    """Tell whether ``candidate`` can feed a pipeline."""
    return isinstance(candidate, Iterable | AsyncIterable | OneShot) or callable(candidate)


def is_one_shot(source: Any) -> bool:
    """Tell whether ``source`` is an iterator, which can be iterated once only."""
    return isinstance(source, Iterator | AsyncIterator)


class OneShot:
    """An iterator as a source: the first run gets it, a second one is refused."""

    def __init__(self, iterator: Iterator[Any] | AsyncIterator[Any]) -> None:
        self.__name__ = type(iterator).__name__
        self._iterator = iterator
        self._lock = threading.Lock()
        self._claimed = False

    def claim(self) -> Iterator[Any] | AsyncIterator[Any]:
        """Return the iterator, once.

        Raises:
            PipelineError: it was claimed before.
        """
        with self._lock:
            if self._claimed:
                raise PipelineError(
                    f"the source is an iterator ({self.__name__}) that an earlier run has used; "
                    "pass the function that makes it, and every run gets a fresh one"
                )
            self._claimed = True
        return self._iterator


def open_source(source: Any) -> Iterator[Any] | AsyncIterator[Any]:
    """Return a fresh iterator over ``source`` for one run.

    Raises:
        PipelineError: an iterator is opened a second time, or a callable returned no iterable.
    """
    if isinstance(source, OneShot):
        return source.claim()
    if not isinstance(source, Iterable | AsyncIterable) and callable(source):
        source = source()
    if isinstance(source, Iterable):
        return iter(source)
    if isinstance(source, AsyncIterable):
        return aiter(source)
    if isinstance(source, CoroutineType):
        source.close()  # nobody will await it
    raise PipelineError(f"the source's callable returned {type(source).__name__}, not an iterable")
