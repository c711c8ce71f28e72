"""What sampling hands to the trials: items, results and costs, from real operations."""

from __future__ import annotations

import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ftloader import Pipeline, PipelineError, SourceError, StageError
from ftloader.tuning.items import fresh, size_of
from ftloader.tuning.sample import MAX_BYTES, MAX_ITEMS, sample

pytestmark = pytest.mark.usefixtures("no_thread_left")

SECONDS = 10.0


def double(x: int) -> int:
    return 2 * x


def twice(x: int) -> Iterator[int]:
    yield x
    yield x


async def awaited(x: int) -> int:
    return x + 1


async def two_awaited(x: int) -> AsyncIterator[int]:
    yield x
    yield x


def test_every_kind_of_stage_is_called_on_the_results_of_the_one_before() -> None:
    pipeline = (
        Pipeline(range(16))
        .pipe(double)
        .pipe(twice)
        .prefetch(5)
        .aggregate(4)
        .pipe(len)
        .pipe(awaited)
        .pipe(two_awaited)
    )
    taken = sample(pipeline, {"double"}, SECONDS)
    assert [(step.name, step.kind) for step in taken.steps] == [
        ("double", "function"),
        ("twice", "generator"),
        ("aggregate", "regroup"),
        ("len", "function"),
        ("awaited", "coroutine"),
        ("two_awaited", "async generator"),
    ]
    assert [step.calls for step in taken.steps] == [1, 1, 2, 0.5, 0.5, 0.5]
    assert [step.concurrency for step in taken.steps] == [None, 1, 1, 1, 1, 1]
    assert taken.steps[1].buffer == 5
    assert taken.outputs == 1.0
    assert taken.complete
    assert taken.items == list(range(16))
    assert taken.inputs[1] == [2 * x for x in range(16)]
    assert all(step.seconds > 0 for step in taken.steps if step.kind != "regroup")
    assert all(0 <= step.share <= 1 for step in taken.steps)


def test_a_long_source_is_read_in_part_only() -> None:
    opened = []

    def source() -> Iterator[int]:
        opened.append(1)
        number = 0
        while True:
            yield number
            number += 1

    taken = sample(Pipeline(source).pipe(double), {"double"}, SECONDS)
    assert len(taken.items) == MAX_ITEMS
    assert not taken.complete
    assert opened == [1]


def test_a_source_that_takes_its_time_is_known_to_be_slow() -> None:
    def slow() -> Iterator[int]:
        for number in range(20):
            threading.Event().wait(0.01)  # stands for a slow listing
            yield number

    assert sample(Pipeline(slow).pipe(double), {"double"}, SECONDS).source_rate < 100
    assert sample(Pipeline(range(20)).pipe(double), {"double"}, SECONDS).source_rate == math.inf


def test_large_items_are_few() -> None:
    class Large:
        nbytes = MAX_BYTES // 2

    taken = sample(Pipeline(lambda: iter(lambda: Large(), None)).pipe(id), {"id"}, SECONDS)
    assert len(taken.items) == 2
    assert taken.nbytes == MAX_BYTES // 2


def test_an_async_source_is_read_too() -> None:
    async def source() -> AsyncIterator[int]:
        for number in range(12):
            yield number

    assert sample(Pipeline(source).pipe(double), {"double"}, SECONDS).items == list(range(12))


def test_a_stage_that_outlasts_its_time_is_called_twice_all_the_same() -> None:
    taken = sample(Pipeline(range(64)).pipe(double).pipe(awaited), {"double"}, 1e-9)
    assert len(taken.items) == 1
    assert taken.inputs[0] == [0]


def test_a_slow_operation_is_called_no_longer_than_its_time() -> None:
    calls = []

    def slow(x: int) -> int:
        calls.append(x)
        threading.Event().wait(0.05)  # stands for a slow read
        return x

    sample(Pipeline(range(256)).pipe(slow), {"slow"}, 0.4)
    assert 2 <= len(calls) < 64


def test_a_last_short_group_is_kept_though_the_pipeline_drops_it() -> None:
    pipeline = Pipeline(range(5)).aggregate(100, drop_last=True).pipe(len)
    assert sample(pipeline, {"len"}, SECONDS).outputs == pytest.approx(1 / 5)


def test_an_operation_that_changes_its_item_finds_it_as_it_was_each_time() -> None:
    def spoil(item: dict[str, Any]) -> dict[str, Any]:
        item["bytes"] = len(item["bytes"])
        return item

    source = [{"bytes": b"12345"} for _ in range(8)]
    taken = sample(Pipeline(source).pipe(spoil).pipe(spoil_again), {"spoil"}, SECONDS)
    assert taken.items == [{"bytes": b"12345"}] * 8
    assert taken.inputs[1] == [{"bytes": 5}] * 8


def spoil_again(item: dict[str, Any]) -> int:
    return int(item.pop("bytes"))


def test_an_iterator_is_refused_with_what_to_do() -> None:
    with pytest.raises(PipelineError, match=r"iterator.*pass the callable that makes it, or"):
        sample(Pipeline(iter([1])).pipe(double), {"double"}, SECONDS)


def test_items_that_can_be_read_once_only_are_refused() -> None:
    pipeline = Pipeline(lambda: (iter([n]) for n in range(3))).pipe(list)
    with pytest.raises(PipelineError, match="read once only"):
        sample(pipeline, {"list"}, SECONDS)


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(PipelineError, match="the source is empty"):
        sample(Pipeline([]).pipe(double), {"double"}, SECONDS)


def test_a_filter_that_lets_nothing_through_is_refused_by_name() -> None:
    def nothing(x: int) -> Iterator[int]:
        yield from ()

    with pytest.raises(PipelineError, match="stage 'nothing': nothing came out of the 9 items"):
        sample(Pipeline(range(9)).pipe(nothing).pipe(double), {"double"}, SECONDS)


def test_an_operation_that_fails_is_named_with_its_item() -> None:
    def fail(x: int) -> int:
        raise ValueError("no such picture")

    with pytest.raises(StageError, match=r"'fail' failed on item 0.*no such picture") as caught:
        sample(Pipeline(range(9)).pipe(fail), {"fail"}, SECONDS)
    assert any("while ftloader.tune tried the pipeline" in note for note in caught.value.__notes__)


def test_a_source_that_fails_is_named() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(SourceError, match="gone"):
        sample(Pipeline(source).pipe(double), {"double"}, SECONDS)


@pytest.mark.parametrize("make", [dict, list, set, bytearray])
def test_a_container_is_handed_out_as_a_copy(make: Callable[[], Any]) -> None:
    item = make()
    assert fresh(item) == item
    assert fresh(item) is not item


def test_bytes_are_those_of_what_an_item_holds() -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    assert size_of(picture) == 300
    assert size_of(b"x" * 1000) >= 1000
    assert 600 <= size_of([picture, picture]) <= 800
    assert 300 <= size_of({"image": picture}) <= 700
    assert size_of([picture] * 10_000) == pytest.approx(3_080_000, rel=0.01)


def test_operations_are_called_one_at_a_time() -> None:
    at_work = threading.Lock()

    def alone(x: int) -> int:
        assert at_work.acquire(blocking=False)
        at_work.release()
        return x

    sample(Pipeline(range(64)).pipe(alone, concurrency=8), set(), SECONDS)
