"""Rows 1 to 12 of SPDL's observable behaviours: what happens to failures."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from typing import Any

import pytest

from ftloader import PipelineError

from .conftest import Dialect
from .ops import PATIENCE, Passes, asame, causes, fails_on, read_until_failure, same

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.mark.parametrize("order", ["completion", "input"])
def test_an_item_whose_operation_raises_is_dropped(dialect: Dialect, order: str) -> None:
    """Row 1: the rest arrives, and the iteration ends normally."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(6))
        .pipe(fails_on(0, 3, 5), output_order=order)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [1, 2, 4]


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_result_of_none_drops_the_item(dialect: Dialect, order: str, is_async: bool) -> None:
    """Row 2, in both orders."""

    def odd(x: int) -> int | None:
        return x if x % 2 else None

    async def aodd(x: int) -> int | None:
        return odd(x)

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(9))
        .pipe(aodd if is_async else odd, concurrency=3, output_order=order)
        .pipe(same)
        .add_sink()
        .build(num_threads=3)
    )
    with pipeline.auto_stop():
        items = list(pipeline)
    assert (items if order == "input" else sorted(items)) == [1, 3, 5, 7]


@pytest.mark.parametrize("order", ["completion", "input"])
def test_all_none_is_an_empty_stream(dialect: Dialect, order: str) -> None:
    """Row 2: it ends cleanly."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(50))
        .pipe(lambda _: None, concurrency=2, output_order=order)
        .aggregate(4)
        .add_sink()
        .build(num_threads=2)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == []


def test_none_from_a_generator_or_a_list_is_dropped(dialect: Dialect) -> None:
    """Row 2, for operations with many results."""

    def pair(x: int) -> Iterator[int | None]:
        yield x
        yield None

    pipeline = (
        dialect.PipelineBuilder()
        .add_source([[1, None, 2], [None]])
        .disaggregate()
        .pipe(pair)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [1, 2]


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("where", ["stage", "build"])
def test_a_limit_of_n_tolerates_n_failures(dialect: Dialect, order: str, where: str) -> None:
    """Row 3."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(8))
        .pipe(fails_on(2, 4), output_order=order, max_failures=2 if where == "stage" else None)
        .add_sink()
        .build(num_threads=1, max_failures=2 if where == "build" else -1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 1, 3, 5, 6, 7]


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("where", ["stage", "build"])
def test_one_failure_more_ends_the_iteration_after_what_was_made_before(
    dialect: Dialect, order: str, where: str
) -> None:
    """Row 3: the failure comes out of the iteration, last."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(itertools.count())
        .pipe(fails_on(2, 4, 6), output_order=order, max_failures=2 if where == "stage" else None)
        .add_sink()
        .build(num_threads=1, max_failures=2 if where == "build" else -1)
    )
    delivered, failure = read_until_failure(pipeline, dialect.PipelineFailure)
    assert delivered == [0, 1, 3, 5]
    assert any(isinstance(cause, ValueError) for cause in causes(failure))
    with pytest.raises(dialect.PipelineFailure):
        pipeline.get_item(timeout=PATIENCE)
    pipeline.stop()


@pytest.mark.parametrize(
    ("of_stage", "of_build", "fails"), [(1, 5, True), (5, 1, False), (-1, 0, False), (0, -1, True)]
)
def test_the_limit_of_a_stage_overrides_that_of_the_build(
    dialect: Dialect, of_stage: int, of_build: int, fails: bool
) -> None:
    """Row 4: stricter or looser."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(8))
        .pipe(fails_on(2, 4), max_failures=of_stage)
        .add_sink()
        .build(num_threads=1, max_failures=of_build)
    )
    if fails:
        read_until_failure(pipeline, dialect.PipelineFailure)
    else:
        assert list(pipeline.get_iterator(timeout=PATIENCE)) == [0, 1, 3, 5, 6, 7]
    pipeline.stop()


