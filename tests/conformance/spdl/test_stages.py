"""Rows 13 to 24 of SPDL's observable behaviours: order, concurrency, and kinds of stages."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from .conftest import Dialect
from .ops import PATIENCE, ASource, asame, causes, read_until_failure, same

pytestmark = pytest.mark.usefixtures("no_thread_left")


def as_kind(op: Callable[[Any], Any], is_async: bool) -> Callable[[Any], Any]:
    """Return a function that waits for others as an operation on threads or on the event loop."""
    if not is_async:
        return op

    async def aop(x: Any) -> Any:
        return await asyncio.to_thread(op, x)

    return aop


@pytest.mark.parametrize("is_async", [False, True])
def test_in_completion_order_a_fast_item_overtakes_a_slow_one(
    dialect: Dialect, is_async: bool
) -> None:
    """Row 13: the slow one ends when the fast one has been read."""
    release = threading.Event()

    def op(x: int) -> int:
        assert x or release.wait(PATIENCE)
        return x

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(2))
        .pipe(as_kind(op, is_async), concurrency=2)
        .add_sink()
        .build(num_threads=2)
    )
    with pipeline.auto_stop():
        assert pipeline.get_item(timeout=PATIENCE) == 1
        release.set()
        assert pipeline.get_item(timeout=PATIENCE) == 0


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("filters", [False, True])
def test_input_order_holds_whatever_ends_first(
    dialect: Dialect, is_async: bool, filters: bool
) -> None:
    """Row 14: each of three operations ends after the one behind it."""
    ended = [threading.Event() for _ in range(31)]

    def op(x: int) -> int | None:
        if x % 3 != 2:
            assert ended[x + 1].wait(PATIENCE)
        ended[x].set()
        return None if filters and x % 2 else x

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(30))
        .pipe(as_kind(op, is_async), concurrency=3, output_order="input")
        .add_sink()
        .build(num_threads=3)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == list(range(0, 30, 2 if filters else 1))


def test_input_order_holds_on_a_single_thread(dialect: Dialect) -> None:
    """Row 14: two stages that would run four operations each share one thread."""
    running = threading.Semaphore(1)

    def alone(x: int) -> int:
        assert running.acquire(blocking=False), "two operations on one thread"
        running.release()
        return x + 1

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(50))
        .pipe(alone, concurrency=4, output_order="input")
        .pipe(alone, concurrency=4, output_order="input")
        .add_sink()
        .build(num_threads=1, max_failures=0)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == list(range(2, 52))


@pytest.mark.parametrize("order", ["completion", "input"])
def test_k_operations_run_at_once_on_threads(dialect: Dialect, order: str) -> None:
    """Row 15: only all four together pass the barrier; no fifth fits beside them."""
    barrier = threading.Barrier(4)
    running = threading.Semaphore(4)

    def meet(x: int) -> int:
        assert running.acquire(blocking=False), "a fifth operation"
        barrier.wait(PATIENCE)
        running.release()
        barrier.wait(PATIENCE)
        return x

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(20))
        .pipe(meet, concurrency=4, output_order=order)
        .add_sink()
        # SPDL's input order runs two more than it may where there are threads for them.
        .build(num_threads=8 if dialect.is_ours else 4, max_failures=0)
    )
    with pipeline.auto_stop():
        assert sorted(pipeline) == list(range(20))


def test_k_operations_run_at_once_on_the_event_loop(dialect: Dialect) -> None:
    """Row 15."""
    together = asyncio.Barrier(4)

    async def meet(x: int) -> int:
        await together.wait()
        return x

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(20))
        .pipe(meet, concurrency=4)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert sorted(pipeline) == list(range(20))


def test_a_stage_that_stands_still_stops_the_source(dialect: Dialect) -> None:
    """Row 15: it fetches no more than the buffers before it hold."""
    taken = itertools.count()
    release = threading.Event()
    started = threading.Barrier(4 + 1)

    def source() -> Iterator[int]:
        for x in itertools.count():
            next(taken)
            yield x

    def wait(x: int) -> int:
        started.wait(PATIENCE)
        assert release.wait(PATIENCE)
        return x

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(source())
        .pipe(wait, concurrency=4)
        .add_sink()
        .build(num_threads=4)
    )
    pipeline.start()
    try:
        started.wait(PATIENCE)
        # Ours reads up to two chunks per worker ahead where items cost next to nothing.
        assert next(taken) <= (4 + 2 * 64 * 4 if dialect.is_ours else 4 + 6)
    finally:
        started.abort()
        release.set()
        pipeline.stop()


def test_a_generator_hands_each_result_on_as_it_is_yielded(dialect: Dialect) -> None:
    """Row 16: it goes on when its first result has been read."""
    read = threading.Event()

    def count(x: int) -> Iterator[tuple[int, int]]:
        for n in range(3):
            yield x, n
            assert read.wait(PATIENCE)

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(2))
        .pipe(count)
        .add_sink()
        .build(num_threads=1, max_failures=0)
    )
    with pipeline.auto_stop():
        items = [pipeline.get_item(timeout=PATIENCE)]
        read.set()
        assert items + list(pipeline) == [(x, n) for x in range(2) for n in range(3)]


def test_an_async_generator_hands_each_result_on_as_it_is_yielded(dialect: Dialect) -> None:
    """Row 17."""
    read = threading.Event()

    async def count(x: int) -> AsyncIterator[tuple[int, int]]:
        for n in range(3):
            yield x, n
            assert await asyncio.to_thread(read.wait, PATIENCE)

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(2))
        .pipe(count)
        .add_sink()
        .build(num_threads=1, max_failures=0)
    )
    with pipeline.auto_stop():
        items = [pipeline.get_item(timeout=PATIENCE)]
        read.set()
        assert items + list(pipeline) == [(x, n) for x in range(2) for n in range(3)]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_end_of_a_generator_is_no_failure(dialect: Dialect, is_async: bool) -> None:
    """Row 17: not under a limit of 0 either, and not when it yields nothing."""

    def some(x: int) -> Iterator[int]:
        yield from range(x)

    async def asome(x: int) -> AsyncIterator[int]:
        for n in range(x):
            yield n

    pipeline = (
        dialect.PipelineBuilder()
        .add_source([0, 2, 0, 1])
        .pipe(asome if is_async else some, max_failures=0)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 1, 0]


def test_a_generator_that_fails_keeps_what_it_has_yielded(dialect: Dialect) -> None:
    """Rows 1 and 16: only the rest of that item is lost."""

    def half(x: int) -> Iterator[int]:
        yield x
        if x == 1:
            raise ValueError
        yield -x

    pipeline = (
        dialect.PipelineBuilder().add_source([1, 2]).pipe(half).add_sink().build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [1, 2, -2]


class Twice:
    def __call__(self, x: int) -> Iterator[int]:
        yield x
        yield x


class ATwice:
    async def __call__(self, x: int) -> AsyncIterator[int]:
        yield x
        yield x


@pytest.mark.parametrize("op", [Twice(), ATwice()], ids=["generator", "async generator"])
def test_an_object_whose_call_is_a_generator(dialect: Dialect, op: Any) -> None:
    """Row 19."""
    pipeline = dialect.PipelineBuilder().add_source([1, 2]).pipe(op).add_sink().build(num_threads=1)
    with pipeline.auto_stop():
        assert list(pipeline) == [1, 1, 2, 2]


@pytest.mark.parametrize(
    "container", [["a", "b", "c"], ("a", "b", "c"), {0: "a", 1: "b", 2: "c"}], ids=type
)
def test_a_container_is_an_operation(dialect: Dialect, container: Any) -> None:
    """Row 19: the item is its index or key; one that is not there fails, and is dropped."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source([2, 0, 7, 1])
        .pipe(container)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == ["c", "a", "b"]


