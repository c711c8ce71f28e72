"""How many items a run will give, where the description alone says so.

The rule never runs anything: a source that has a length is followed through stages that keep it or
change it in a known way. Where one stage may drop or multiply items the answer is ``None``, not a
guess.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sized
from typing import TYPE_CHECKING, Any

from .stages import Aggregate, Pipe, Prefetch

if TYPE_CHECKING:
    from .pipeline import Pipeline


def known_length(pipeline: Pipeline[Any]) -> int | None:
    """Return the number of items that one run of a pipeline gives, or ``None`` if it may vary.

    Functions and coroutine functions keep the number, unless failed items are skipped; lists of a
    given size divide it; everything else (generators, policies, disaggregation, a source without
    a length) makes it unknown.

    Args:
        pipeline: the description; nothing in it is called but the source's ``len``.

    Thread safety: as that of the source's ``__len__``.
    """
    length = source_length(pipeline.source)
    for stage in pipeline.stages:
        if length is None:
            return None
        if isinstance(stage, Pipe):
            if stage.kind not in ("function", "coroutine") or stage.policy.on_error == "skip":
                return None
        elif isinstance(stage, Aggregate) and stage.size is not None:
            length = length // stage.size if stage.drop_last else -(-length // stage.size)
        elif not isinstance(stage, Prefetch):
            return None
    return length


def source_length(source: Any) -> int | None:
    """Return a source's length, or ``None`` if it has none to tell."""
    # A callable that is no iterable is called for each run: its own length is not the run's.
    if not isinstance(source, Iterable | AsyncIterable) or not isinstance(source, Sized):
        return None
    try:
        return len(source)
    except Exception:  # some data sets raise what they like; a length is a convenience
        return None
