"""Defects of SPDL 0.8.0 that ours must not have: the native engine, our SPDL engine, the shim.

SPDL itself runs none of these: on a ``StopIteration`` (3.12), ``SystemExit`` or
``KeyboardInterrupt`` out of an operation its reader waits for ever.
``tests/conformance/test_engines.py`` has the rest: exceptions of functions and coroutine functions,
generators in input order, iterators as sources, a second run.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest

from ftloader import Pipeline, StageError, TooManyFailures

from .conftest import Dialect
from .ops import causes, fails_on, read_until_failure, same

pytestmark = pytest.mark.usefixtures("no_thread_left")

ENDS = [StopIteration, StopAsyncIteration, GeneratorExit, SystemExit, KeyboardInterrupt]
KINDS = ["function", "coroutine", "generator", "async generator"]


@pytest.fixture(params=["threads", "spdl"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def raiser(kind: str, exception: type[BaseException]) -> Callable[[int], Any]:
    """Return an operation that raises on 2."""

    def fail(x: int) -> int:
        if x == 2:
            raise exception("two")
        return x

    async def afail(x: int) -> int:
        return fail(x)

    def fail_many(x: int) -> Iterator[int]:
        yield fail(x)

    async def afail_many(x: int) -> AsyncIterator[int]:
        yield fail(x)

    return dict(zip(KINDS, (fail, afail, fail_many, afail_many), strict=True))[kind]


@pytest.mark.parametrize("exception", ENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["input", "completion"])
def test_whatever_ends_an_operation_reaches_the_reader(
    engine: Any, kind: str, exception: type[BaseException], order: Any
) -> None:
    pipeline = Pipeline(range(5)).pipe(raiser(kind, exception), output_order=order, name="op")
    delivered = []
    with pipeline.run(engine) as run, pytest.raises(StageError) as caught:
        delivered.extend(run)
    assert delivered == [0, 1]
    # A generator or coroutine that raises StopIteration raises RuntimeError from it (PEP 479).
    assert any(isinstance(cause, exception) for cause in causes(caught.value))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_iteration_is_an_error_that_can_be_skipped(engine: Any, kind: str) -> None:
    pipeline = Pipeline(range(5)).pipe(raiser(kind, StopIteration), on_error="skip", name="op")
    with pipeline.run(engine) as run:
        assert list(run) == [0, 1, 3, 4]
        assert [(record.stage, record.item) for record in run.failures] == [("op", "2")]


@pytest.mark.parametrize("exception", [SystemExit, KeyboardInterrupt])
def test_what_asks_the_process_to_end_is_never_skipped(
    engine: Any, exception: type[BaseException]
) -> None:
    pipeline = Pipeline(range(5)).pipe(raiser("function", exception), on_error="skip")
    with pipeline.run(engine) as run, pytest.raises(StageError):
        list(run)


@pytest.mark.parametrize("exception", ENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_shim_drops_the_item_or_ends_and_never_hangs(
    shim: Dialect, kind: str, exception: type[BaseException]
) -> None:
    pipeline = (
        shim.PipelineBuilder()
        .add_source(range(5))
        .pipe(raiser(kind, exception), name="op")
        .add_sink()
        .build(num_threads=1)
    )
    if issubclass(exception, Exception):
        assert list(pipeline) == [0, 1, 3, 4]
    else:
        delivered, failure = read_until_failure(pipeline, shim.PipelineFailure)
        assert delivered == [0, 1]
        assert any(isinstance(cause, exception) for cause in causes(failure))
    pipeline.stop()


def test_the_shim_loses_no_item_of_a_generator_in_input_order(shim: Dialect) -> None:
    def several(x: int) -> Iterator[tuple[int, int]]:
        for n in range(x % 3):
            yield x, n

    async def aseveral(x: tuple[int, int]) -> AsyncIterator[tuple[int, int]]:
        yield x

    pipeline = (
        shim.PipelineBuilder()
        .add_source(range(60))
        .pipe(several, concurrency=3, output_order="input")
        .pipe(aseveral, concurrency=3, output_order="input")
        .add_sink()
        .build(num_threads=3)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [(x, n) for x in range(60) for n in range(x % 3)]


def test_limits_hold_for_each_stage_by_itself(engine: Any) -> None:
    pipeline = (
        Pipeline(range(10))
        .pipe(fails_on(1, 2), on_error="skip", max_failures=3)
        .pipe(fails_on(4, 5), on_error="skip", max_failures=3)
    )
    with pipeline.run(engine) as run:
        assert list(run) == [0, 3, 6, 7, 8, 9]
        assert len(run.failures) == 4


def test_the_one_stage_that_broke_its_limit_is_named(engine: Any) -> None:
    pipeline = (
        Pipeline(range(10))
        .pipe(fails_on(1), on_error="skip", max_failures=1, name="innocent")
        .pipe(fails_on(4, 5), on_error="skip", max_failures=1, name="guilty")
    )
    with pipeline.run(engine) as run, pytest.raises(TooManyFailures) as caught:
        list(run)
    assert "guilty" in str(caught.value)
    assert "innocent" not in str(caught.value)


def test_the_limit_of_a_build_holds_for_each_stage_of_the_shim_by_itself(shim: Dialect) -> None:
    pipeline = (
        shim.PipelineBuilder()
        .add_source(range(10))
        .pipe(fails_on(1, 2))
        .pipe(fails_on(4, 5))
        .add_sink()
        .build(num_threads=2, max_failures=3)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 3, 6, 7, 8, 9]


def test_a_short_epoch_of_nothing_but_failures_is_an_error_under_a_rate(shim: Dialect) -> None:
    """SPDL delivers nothing, and says nothing."""
    pipeline = (
        shim.PipelineBuilder()
        .add_source(range(50))
        .pipe(fails_on(*range(50)), max_failures=Fraction(1, 10))
        .add_sink()
        .build(num_threads=1)
    )
    delivered, failure = read_until_failure(pipeline, shim.PipelineFailure)
    assert delivered == []
    assert isinstance(failure.exceptions[0], TooManyFailures)


@pytest.mark.parametrize("engine", ["threads", "spdl"])
@pytest.mark.parametrize("order", ["input", "completion"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_no_more_operations_run_at_once_than_the_stage_allows(
    engine: Any, order: Any, concurrency: int
) -> None:
    """SPDL itself runs two more in input order."""
    running, most = 0, 0

    async def op(x: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(20):  # turns of the loop in which another one could begin
            await asyncio.sleep(0)
        running -= 1
        return x

    pipeline = Pipeline(range(60)).pipe(op, concurrency=concurrency, output_order=order)
    with pipeline.run(engine) as run:
        assert sorted(run) == list(range(60))
    assert most <= concurrency


def batches(seed: int, engine: Any) -> list[list[int]]:
    """Return batches of a pipeline whose operations take unlike work, mixed by the seed."""
    rng = random.Random(seed)
    work = [rng.randrange(400) for _ in range(24)]

    def op(x: int) -> int:
        for _ in range(work[x]):
            threading.get_ident()
        return x

    pipeline = Pipeline(range(24)).pipe(op, concurrency=8).pipe(same, concurrency=3).aggregate(5)
    with pipeline.run(engine) as run:
        return list(run)


def test_batches_have_the_same_items_in_every_run(engine: Any) -> None:
    """SPDL's default order composes them otherwise in two of three runs once the GIL is gone."""
    expected = [list(range(first, min(first + 5, 24))) for first in range(0, 24, 5)]
    for seed in range(50):
        assert batches(seed, engine) == expected
