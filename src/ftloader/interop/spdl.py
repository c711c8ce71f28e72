"""SPDL's vocabulary on the native engine: a ``PipelineBuilder`` with the names of SPDL 0.8.

It is a translation, not an engine: the builder describes a :class:`ftloader.Pipeline`, and what it
builds reads a run of it. SPDL's defaults hold: results in completion order, ``None`` drops an
item, an operation that raises loses its item and nothing else, within ``max_failures``. SPDL
itself is neither needed nor imported. What SPDL has and this has not is in :data:`NOT_OFFERED` and
refused by name; ``docs/coming_from_spdl.md`` has every difference with its reason.

SPDL raises ``ValueError`` for a description that cannot be, and so does this (``PipelineError`` is
one).
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, NoReturn, Self

from .. import pipeline as native
from ..errors import PipelineError
from ..policy import require_limit
from ..stages import OutputOrder, kind_of, require_positive
from .spdl_ops import Aggregator, Slots, dropping, elements, grouping
from .spdl_pipeline import Pipeline, PipelineFailure

__all__ = ["NOT_OFFERED", "Aggregator", "Pipeline", "PipelineBuilder", "PipelineFailure"]

_PROCESSES = "operations run on threads here; move the whole training loader into a process instead"
_STATISTICS = "read pipeline.run.stats() and pipeline.run.failures"
_REGION = "leave it out: where threads run in parallel no region needs a process"

#: What SPDL 0.8 offers and this module does not, and what to do instead.
NOT_OFFERED: Final[Mapping[str, str]] = MappingProxyType(
    {
        # arguments
        "executor": "set concurrency: each stage has its own threads",
        "queue_class": _STATISTICS,
        "task_hook_factory": f"wrap the operation; for statistics {_STATISTICS}",
        "report_stats_interval": _STATISTICS,
        # methods of the builder
        "path_variants": "branch inside one operation, or run one pipeline per path",
        "to": _REGION,
        "get_config": "print the pipeline that build() returns",
        # names of the module spdl.pipeline
        "AsyncQueue": _STATISTICS,
        "InterpreterPoolExecutorConfig": _REGION,
        "MAIN_PROCESS": _REGION,
        "Merge": "chain the sources in one generator function",
        "PathVariants": "branch inside one operation, or run one pipeline per path",
        "PriorityInterpreterPoolExecutor": "set concurrency: each stage has its own threads",
        "PriorityProcessPoolExecutor": "set concurrency: each stage has its own threads",
        "PriorityThreadPoolExecutor": "set concurrency: each stage has its own threads",
        "ProcessPoolExecutorConfig": _REGION,
        "StatsQueue": _STATISTICS,
        "TaskHook": f"wrap the operation; for statistics {_STATISTICS}",
        "TaskStatsHook": _STATISTICS,
        "build_pipeline": "use PipelineBuilder",
        "iterate_in_subinterpreter": _PROCESSES,
        "iterate_in_subprocess": _PROCESSES,
        "profile_pipeline": "use ftloader.profile",
        "run_pipeline_in_subinterpreter": _PROCESSES,
        "run_pipeline_in_subprocess": _PROCESSES,
    }
)


Limit = int | float | None
#: Adds one stage to a native pipeline, given the slots and the limit that ``build`` sets.
Step = Callable[[native.Pipeline[Any], Slots, Limit], native.Pipeline[Any]]


class PipelineBuilder:
    """Describe a pipeline step by step, as SPDL does; every method changes and returns it.

    Thread safety: one thread describes; what :meth:`build` returns shares nothing with it.
    """

    def __init__(self) -> None:
        self._source: Any = None
        self._continuous = False
        self._steps: list[Step] = []
        self._threads: list[int] = []  # what each synchronous stage wants
        self._sink: int | None = None

    def add_source(
        self, source: Iterable[Any] | AsyncIterable[Any], *, continuous: bool = False
    ) -> Self:
        """Say where items come from.

        Args:
            source: an iterable or async iterable, advanced by one thread only.
            continuous: iterate it again and again, one epoch after the other. The next epoch
                begins in the background when the last item of one has been read.

        Raises:
            PipelineError: there is a source already, or this cannot be one.
        """
        if self._source is not None:
            raise PipelineError("the source is already set; a pipeline has one")
        native.Pipeline(source)  # refuses what is no source
        self._source, self._continuous = source, continuous
        return self

    def pipe(
        self,
        op: Any,
        /,
        *,
        concurrency: int = 1,
        executor: None = None,
        name: str | None = None,
        output_order: OutputOrder = "completion",
        max_failures: int | Fraction | None = None,
    ) -> Self:
        """Apply an operation to every item; the result ``None`` drops the item.

        Args:
            op: a function, coroutine function, generator function or async generator function of
                one argument, or a container: the item is then its index or key.
            concurrency: items worked on at once, at least 1.
            executor: not offered.
            name: the stage's name in messages; a second one of that name gets a number.
            output_order: ``"completion"`` or ``"input"``.
            max_failures: items of this stage that may fail: a count, -1 for any number, or a
                ``Fraction`` of them. ``None``: what :meth:`build` says.

        Raises:
            PipelineError: an argument cannot run.
        """
        if executor is not None:
            refuse("executor")
        if not callable(op) and hasattr(op, "__getitem__"):
            container, op = op, op.__getitem__
            name = name or type(container).__name__
        if not callable(op):
            raise PipelineError(f"an operation is a function or a container, not {op!r}")
        label = name or str(getattr(op, "__name__", type(op).__name__))
        require_one_argument(op, label)
        require_positive(concurrency, "concurrency", label)
        if output_order not in ("completion", "input"):
            raise PipelineError(
                f"stage {label!r}: output_order is 'input' or 'completion', not {output_order!r}"
            )
        limit = None if max_failures is None else limit_of(max_failures, f"stage {label!r}")
        if not kind_of(op).startswith(("coroutine", "async")):
            self._threads.append(concurrency)

        def step(
            pipeline: native.Pipeline[Any], slots: Slots, default: Limit
        ) -> native.Pipeline[Any]:
            return pipeline.pipe(
                dropping(op, label, slots),
                concurrency=concurrency,
                output_order=output_order,
                on_error="skip",
                max_failures=default if max_failures is None else limit,
            )

        self._steps.append(step)
        return self

    def aggregate(self, num_items: int | Aggregator, /, *, drop_last: bool = False) -> Self:
        """Group items into lists of a size, or as an :class:`Aggregator` says.

        Args:
            num_items: the size, at least 1, or an object with ``accumulate`` and ``flush``. What
                these raise ends the pipeline, whatever ``max_failures`` says.
            drop_last: drop what is left at the end of an epoch.

        Raises:
            PipelineError: it is neither.
        """
        if hasattr(num_items, "accumulate") and hasattr(num_items, "flush"):
            policy = grouping(num_items, drop_last)
            self._steps.append(lambda pipeline, *_: pipeline.aggregate(policy))
            return self
        require_positive(num_items, "size", "aggregate")
        size = num_items
        self._steps.append(lambda pipeline, *_: pipeline.aggregate(size, drop_last=drop_last))
        return self

    def disaggregate(self) -> Self:
        """Emit the elements of every item, one by one."""
        return self.pipe(elements, name="disaggregate")

    def add_sink(self, buffer_size: int = 3) -> Self:
        """Say how many results may wait for the reader, at least 1.

        Raises:
            PipelineError: there is a sink already, or the size is not a positive integer.
        """
        if self._sink is not None:
            raise PipelineError("the sink is already set; a pipeline has one")
        require_positive(buffer_size, "buffer_size", "sink")
        self._sink = buffer_size
        return self

    def build(
        self,
        *,
        num_threads: int,
        max_failures: int | Fraction = -1,
        report_stats_interval: float = -1,
        queue_class: None = None,
        task_hook_factory: None = None,
        stage_id: int = 0,
        use_thread_output_queue: bool = False,
    ) -> Pipeline:
        """Return the pipeline; it starts when told to, or when it is first read.

        Args:
            num_threads: how many synchronous operations may run at once, over all stages.
            max_failures: the limit of each stage that has none of its own.
            report_stats_interval: not offered.
            queue_class: not offered.
            task_hook_factory: not offered.
            stage_id: has no effect (SPDL logs with it).
            use_thread_output_queue: has no effect (results always reach the reader that way).

        Raises:
            PipelineError: an argument cannot be.
            RuntimeError: there is no source or no sink.
        """
        if report_stats_interval > 0:
            refuse("report_stats_interval")
        if queue_class is not None:
            refuse("queue_class")
        if task_hook_factory is not None:
            refuse("task_hook_factory")
        if self._source is None:
            raise RuntimeError("there is no source; call add_source")
        if self._sink is None:
            raise RuntimeError("there is no sink; call add_sink")
        require_positive(num_threads, "num_threads", "build")
        slots = Slots(num_threads if sum(self._threads) > num_threads else None)
        limit = limit_of(max_failures, "build")
        pipeline: native.Pipeline[Any] = native.Pipeline(self._source)
        for step in self._steps:
            pipeline = step(pipeline, slots, limit)
        pipeline = pipeline.prefetch(self._sink, name="sink")
        return Pipeline(pipeline, continuous=self._continuous, slots=slots)

    def __getattr__(self, name: str) -> Any:
        if name in NOT_OFFERED:
            refuse(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def limit_of(max_failures: int | Fraction, where: str) -> Limit:
    """Return SPDL's limit as ours: ``None`` is no limit, and a rate is a float.

    Raises:
        PipelineError: it is neither a count nor a ``Fraction`` in (0, 1].
    """
    if isinstance(max_failures, Fraction):
        limit: Limit = float(max_failures)
    elif isinstance(max_failures, int):
        limit = None if max_failures < 0 else max_failures
    else:
        raise PipelineError(f"{where}: max_failures is an int or a Fraction, not {max_failures!r}")
    require_limit(limit, where)
    return limit


def require_one_argument(op: Any, name: str) -> None:
    """Raise ``PipelineError`` if an operation cannot be called with one item."""
    try:
        signature = inspect.signature(op, follow_wrapped=False)
    except (TypeError, ValueError):  # many built-in functions do not tell
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise PipelineError(f"stage {name!r}: an operation takes one item, but {error}") from None


def refuse(name: str) -> NoReturn:
    """Raise the error of something that SPDL has and this has not."""
    raise PipelineError(f"SPDL's {name} is not offered on the native engine; {NOT_OFFERED[name]}")


def __getattr__(name: str) -> Any:
    if name in NOT_OFFERED:
        refuse(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
