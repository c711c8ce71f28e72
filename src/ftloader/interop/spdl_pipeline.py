"""What SPDL's builder builds: an object with SPDL's names that reads runs of a native pipeline.

One epoch is one run. A continuous pipeline starts the run of the next epoch when the last item of
one has been read, so epochs cannot mix, and work goes on while the reader does something else.
Only one thread may read.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from .. import pipeline as native
from ..engine.base import Run
from ..engine.failure import SOURCE
from ..errors import PipelineError, RunError, RunStopped, StuckOperation
from .spdl_ops import Slots


class PipelineFailure(ExceptionGroup[Exception]):
    """Why a pipeline ended early: a group of one :class:`~ftloader.RunError`, noted by its stage.

    ``except*``, ``split`` and ``subgroup`` work on it. The member is a ``StageError``, a
    ``SourceError`` or, when a limit was exceeded, a ``TooManyFailures`` that has the first
    failures as its cause.
    """

    def derive(self, errors: Sequence[Exception], /) -> PipelineFailure:  # type: ignore[override]
        """Return a group of some of the members; ``split`` and ``subgroup`` ask for it."""
        return PipelineFailure(self.message, errors)


class Pipeline:
    """A built pipeline. It starts on :meth:`start`, or when it is first read.

    Args:
        pipeline: what to run.
        continuous: whether epoch follows epoch.
        slots: what the synchronous operations share.

    Dropping it, or leaving it open at interpreter exit, ends it.

    Thread safety: one thread reads; :meth:`stop` may be called from any.
    """

    def __init__(self, pipeline: native.Pipeline[Any], *, continuous: bool, slots: Slots) -> None:
        self._pipeline = pipeline
        self._continuous = continuous
        self._slots = slots
        self._run: Run[Any] | None = None
        self._failure: PipelineFailure | None = None
        self._ended = False  # nothing will come any more
        self._stopped = False
        self._drop: weakref.finalize[..., Any] | None = None

    @property
    def run(self) -> Run[Any] | None:
        """The native run of this epoch: its ``stats()`` and ``failures``; ``None`` before one."""
        return self._run

    def start(self, *, timeout: float | None = None) -> None:
        """Start to work in the background.

        Args:
            timeout: has no effect: starting does not wait for anything.

        Raises:
            RuntimeError: it was started or stopped before.
        """
        if self._run is not None or self._stopped:
            raise RuntimeError("the pipeline was started before; build a new one")
        self._next_epoch()

    def stop(self, *, timeout: float | None = None) -> None:
        """End it and wait until its threads are gone; call it as often as you like.

        Unread results are let go. A failure that nobody has read is not raised here.

        Args:
            timeout: seconds to wait for operations in flight; for ever if ``None``.

        Raises:
            TimeoutError: operations are still in flight after that time.
        """
        self._stopped = self._ended = True
        self._slots.close()
        if self._run is not None:
            try:
                self._run.stop(timeout)
            except StuckOperation as error:
                raise TimeoutError(str(error)) from error

    @contextmanager
    def auto_stop(self, *, timeout: float | None = None) -> Iterator[None]:
        """Start, and stop at the end of the ``with`` block.

        Args:
            timeout: as for :meth:`stop`.
        """
        self.start()
        try:
            yield
        finally:
            self.stop(timeout=timeout)

    def get_item(self, *, timeout: float | None = None) -> Any:
        """Return the next item, waiting for it.

        Args:
            timeout: seconds to wait; for ever if ``None``.

        Raises:
            TimeoutError: there was none in that time; none is lost either.
            EOFError: the epoch has ended, or the pipeline was stopped.
            PipelineFailure: the pipeline has failed; again on every later read.
            RunStopped: Ctrl-C ended an earlier read, and the pipeline with it.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._ended:
            raise EOFError("the pipeline has ended")
        if self._run is None:
            self.start()
        try:
            return self._run.get(timeout)  # type: ignore[union-attr]  # it was just started
        except StopIteration:
            self._end_epoch()
            raise EOFError("the epoch has ended") from None
        except RunStopped:
            if not self._stopped:  # by Ctrl-C, say: no reader may take that for the end
                raise
            raise EOFError("the pipeline was stopped") from None
        except RunError as error:
            self._failure = failure_of(error)
        raise self._failure

    def get_iterator(self, *, timeout: float | None = None) -> Iterator[Any]:
        """Return an iterator over the rest of this epoch.

        Args:
            timeout: as for :meth:`get_item`, for each item.

        Raises:
            PipelineError: the only epoch has been read; SPDL's iterator would be empty.
        """
        if self._ended and not self._stopped:
            raise PipelineError(
                "the pipeline has delivered its only epoch; build it again, or give it "
                "add_source(..., continuous=True)"
            )
        return PipelineIterator(self, timeout)

    def __iter__(self) -> Iterator[Any]:
        return self.get_iterator()

    def __str__(self) -> str:
        return repr(self._pipeline)

    def _next_epoch(self) -> None:
        self._run = self._pipeline.run()
        # No thread refers to this object. It is called before the run itself is dropped.
        self._drop = weakref.finalize(self, self._slots.close)
        self._drop.atexit = False  # by then the pool has been joined
        if self._stopped:  # meanwhile, from another thread, which saw the run before
            self._run.stop()

    def _end_epoch(self) -> None:
        if self._drop is not None:
            self._drop.detach()
        if self._continuous and not self._stopped:
            self._next_epoch()
        else:
            self._ended = True


class PipelineIterator:
    """Reads one epoch of a pipeline, or the rest of it, and stays exhausted after that."""

    def __init__(self, pipeline: Pipeline, timeout: float | None) -> None:
        self._pipeline = pipeline
        self._timeout = timeout
        self._exhausted = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._exhausted:
            raise StopIteration
        try:
            return self._pipeline.get_item(timeout=self._timeout)
        except EOFError:
            self._exhausted = True
            raise StopIteration from None


def failure_of(error: RunError) -> PipelineFailure:
    """Return what the reader of a failed pipeline gets."""
    cause = error.__cause__
    first = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else error
    error.add_note(f"Pipeline stage: {getattr(first, 'stage', SOURCE)}")
    return PipelineFailure("the pipeline failed", [error])