@pytest.mark.parametrize("op", [same, asame])
def test_an_async_source_is_read(dialect: Dialect, op: Any) -> None:
    """Row 20."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(ASource(range(5)))
        .pipe(op)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("source", [[], ASource([])], ids=["sync", "async"])
def test_an_empty_source_ends_cleanly(dialect: Dialect, source: Any) -> None:
    """Row 21."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(source)
        .pipe(same, concurrency=3)
        .aggregate(2)
        .add_sink()
        .build(num_threads=3)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == []


def test_a_pipeline_without_stages_passes_its_source_on(dialect: Dialect) -> None:
    """Row 22."""
    pipeline = dialect.PipelineBuilder().add_source(range(5)).add_sink().build(num_threads=1)
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("items", "size", "drop_last", "expected"),
    [
        (5, 2, False, [[0, 1], [2, 3], [4]]),
        (5, 2, True, [[0, 1], [2, 3]]),
        (4, 2, False, [[0, 1], [2, 3]]),
        (2, 1, False, [[0], [1]]),
        (2, 9, False, [[0, 1]]),
        (2, 9, True, []),
    ],
)
def test_aggregate(
    dialect: Dialect, items: int, size: int, drop_last: bool, expected: list[list[int]]
) -> None:
    """Row 23."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(items))
        .aggregate(size, drop_last=drop_last)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == expected


def test_disaggregate_takes_lists_apart(dialect: Dialect) -> None:
    """Row 23, the other way; what is no list fails, and is dropped."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source([[1, 2], [], 7, [3]])
        .disaggregate()
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [1, 2, 3]


def by_length(dialect: Dialect, length: int) -> Any:
    """Return an aggregator that joins strings until they are that long, and knows no digits."""

    class ByLength(dialect.Aggregator):  # type: ignore[name-defined]
        def __init__(self) -> None:
            self.text = ""

        def accumulate(self, item: str) -> str | None:
            if item.isdigit():
                raise ValueError(item)
            self.text += item
            return self.flush() if len(self.text) >= length else None

        def flush(self) -> str | None:
            text, self.text = self.text, ""
            return text or None

    return ByLength()


@pytest.mark.parametrize(("drop_last", "rest"), [(False, ["e"]), (True, [])])
def test_an_aggregator_groups_by_its_own_rule(
    dialect: Dialect, drop_last: bool, rest: list[str]
) -> None:
    """Row 24."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(["a", "bb", "cccc", "d", "dd", "e"])
        .aggregate(by_length(dialect, 3), drop_last=drop_last)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == ["abb", "cccc", "ddd", *rest]


def test_an_aggregator_that_raises_ends_the_pipeline_whatever_the_limit(dialect: Dialect) -> None:
    """Row 24."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(["abc", "1", "def"])
        .aggregate(by_length(dialect, 3))
        .add_sink()
        .build(num_threads=1, max_failures=-1)
    )
    delivered, failure = read_until_failure(pipeline, dialect.PipelineFailure)
    pipeline.stop()
    assert delivered == ["abc"]
    assert any(isinstance(cause, ValueError) for cause in causes(failure))


def test_spdls_own_aggregators_work_in_the_shim(shim: Dialect, real_spdl: Dialect) -> None:
    """Row 24: any object with both methods does."""
    pipeline = (
        shim.PipelineBuilder()
        .add_source(["a", "bb", "c"])
        .aggregate(by_length(real_spdl, 3))
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == ["abb", "c"]
