"""What an engine asks for when a stage says ``concurrency="auto"``: numbers, found once.

The first run of a pipeline tunes it, for a few seconds; later runs of an equal one (the same
source object and equal stages) get the same numbers at once. Two threads that start one pipeline
together wait for one tuning. The last :data:`REMEMBERED` pipelines are remembered, and their
sources kept alive meanwhile.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from ..errors import PipelineError
from ..pipeline import Pipeline
from ..source import OneShot
from ..stages import Pipe
from .tuner import tune

#: Time that one tuning may take, in seconds.
SECONDS: Final = 6.0
#: Pipelines whose numbers are kept.
REMEMBERED: Final = 8


class Entry:
    """One pipeline's numbers, once found; whoever holds the lock finds them."""

    def __init__(self, pipeline: Pipeline[Any]) -> None:
        self.pipeline = pipeline
        self.lock = threading.Lock()
        self.resolved: Pipeline[Any] | None = None


class Cache:
    """Numbers by pipeline; any thread may ask. An entry's lock is never held with the cache's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []  # the one used last stands last

    def entry(self, pipeline: Pipeline[Any]) -> Entry:
        """Return a pipeline's entry, a new one if there is none."""
        with self._lock:
            for place, entry in enumerate(self._entries):
                if entry.pipeline == pipeline:
                    self._entries.append(self._entries.pop(place))
                    return entry
            entry = Entry(pipeline)
            self._entries.append(entry)
            del self._entries[:-REMEMBERED]
            return entry

    def forget(self) -> None:
        """Forget every pipeline; a forked child has no use for locks that others held."""
        self._lock = threading.Lock()
        self._entries = []


_cache = Cache()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_cache.forget)


def resolve[T](pipeline: Pipeline[T]) -> Pipeline[T]:
    """Return the pipeline with a number for every stage that says ``concurrency="auto"``.

    Args:
        pipeline: any pipeline; one without such a stage is returned as it is.

    Raises:
        PipelineError: the pipeline cannot be tried; see :func:`~ftloader.tuning.tune`.
        RunError: its source or an operation raised while it was tried.

    Thread safety: call it from any thread; one pipeline is tuned by one of them.
    """
    if not any(is_auto(stage) for stage in pipeline.stages):
        return pipeline
    if isinstance(pipeline.source, OneShot):
        names = ", ".join(repr(stage.name) for stage in pipeline.stages if is_auto(stage))
        raise PipelineError(
            f'concurrency="auto" ({names}): the source is an iterator '
            f"({pipeline.source.__name__}), which cannot be tried and then run; pass the callable "
            "that makes it, or numbers"
        )
    entry = _cache.entry(pipeline)
    with entry.lock:
        if entry.resolved is None:
            entry.resolved = tune(pipeline, seconds=SECONDS).pipeline
        return entry.resolved


def is_auto(stage: object) -> bool:
    """Tell whether a stage's concurrency is still to be found."""
    return isinstance(stage, Pipe) and stage.concurrency == "auto"