def test_a_failure_names_the_stage_whose_limit_was_exceeded(dialect: Dialect) -> None:
    """Row 4: of several stages with limits of their own."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(8))
        .pipe(fails_on(1, 2), max_failures=2, name="loose")
        .pipe(fails_on(5), max_failures=0, name="strict")
        .add_sink()
        .build(num_threads=1)
    )
    delivered, failure = read_until_failure(pipeline, dialect.PipelineFailure)
    assert delivered == [0, 3, 4]
    (member,) = failure.exceptions
    assert "strict" in str(member)
    assert "loose" not in str(member)
    pipeline.stop()


def test_two_live_pipelines_count_their_failures_apart(dialect: Dialect) -> None:
    """Row 5."""
    first, second = (
        dialect.PipelineBuilder()
        .add_source(range(6))
        .pipe(fails_on(1, 3))
        .add_sink()
        .build(num_threads=1, max_failures=2)
        for _ in range(2)
    )
    with first.auto_stop(), second.auto_stop():
        assert list(zip(first, second, strict=True)) == [(x, x) for x in (0, 2, 4, 5)]


def failing_every(step: int, rest: int) -> Any:
    def op(x: int) -> int:
        if x % step == rest:
            raise ValueError(x)
        return x

    return op


def test_a_rate_that_is_just_reached_is_no_failure(dialect: Dialect) -> None:
    """Row 6: strictly greater fails."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(200))
        .pipe(failing_every(4, 3), max_failures=Fraction(1, 4))
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert len(list(pipeline)) == 150


def test_a_rate_that_is_exceeded_ends_the_pipeline(dialect: Dialect) -> None:
    """Row 6: at item 102 it is 26 of 103."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(200))
        .pipe(failing_every(4, 2), max_failures=Fraction(1, 4))
        .add_sink()
        .build(num_threads=1)
    )
    delivered, _ = read_until_failure(pipeline, dialect.PipelineFailure)
    pipeline.stop()
    assert delivered == [x for x in range(102) if x % 4 != 2]


def test_a_rate_is_not_judged_before_the_hundredth_item(dialect: Dialect) -> None:
    """Row 6: 40 of the first 50 fail, and what follows is delivered all the same."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(200))
        .pipe(fails_on(*range(10, 50), 150), max_failures=Fraction(1, 10))
        .add_sink()
        .build(num_threads=1)
    )
    delivered, _ = read_until_failure(pipeline, dialect.PipelineFailure)
    pipeline.stop()
    assert delivered[:58] == [*range(10), *range(50, 98)]


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(3, 2), Fraction(-1, 2)])
@pytest.mark.parametrize("of_stage", [True, False])
def test_a_rate_outside_its_range_is_refused(
    dialect: Dialect, rate: Fraction, of_stage: bool
) -> None:
    """Row 6: (0, 1]."""

    def describe() -> None:
        builder = dialect.PipelineBuilder().add_source(range(3)).add_sink()
        builder.pipe(same, max_failures=rate if of_stage else None)
        builder.build(num_threads=1, max_failures=-1 if of_stage else rate)

    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        describe()


def broken_source() -> Iterator[int]:
    yield from range(3)
    raise OSError("disk gone")


