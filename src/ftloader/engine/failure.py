"""How an error travels: in the stream, in its place among the items, until the reader raises it.

An item that is to be skipped leaves a marker in its place, so that skipped items are counted and
recorded in the order of the stream, whatever thread they failed on.
"""

from __future__ import annotations

import reprlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CoroutineType
from typing import Any, Final

from ..errors import PipelineError, RunError, SourceError, StageError, summary
from ..policy import FailureRecord
from ..stages import Pipe

#: The name under which the source stands in statistics.
SOURCE = "source"


class Failure:
    """An error on its way to the reader."""

    __slots__ = ("error",)

    def __init__(self, error: RunError) -> None:
        self.error = error

    def came_from(self, stage: str) -> bool:
        """Tell whether that stage's own operation (or the source) raised."""
        return stage == (self.error.stage if isinstance(self.error, StageError) else SOURCE)


class Skipped:
    """In place of an item that failed and is to be skipped."""

    __slots__ = ("error", "record")

    def __init__(self, error: StageError, record: FailureRecord) -> None:
        self.error = error
        self.record = record


#: What may stand in the stream in place of a result: ``type(output) in NO_RESULT``.
NO_RESULT: Final = (Failure, Skipped)


def contained(
    make: Callable[[], Iterable[Any]],
    failure: Callable[[BaseException], Any],
    passing: tuple[type[BaseException], ...] = (),
) -> Iterator[Any]:
    """Yield what ``make()`` yields; whatever it raises becomes the last output, as a failure.

    No ``yield`` stands inside a ``try``, so closing this generator is never mistaken for an
    operation that raised ``GeneratorExit``.

    Args:
        make: returns the outputs.
        failure: wraps an exception.
        passing: exceptions to let through.
    """
    try:
        outputs = iter(make())
    except passing:
        raise
    except BaseException as error:
        caught = failure(error)
    else:
        while True:
            try:
                output = next(outputs)
            except StopIteration:
                return
            except passing:
                raise
            except BaseException as error:
                caught = failure(error)
                break
            yield output
            del output  # a reader that waits must not keep its last item alive
    yield caught


def stage_failure(stage: str, index: int | None, item: Any, cause: BaseException) -> Failure:
    """Wrap what an operation raised, with the stage and the item it failed on."""
    return Failure(StageError(stage, index, describe(item), cause))


def skipped(error: StageError) -> Skipped:
    """Return the marker of an item to be skipped; it keeps the traceback, and none of its data."""
    cause = error.__cause__
    assert cause is not None, "a stage error has a cause"
    text = "".join(traceback.format_exception(cause))
    traceback.clear_frames(cause.__traceback__)
    record = FailureRecord(
        error.stage, error.index, error.item, error.attempt, summary(cause), text
    )
    return Skipped(error, record)


def name_item(stage: Pipe, item: Any) -> str:
    """Return what names an item: the stage's key for it, its own key, or a short text."""
    try:
        key = stage.policy.key
        if key is not None:
            return str(key(item))
        for name in ("key", "__key__"):
            value = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
            if isinstance(value, str | int):
                return str(value)
    except BaseException as error:  # a key that fails must not hide the operation's own error
        return f"{type(item).__name__}, whose key raised {type(error).__name__}"
    return describe(item)


def source_failure(error: BaseException, delivered: int) -> Failure:
    """Wrap what the source raised; a misused source keeps its own message."""
    if isinstance(error, PipelineError):
        message = str(error)
    else:
        message = f"the source failed after {delivered} items: {summary(error)}"
    failure = SourceError(message)
    failure.__cause__ = error
    return Failure(failure)


def describe(item: Any) -> str:
    """Return a short text for an item, without formatting the bulk of it."""
    if isinstance(item, bytes | bytearray | memoryview):
        return f"{type(item).__name__} of length {len(item)}"
    try:
        if hasattr(item, "dtype") and hasattr(item, "shape"):  # an array or a tensor
            return f"{item.dtype} {type(item).__name__} of shape {tuple(item.shape)}"
        return reprlib.repr(item)
    except BaseException as error:  # a user's __repr__ must not hide the operation's own error
        return f"{type(item).__name__}, whose repr raised {type(error).__name__}"


def refuse_coroutine(result: Any) -> None:
    """Raise if a plain function returned a coroutine, which nobody would ever await."""
    if type(result) is CoroutineType:
        name = result.__qualname__
        result.close()
        raise TypeError(f"it returned the coroutine {name!r}; pass the coroutine function itself")
