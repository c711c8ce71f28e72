"""One suite over all engines: what `docs/design.md` promises of each of them."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError, RunStopped, SourceError, StageError
from ftloader.engine import ENGINES

from .ops import (
    Adder,
    AsyncAdder,
    acountdown,
    anumbers,
    countdown,
    double,
    increment,
    odd_only,
)

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def collect(pipeline: Pipeline[Any], engine: Any) -> list[Any]:
    with pipeline.run(engine) as run:
        return list(run)


def test_a_mapped_range_comes_out_in_order(engine: Any) -> None:
    assert collect(Pipeline(range(1000)).pipe(double, concurrency=4), engine) == [
        2 * x for x in range(1000)
    ]


@pytest.mark.parametrize("concurrency", [1, 2, 7])
@pytest.mark.parametrize(
    "op", [double, increment, countdown, acountdown, odd_only, Adder(3), AsyncAdder(3)]
)
def test_input_order_gives_the_serial_sequence(engine: Any, op: Any, concurrency: int) -> None:
    pipeline = Pipeline(range(97)).pipe(op, concurrency=concurrency)
    assert collect(pipeline, engine) == collect(pipeline, "serial")


@pytest.mark.parametrize("op", [double, increment, countdown, acountdown])
def test_completion_order_gives_the_serial_multiset(engine: Any, op: Any) -> None:
    pipeline = Pipeline(range(97)).pipe(op, concurrency=5, output_order="completion")
    assert Counter(collect(pipeline, engine)) == Counter(collect(pipeline, "serial"))


def test_stages_of_every_kind_compose(engine: Any) -> None:
    pipeline = (
        Pipeline(range(200))
        .pipe(double, concurrency=3)
        .pipe(increment, concurrency=16)
        .pipe(countdown, concurrency=2)
        .aggregate(7)
        .disaggregate()
        .pipe(tuple, concurrency=2)
        .aggregate(4, drop_last=True)
        .prefetch(2)
    )
    assert collect(pipeline, engine) == collect(pipeline, "serial")


@pytest.mark.parametrize(
    ("items", "size", "drop_last", "expected"),
    [
        (7, 3, False, [[0, 1, 2], [3, 4, 5], [6]]),
        (7, 3, True, [[0, 1, 2], [3, 4, 5]]),
        (6, 3, False, [[0, 1, 2], [3, 4, 5]]),
        (2, 1, False, [[0], [1]]),
        (2, 5, False, [[0, 1]]),
        (2, 5, True, []),
        (0, 3, False, []),
    ],
)
def test_aggregate(
    engine: Any, items: int, size: int, drop_last: bool, expected: list[list[int]]
) -> None:
    assert collect(Pipeline(range(items)).aggregate(size, drop_last=drop_last), engine) == expected


class BySum:
    """Groups items until their sum reaches ten."""

    def __init__(self) -> None:
        self.items: list[int] = []

    def add(self, item: int) -> Iterator[list[int]]:
        self.items.append(item)
        if sum(self.items) >= 10:
            yield self.items
            self.items = []

    def flush(self) -> Iterator[list[int]]:
        if self.items:
            yield self.items


def test_aggregate_by_a_policy_starts_afresh_in_every_run(engine: Any) -> None:
    pipeline = Pipeline([6, 5, 9, 2, 1]).aggregate(BySum)
    assert collect(pipeline, engine) == [[6, 5], [9, 2], [1]]
    assert collect(pipeline, engine) == [[6, 5], [9, 2], [1]]


def test_an_empty_source_ends_cleanly(engine: Any) -> None:
    assert collect(Pipeline([]).pipe(double, concurrency=3).aggregate(2), engine) == []


def test_a_pipeline_without_stages_passes_its_source_on(engine: Any) -> None:
    assert collect(Pipeline(range(5)), engine) == [0, 1, 2, 3, 4]


def test_none_is_an_item_like_any_other(engine: Any) -> None:
    def nothing(_: object) -> None:
        return None

    assert collect(Pipeline([None, 1]).pipe(nothing, concurrency=2), engine) == [None, None]


def test_an_async_source_is_read(engine: Any) -> None:
    assert collect(Pipeline(anumbers).pipe(double, concurrency=2), engine) == [
        2 * x for x in range(20)
    ]


def test_a_description_runs_again_and_twice_at_once(engine: Any) -> None:
    pipeline = Pipeline(range(30)).pipe(double, concurrency=2)
    with pipeline.run(engine) as first, pipeline.run(engine) as second:
        pairs = list(zip(first, second, strict=True))
    assert pairs == [(2 * x, 2 * x) for x in range(30)]
    assert collect(pipeline, engine) == [2 * x for x in range(30)]


def test_an_iterator_as_a_source_is_refused_the_second_time(engine: Any) -> None:
    pipeline = Pipeline(iter(range(3)))
    assert collect(pipeline, engine) == [0, 1, 2]
    with pytest.raises(SourceError, match="earlier run") as caught:
        collect(pipeline, engine)
    assert isinstance(caught.value.__cause__, PipelineError)


def test_the_source_is_advanced_by_one_thread_only(engine: Any) -> None:
    threads = set()

    def source() -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            yield number

    assert collect(Pipeline(source).pipe(double, concurrency=4), engine) == [
        2 * x for x in range(50)
    ]
    assert len(threads) == 1


EXCEPTIONS = [
    ValueError,
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    SystemExit,
    asyncio.CancelledError,
    MemoryError,
]


def raiser(kind: str, exception: type[BaseException]) -> Any:
    def fail(x: int) -> int:
        if x == 5:
            raise exception("five")
        return x

    async def afail(x: int) -> int:
        return fail(x)

    def fail_many(x: int) -> Iterator[int]:
        yield fail(x)

    async def afail_many(x: int) -> AsyncIterator[int]:
        yield fail(x)

    return {"function": fail, "coroutine": afail, "generator": fail_many, "agen": afail_many}[kind]


@pytest.mark.parametrize("exception", EXCEPTIONS)
@pytest.mark.parametrize("kind", ["function", "coroutine"])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_whatever_an_operation_raises_reaches_the_reader(
    engine: Any, kind: str, exception: type[BaseException], concurrency: int
) -> None:
    op = raiser(kind, exception)
    delivered = []
    with Pipeline(range(100)).pipe(op, concurrency=concurrency, name="op").run(engine) as run:
        with pytest.raises(StageError) as caught:
            delivered.extend(run)
        with pytest.raises(StageError) as again:
            next(run)
    assert delivered == [0, 1, 2, 3, 4]
    assert again.value is caught.value
    assert caught.value.stage == "op"
    assert caught.value.item == "5"
    # PEP 479 turns a StopIteration that leaves a coroutine into a RuntimeError.
    cause = caught.value.__cause__
    if isinstance(cause, RuntimeError):
        cause = cause.__cause__
    assert type(cause) is exception


@pytest.mark.parametrize("kind", ["generator", "agen"])
def test_a_failing_generator_delivers_what_came_before(engine: Any, kind: str) -> None:
    delivered = []
    pipeline = Pipeline(range(100)).pipe(raiser(kind, ValueError), concurrency=3, name="op")
    with pipeline.run(engine) as run, pytest.raises(StageError, match="five"):
        delivered.extend(run)
    assert delivered == [0, 1, 2, 3, 4]


def test_the_native_engines_name_the_item_by_its_index() -> None:
    for engine in ("serial", "threads"):
        pipeline = Pipeline(range(0, 100, 5)).pipe(raiser("function", ValueError), concurrency=2)
        with pytest.raises(StageError) as caught:
            collect(pipeline, engine)
        assert caught.value.index == 1


def test_a_failing_source_delivers_what_came_before(engine: Any) -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise OSError("disk gone")

    delivered = []
    pipeline = Pipeline(source).pipe(double, concurrency=2)
    with (
        pipeline.run(engine) as run,
        pytest.raises(SourceError, match="after 3 items: OSError: disk gone"),
    ):
        delivered.extend(run)
    assert delivered == [0, 2, 4]


@pytest.mark.parametrize(("drop_last", "expected"), [(False, [[0, 1], [2, 3], [4]]), (True, 2)])
def test_a_failure_flushes_the_short_list_before_it(
    engine: Any, drop_last: bool, expected: Any
) -> None:
    delivered = []
    pipeline = (
        Pipeline(range(100))
        .pipe(raiser("function", ValueError), concurrency=2)
        .aggregate(2, drop_last=drop_last)
    )
    with pipeline.run(engine) as run, pytest.raises(StageError):
        delivered.extend(run)
    assert delivered == expected if isinstance(expected, list) else len(delivered) == expected


def test_a_failure_passes_stages_behind_it_untouched(engine: Any) -> None:
    seen = []

    def record(x: int) -> int:
        seen.append(x)
        return x

    pipeline = (
        Pipeline(range(100))
        .pipe(raiser("function", ValueError), name="first")
        .pipe(increment, concurrency=3)
        .pipe(countdown)
        .disaggregate()
        .pipe(record, name="last")
    )
    with pipeline.run(engine) as run:
        with pytest.raises(StageError) as caught:
            list(run)
        failures = {stage.name: stage.failures for stage in run.stats().stages}
    assert caught.value.stage == "first"
    assert failures == {
        "source": 0,
        "first": 1,
        "increment": 0,
        "countdown": 0,
        "disaggregate": 0,
        "last": 0,
    }
    assert all(isinstance(item, int) for item in seen)


def test_disaggregating_what_cannot_be_iterated_names_the_stage(engine: Any) -> None:
    with pytest.raises(StageError, match=r"stage 'apart' failed on .*not iterable"):
        collect(Pipeline([[1], 2]).disaggregate(name="apart"), engine)


def test_a_function_that_returns_a_coroutine_is_refused(engine: Any) -> None:
    pipeline = Pipeline([1]).pipe(lambda x: increment(x), name="lambda")
    with pytest.raises(StageError, match="pass the coroutine function itself"):
        collect(pipeline, engine)


def test_reading_a_stopped_run_is_an_error_not_an_end(engine: Any) -> None:
    run = Pipeline(range(100)).pipe(double).run(engine)
    assert next(run) == 0
    run.stop()
    run.stop()
    with pytest.raises(RunStopped):
        next(run)


def test_an_exhausted_run_stays_exhausted(engine: Any) -> None:
    run = Pipeline(range(3)).run(engine)
    assert list(run) == [0, 1, 2]
    assert list(run) == []
    run.stop()
    assert list(run) == []


def test_an_endless_source_can_be_left(engine: Any) -> None:
    def forever() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    for _ in range(3):
        with Pipeline(forever).pipe(double, concurrency=2).aggregate(4).run(engine) as run:
            assert next(run) == [0, 2, 4, 6]


def test_statistics_count_every_item(engine: Any) -> None:
    with Pipeline(range(10)).pipe(double, concurrency=2).aggregate(4).run(engine) as run:
        assert sum(map(len, run)) == 10
        stages = run.stats().stages
    assert [(stage.name, stage.items_in, stage.items_out) for stage in stages] == [
        ("source", 0, 10),
        ("double", 10, 10),
        ("aggregate", 10, 3),
    ]


def test_an_unknown_engine_is_refused_by_name() -> None:
    with pytest.raises(PipelineError, match=r"no engine 'fibres'.*threads, serial, spdl"):
        Pipeline([]).run("fibres")  # type: ignore[arg-type]


def test_a_timed_read_gives_each_item_then_the_end(engine: Any) -> None:
    with Pipeline(range(20)).pipe(double, concurrency=3).run(engine) as run:
        assert [run.get(60) for _ in range(20)] == [2 * x for x in range(20)]
        with pytest.raises(StopIteration):
            run.get(60)


def test_a_timed_read_raises_what_stopped_the_run(engine: Any) -> None:
    run = Pipeline(range(3)).pipe(lambda x: 1 // (1 - x)).run(engine)
    assert run.get(60) == 1
    for _ in range(2):
        with pytest.raises(StageError):
            run.get(60)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "serial"])
@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_read_that_takes_too_long_is_given_up_and_loses_nothing(
    engine: str, timeout: float
) -> None:
    release = threading.Event()

    def wait(x: int) -> int:
        assert release.wait(60)
        return x

    with Pipeline(range(5)).pipe(wait, concurrency=2).run(engine) as run:
        for _ in range(3):
            with pytest.raises(TimeoutError, match=f"no item within {timeout} s"):
                run.get(timeout)
        release.set()
        assert run.get() == 0
        assert list(run) == [1, 2, 3, 4]