def test_a_failing_source_delivers_what_came_before(dialect: Dialect) -> None:
    """Row 7: processed to the end, the short batch too; then the failure."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(broken_source())
        .pipe(lambda x: 10 * x, output_order="input", concurrency=2)
        .aggregate(2)
        .add_sink()
        .build(num_threads=2)
    )
    delivered, failure = read_until_failure(pipeline, dialect.PipelineFailure)
    assert delivered == [[0, 10], [20]]
    assert any(isinstance(cause, OSError) for cause in causes(failure))
    pipeline.stop()


def test_a_source_that_fails_in_a_middle_epoch_is_heard_of(dialect: Dialect) -> None:
    """Row 8."""

    class Breaks:
        epochs = 0

        def __iter__(self) -> Iterator[int]:
            self.epochs += 1
            return broken_source() if self.epochs == 2 else iter(range(3))

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(Breaks(), continuous=True)
        .pipe(same)
        .add_sink()
        .build(num_threads=1)
    )
    assert list(pipeline.get_iterator(timeout=PATIENCE)) == [0, 1, 2]
    delivered, failure = read_until_failure(pipeline, dialect.PipelineFailure)
    assert delivered == [0, 1, 2]
    assert any("disk gone" in str(cause) for cause in causes(failure))
    pipeline.stop()


async def of_two(x: int, y: int) -> int:
    return x + y


def test_an_operation_of_two_arguments_fails_on_the_first_item_in_spdl(real_spdl: Dialect) -> None:
    """Row 9: it consumes no more, and the stream ends."""
    pipeline = (
        real_spdl.PipelineBuilder()
        .add_source(itertools.count())
        .pipe(of_two)
        .add_sink()
        .build(num_threads=1)
    )
    delivered, failure = read_until_failure(pipeline, real_spdl.PipelineFailure)
    assert delivered == []
    assert any(isinstance(cause, TypeError) for cause in causes(failure))
    pipeline.stop()


@pytest.mark.parametrize("op", [of_two, lambda: None, lambda x, /, *, y: x, divmod])
def test_an_operation_of_two_arguments_is_refused_by_the_shim(shim: Dialect, op: Any) -> None:
    """Row 9, earlier: SPDL's synchronous form would drop every item."""
    with pytest.raises(PipelineError, match="takes one item"):
        shim.PipelineBuilder().pipe(op)


def test_when_a_middle_stage_dies_the_stages_behind_it_finish(dialect: Dialect) -> None:
    """Row 10: and those before it are cancelled, for the source never ends."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(itertools.count())
        .pipe(same)
        .pipe(fails_on(5), max_failures=0, name="middle")
        .pipe(lambda x: -x)
        .aggregate(2)
        .add_sink(1)
        .build(num_threads=3)
    )
    delivered, _ = read_until_failure(pipeline, dialect.PipelineFailure)
    assert delivered == [[0, -1], [-2, -3], [-4]]
    pipeline.stop()


def test_a_failure_survives_the_clean_up_of_what_it_cancels(dialect: Dialect) -> None:
    """Row 11: an operation that is cancelled raises by itself, and hides nothing."""

    async def waits(x: int) -> int:
        if x:
            try:
                await asyncio.Event().wait()
            finally:
                raise RuntimeError("clean-up")
        return x

    async def source() -> AsyncIterator[int]:
        try:
            for x in itertools.count():
                yield x
        finally:
            await asyncio.sleep(0)

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(source())
        .pipe(waits, concurrency=3)
        .pipe(asame)
        .pipe(fails_on(0), max_failures=0, name="fails")
        .add_sink()
        .build(num_threads=1)
    )
    _, failure = read_until_failure(pipeline, dialect.PipelineFailure)
    assert any(isinstance(cause, ValueError) for cause in causes(failure))
    pipeline.stop()


def test_a_failure_is_an_exception_group_whose_members_name_their_stage(dialect: Dialect) -> None:
    """Row 12."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(3))
        .pipe(fails_on(1), max_failures=0, name="decode")
        .add_sink()
        .build(num_threads=1)
    )
    _, failure = read_until_failure(pipeline, dialect.PipelineFailure)
    pipeline.stop()
    assert isinstance(failure, ExceptionGroup)
    (member,) = failure.exceptions
    (note,) = [note for note in member.__notes__ if note.startswith("Pipeline stage: ")]
    assert "decode" in note

    matched, rest = failure.split(type(member))
    assert (type(matched), rest) == (dialect.PipelineFailure, None)
    assert failure.subgroup(KeyError) is None
    caught = []
    try:
        raise failure
    except* type(member) as group:
        caught = list(group.exceptions)
    assert caught == [member]


def test_epochs_after_a_failure_fail_too(dialect: Dialect) -> None:
    """Rows 3 and 8: a failed pipeline does not begin another epoch."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(Passes([1], [0], [1]), continuous=True)
        .pipe(fails_on(0), max_failures=0)
        .add_sink()
        .build(num_threads=1)
    )
    assert list(pipeline.get_iterator(timeout=PATIENCE)) == [1]
    for _ in range(3):
        assert read_until_failure(pipeline, dialect.PipelineFailure)[0] == []
    pipeline.stop()
