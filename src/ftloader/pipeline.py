"""What a pipeline is: an immutable description of a source and the stages behind it.

A description does nothing by itself. It can be printed, compared, extended (every method returns
a new one), run twice at once, and run by any engine with the same result. What cannot run is
refused here, while it is described, with the stage's name in the message.
"""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from .errors import PipelineError
from .length import known_length, source_length
from .options import RunKeywords, run_options
from .policy import OnError, Retry
from .safety import for_threads
from .source import OneShot, is_one_shot, is_source
from .stages import (
    Aggregate,
    Aggregator,
    Concurrency,
    Disaggregate,
    OutputOrder,
    Pipe,
    PipeOptions,
    Prefetch,
    Stage,
    Weight,
    error_policy,
    kind_of,
    require_positive,
)

if TYPE_CHECKING:
    from .engine.base import Run

EngineName = Literal["threads", "serial", "spdl"]


@dataclass(frozen=True, eq=False, repr=False)
class Pipeline[T]:
    """A source and the stages behind it.

    Args:
        source: an iterable, an async iterable, or a zero-argument callable that returns one.
            Each run iterates it afresh, from one thread only. An iterator can be iterated once,
            so a second run of it is refused; pass the callable that makes it instead.

    Raises:
        PipelineError: the source is none of these.

    Thread safety: immutable; share it freely.
    Determinism: with ``output_order="input"`` everywhere (the default) the results and their order
    are those of the serial engine, for any concurrency, engine and GIL mode.
    """

    source: Any
    stages: tuple[Stage, ...] = ()

    @overload
    def __init__(self, source: Iterable[T], /) -> None: ...
    @overload
    def __init__(self, source: AsyncIterable[T], /) -> None: ...
    @overload
    def __init__(self, source: Callable[[], Iterable[T]], /) -> None: ...
    @overload
    def __init__(self, source: Callable[[], AsyncIterable[T]], /) -> None: ...
    def __init__(self, source: Any, /) -> None:
        if inspect.iscoroutinefunction(source):
            raise PipelineError(
                f"the coroutine function {source.__name__!r} is no source; "
                "make it an async generator function"
            )
        if not is_source(source):
            raise PipelineError(
                f"a source is an iterable, an async iterable or a callable that returns one, "
                f"not {type(source).__name__}"
            )
        if is_one_shot(source):
            source = OneShot(source)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "stages", ())

    @overload
    def pipe[U](
        self, op: Callable[[T], AsyncIterator[U]], **options: Unpack[PipeOptions]
    ) -> Pipeline[U]: ...
    @overload
    def pipe[U](
        self, op: Callable[[T], Coroutine[Any, Any, U]], **options: Unpack[PipeOptions]
    ) -> Pipeline[U]: ...
    @overload
    def pipe[U](
        self, op: Callable[[T], Generator[U, Any, Any]], **options: Unpack[PipeOptions]
    ) -> Pipeline[U]: ...
    @overload
    def pipe[U](self, op: Callable[[T], U], **options: Unpack[PipeOptions]) -> Pipeline[U]: ...
    def pipe(
        self,
        op: Callable[[T], Any],
        *,
        concurrency: Concurrency = 1,
        output_order: OutputOrder = "input",
        name: str | None = None,
        on_error: OnError = "raise",
        retry: Retry | int | None = None,
        max_failures: int | float | None = None,
        timeout: float | None = None,
        weight: Weight | None = None,
        key: Callable[[T], object] | None = None,
    ) -> Pipeline[Any]:
        """Apply an operation to every item.

        Args:
            op: called with one item. A function's result is the new item (``None`` is an item
                like any other); a generator function's results follow one by one, so it may
                filter or multiply. A coroutine function or async generator function runs on the
                event loop and is for I/O; everything else runs on threads.
            concurrency: how many items the stage works on at once, at least 1; ``"auto"`` has
                :func:`ftloader.tune` find a number when the pipeline is run.
            output_order: ``"input"`` hands results on in the order of their inputs;
                ``"completion"`` as they are ready.
            name: the stage's name in messages and statistics; the operation's name by default.
            on_error: ``"raise"`` ends the run with a :class:`StageError`; ``"skip"`` records the
                item in ``run.failures`` and goes on. Only an ``Exception`` is ever skipped.
            retry: attempts in all, or a :class:`Retry`. For functions and coroutine functions.
            max_failures: how many items may be skipped: a count, or a rate in (0, 1] of the
                stage's input, judged from the 100th item on and at the end. ``None``: any number.
            timeout: seconds one attempt may take; for asynchronous operations.
            weight: bytes of a result, for runs with a memory budget: ``"nbytes"`` measures it
                when it is made, a function foretells it from the item (and must not be too low).
            key: what names an item in errors and records, called with it; by default its ``key``
                or ``__key__``, as an attribute or an entry, or else a short text.

        Raises:
            PipelineError: an argument cannot run.

        Thread safety: with ``concurrency > 1`` a function is called from several threads at once.
            An operation whose class declares its ``thread_safety``
            (:class:`~ftloader.safety.ThreadSafety`) is held to it: one with per-thread state is
            copied for each thread, an unsafe or order-dependent one is refused.
        """
        label = self._name(name, getattr(op, "__name__", type(op).__name__))
        if not callable(op):
            hint = "; pass its __getitem__" if hasattr(op, "__getitem__") else ""
            raise PipelineError(f"stage {label!r}: {type(op).__name__} is not callable{hint}")
        if concurrency != "auto":
            require_positive(concurrency, "concurrency", label)
        if output_order not in ("input", "completion"):
            raise PipelineError(
                f"stage {label!r}: output_order is 'input' or 'completion', not {output_order!r}"
            )
        if weight is not None and weight != "nbytes" and not callable(weight):
            raise PipelineError(f"stage {label!r}: weight is 'nbytes' or a function of an item")
        kind = kind_of(op)
        policy = error_policy(label, kind, on_error, retry, max_failures, timeout, key)
        is_async = kind in ("coroutine", "async generator")
        op = for_threads(op, label, concurrent=concurrency != 1, is_async=is_async)
        return self._with(Pipe(label, op, kind, concurrency, output_order, policy, weight))

    def aggregate(
        self,
        size: int | Callable[[], Aggregator],
        *,
        drop_last: bool = False,
        name: str | None = None,
    ) -> Pipeline[list[T]]:
        """Group successive items into lists.

        Args:
            size: items in a list, at least 1; or a zero-argument callable that makes an
                :class:`Aggregator` for each run.
            drop_last: drop the last list if it is short (lists of a given size only).
            name: the stage's name in messages and statistics.

        Raises:
            PipelineError: an argument cannot run.
        """
        label = self._name(name, "aggregate")
        if callable(size):
            if drop_last:
                raise PipelineError(f"stage {label!r}: drop_last is for lists of a given size")
            return self._with(Aggregate(label, None, size, False))
        require_positive(size, "size", label)
        return self._with(Aggregate(label, size, None, drop_last))

    def disaggregate[U](self: Pipeline[Iterable[U]], *, name: str | None = None) -> Pipeline[U]:
        """Emit the elements of every item, one by one."""
        return cast("Pipeline[U]", self._with(Disaggregate(self._name(name, "disaggregate"))))

    def prefetch(self, size: int, *, name: str | None = None) -> Pipeline[T]:
        """Keep up to ``size`` results ready ahead of whoever reads them.

        Args:
            size: results that may wait, at least 1. Without a prefetch a stage keeps a few ready.
            name: the stage's name in messages and statistics.

        Raises:
            PipelineError: ``size`` is not a positive integer, or a prefetch follows a prefetch.
        """
        label = self._name(name, "prefetch")
        require_positive(size, "size", label)
        if self.stages and isinstance(self.stages[-1], Prefetch):
            raise PipelineError(f"stage {label!r}: it follows {self.stages[-1].name!r}; keep one")
        return self._with(Prefetch(label, size))

    def run(self, engine: EngineName = "threads", **options: Unpack[RunKeywords]) -> Run[T]:
        """Start a run and return it; iterate it, and stop it when done (or use ``with``).

        Args:
            engine: ``"threads"`` (native), ``"serial"`` (one item at a time, the reference) or
                ``"spdl"`` (needs the ``spdl`` extra).
            **options: those of :class:`~ftloader.options.RunOptions`: ``memory_budget`` (bytes in
                flight, or bytes per stage), ``max_failures``, ``quarantine`` (a file for skipped
                items), ``stuck_after`` (seconds), ``fuse`` and ``trace``.

        Raises:
            PipelineError: there is no such engine or option.
            EngineUnavailable: the engine's package is not installed.
        """
        from .engine import start  # the engine imports this module

        return cast("Run[T]", start(self, engine, run_options(options)))

    def explain(self, **options: Unpack[RunKeywords]) -> str:
        """Return what the native engine would run: threads, fused stages and bounds, as text.

        Args:
            **options: as for :meth:`run`.

        Raises:
            PipelineError: the pipeline cannot run with these options.
        """
        from .engine.explain import explain

        return explain(self, run_options(options))

    def __iter__(self) -> Iterator[T]:
        """Start a fresh run on the default engine; it stops when the iterator is dropped."""
        return self.run()

    def __len__(self) -> int:
        """Return how many items a run gives; a ``TypeError`` where only running it would tell."""
        length = known_length(self)
        if length is None:
            raise TypeError("how many items this pipeline gives is not known before it has run")
        return length

    def __bool__(self) -> bool:
        return True  # a description of no items is a description

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pipeline):
            return NotImplemented
        return self.source is other.source and self.stages == other.stages

    def __hash__(self) -> int:
        return hash((id(self.source), self.stages))

    def __repr__(self) -> str:
        lines = [f"Pipeline({_source_text(self.source)})"]
        lines += [f"  {number} {stage}" for number, stage in enumerate(self.stages, 1)]
        return "\n".join(lines)

    def _with(self, stage: Stage) -> Pipeline[Any]:
        new: Pipeline[Any] = object.__new__(Pipeline)
        object.__setattr__(new, "source", self.source)
        object.__setattr__(new, "stages", (*self.stages, stage))
        return new

    def _name(self, given: str | None, default: str) -> str:
        taken = {stage.name for stage in self.stages}
        if given is not None:
            if given in taken:
                raise PipelineError(f"two stages are named {given!r}; names must differ")
            return given
        name, number = default, 2
        while name in taken:
            name, number = f"{default}_{number}", number + 1
        return name


def _source_text(source: Any) -> str:
    name = getattr(source, "__name__", None) or type(source).__name__
    length = source_length(source)
    return str(name) if length is None else f"{name} of {length}"
