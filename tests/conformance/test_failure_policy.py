"""One suite over all engines: retries, skipped items, their records and limits, time-outs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError, Retry, RunError, StageError, TooManyFailures
from ftloader.engine import ENGINES
from ftloader.policy import exceeds

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def fail_on_threes(x: int) -> int:
    if x % 3 == 0:
        raise ValueError(f"three: {x}")
    return x


async def afail_on_threes(x: int) -> int:
    await asyncio.sleep(0)
    return fail_on_threes(x)


def yield_and_fail_on_threes(x: int) -> Iterator[int]:
    yield x
    yield fail_on_threes(x)


async def ayield_and_fail_on_threes(x: int) -> AsyncIterator[int]:
    yield x
    yield fail_on_threes(x)


class Flaky:
    """Raises ``OSError`` the first times that an item comes."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.lock = threading.Lock()
        self.calls: Counter[int] = Counter()

    def __call__(self, x: int) -> int:
        with self.lock:
            self.calls[x] += 1
            if x % 5 == 0 and self.calls[x] <= self.times:
                raise OSError("not yet")
        return x


class AsyncFlaky(Flaky):
    async def __call__(self, x: int) -> int:  # type: ignore[override]
        return super().__call__(x)


SKIPPING = [fail_on_threes, afail_on_threes, yield_and_fail_on_threes, ayield_and_fail_on_threes]


def outcome(pipeline: Pipeline[Any], engine: Any, **options: Any) -> tuple[list[Any], str]:
    delivered: list[Any] = []
    try:
        with pipeline.run(engine, **options) as run:
            delivered.extend(run)
    except RunError as error:
        return delivered, f"{type(error).__name__}: {error}"
    return delivered, "end"


@pytest.mark.parametrize("op", SKIPPING)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_failed_item_is_skipped_recorded_and_counted(
    engine: Any, op: Any, concurrency: int
) -> None:
    pipeline = Pipeline(range(40)).pipe(op, concurrency=concurrency, on_error="skip", name="op")
    with pipeline.run(engine) as run:
        delivered = list(run)
    many = "yield" in op.__name__
    assert delivered == [
        x for x in range(40) for n in range(2 if many else 1) if x % 3 or (many and n == 0)
    ]
    records = sorted(run.failures, key=lambda record: int(record.item))
    assert [record.item for record in records] == [str(x) for x in range(0, 40, 3)]
    if engine != "spdl":
        assert [record.index for record in run.failures] == list(range(0, 40, 3))
    first = records[0]
    assert (first.stage, first.attempt, first.error) == ("op", 1, "ValueError: three: 0")
    assert "in fail_on_threes" in first.traceback
    stats = {stage.name: stage for stage in run.stats().stages}["op"]
    assert (stats.items_in, stats.failures, stats.skipped) == (40, 14, 14)
    assert stats.items_out == len(delivered)


def test_a_skipped_item_leaves_no_hole_in_a_batch(engine: Any) -> None:
    pipeline = Pipeline(range(12)).pipe(fail_on_threes, concurrency=3, on_error="skip").aggregate(4)
    assert outcome(pipeline, engine) == ([[1, 2, 4, 5], [7, 8, 10, 11]], "end")


@pytest.mark.parametrize("items", [2, 8, 16])
def test_items_that_fail_in_one_turn_of_the_loop_leave_room_for_the_rest(
    engine: Any, items: int
) -> None:
    async def last_only(x: int) -> int:
        if x < items - 1:
            raise ValueError(x)
        return x

    pipeline = Pipeline(range(items)).pipe(last_only, concurrency=items, on_error="skip")
    assert outcome(pipeline.prefetch(1), engine) == ([items - 1], "end")


@pytest.mark.parametrize("kind", [Flaky, AsyncFlaky])
def test_a_retry_calls_again_after_an_error_that_may_pass(engine: Any, kind: type[Flaky]) -> None:
    op = kind(2)
    retry = Retry(3, delay=0.001)
    pipeline = Pipeline(range(20)).pipe(op, concurrency=4, retry=retry, name="op")
    with pipeline.run(engine) as run:
        assert list(run) == list(range(20))
    assert {x: n for x, n in op.calls.items() if n > 1} == {0: 3, 5: 3, 10: 3, 15: 3}
    stats = {stage.name: stage for stage in run.stats().stages}["op"]
    assert (stats.retries, stats.failures) == (8, 0)


def test_an_error_tells_the_attempt_it_came_from(engine: Any) -> None:
    pipeline = Pipeline(range(3)).pipe(Flaky(9), retry=Retry(3, delay=0.001), name="op")
    with pipeline.run(engine) as run, pytest.raises(StageError, match="attempt 3") as caught:
        list(run)
    assert caught.value.attempt == 3
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_that_cannot_pass_is_not_tried_again(engine: Any) -> None:
    calls = []

    def op(x: int) -> int:
        calls.append(x)
        raise ValueError(x)

    with Pipeline([1]).pipe(op, retry=5).run(engine) as run, pytest.raises(StageError):
        list(run)
    assert calls == [1]


@pytest.mark.parametrize("op", [fail_on_threes, afail_on_threes])
@pytest.mark.parametrize(("limit", "delivered"), [(0, 0), (1, 2), (4, 8), (13, 26)])
def test_one_failure_more_than_the_limit_ends_the_run_after_what_came_before(
    engine: Any, op: Any, limit: int, delivered: int
) -> None:
    pipeline = Pipeline(range(40)).pipe(op, on_error="skip", max_failures=limit, name="op")
    items, end = outcome(pipeline, engine)
    assert items == [x for x in range(40) if x % 3][:delivered]
    assert end.startswith(f"TooManyFailures: stage 'op' has skipped {limit + 1} items, and")


@pytest.mark.parametrize("concurrency", [1, 2, 7])
@pytest.mark.parametrize("op", SKIPPING)
def test_the_limit_cuts_the_stream_at_the_same_item_whatever_the_concurrency(
    op: Any, concurrency: int
) -> None:
    pipeline = Pipeline(range(400)).pipe(
        op, concurrency=concurrency, on_error="skip", max_failures=50, name="op"
    )
    assert outcome(pipeline, "threads") == outcome(pipeline, "serial")


def test_the_error_of_a_broken_limit_shows_the_first_failures(engine: Any) -> None:
    pipeline = Pipeline(range(40)).pipe(fail_on_threes, on_error="skip", max_failures=3)
    with pipeline.run(engine) as run, pytest.raises(TooManyFailures) as caught:
        list(run)
    group = caught.value.__cause__
    assert isinstance(group, ExceptionGroup)
    assert [error.item for error in group.exceptions if isinstance(error, StageError)] == [
        "0",
        "3",
        "6",
        "9",
    ]


def test_a_limit_of_exactly_what_fails_is_kept(engine: Any) -> None:
    pipeline = Pipeline(range(40)).pipe(fail_on_threes, on_error="skip", max_failures=14)
    assert outcome(pipeline, engine)[1] == "end"


@pytest.mark.parametrize(
    ("items", "rate", "end"),
    [(300, 0.4, "end"), (300, 0.3, "TooManyFailures"), (99, 0.5, "end"), (3, 0.3, "TooMany")],
)
def test_a_rate_is_judged_after_a_hundred_items_and_at_the_end(
    engine: Any, items: int, rate: float, end: str
) -> None:
    pipeline = Pipeline(range(items)).pipe(fail_on_threes, on_error="skip", max_failures=rate)
    assert outcome(pipeline, engine)[1].startswith(end)


@pytest.mark.parametrize("percent", range(1, 100))
def test_a_rate_that_is_met_exactly_is_kept(percent: int) -> None:
    assert not exceeds(percent / 100, percent, 100)
    assert exceeds(percent / 100, percent + 1, 100)


def test_stages_have_limits_of_their_own_and_the_run_has_one_for_all(engine: Any) -> None:
    pipeline = (
        Pipeline(range(30))
        .pipe(fail_on_threes, on_error="skip", max_failures=10, name="first")
        .pipe(lambda x: 10 // (x % 5), on_error="skip", max_failures=4, name="second")
    )
    assert outcome(pipeline, engine)[1] == "end"
    items, end = outcome(pipeline, engine, max_failures=13)
    assert end.startswith("TooManyFailures: the run has skipped 14 items")
    assert len(items) < 16


def test_the_quarantine_file_has_a_line_for_each_skipped_item(engine: Any, tmp_path: Path) -> None:
    file = tmp_path / "quarantine.jsonl"
    pipeline = Pipeline(range(10)).pipe(fail_on_threes, on_error="skip", name="op")
    with pipeline.run(engine, quarantine=file) as run:
        list(run)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["stage"], line["item"]) for line in lines] == [
        ("op", "0"),
        ("op", "3"),
        ("op", "6"),
        ("op", "9"),
    ]
    assert lines[0]["error"] == "ValueError: three: 0"


def test_a_quarantine_file_that_cannot_be_written_is_refused_at_once(
    engine: Any, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match="quarantine file cannot be written"):
        Pipeline([1]).run(engine, quarantine=tmp_path / "no" / "file")


@pytest.mark.parametrize(
    ("item", "key", "name"),
    [
        ({"key": "image 7", "data": b"x"}, None, "image 7"),
        ({"__key__": 12}, None, "12"),
        ({"id": 3}, lambda item: item["id"], "3"),
        ({"id": 3}, lambda item: item["name"], "dict, whose key raised KeyError"),
        (b"bytes", None, "bytes of length 5"),
    ],
)
def test_an_item_goes_by_its_key(engine: Any, item: Any, key: Any, name: str) -> None:
    pipeline = Pipeline([item]).pipe(fail_always, key=key)
    with pipeline.run(engine) as run, pytest.raises(StageError) as caught:
        list(run)
    assert caught.value.item == name


def fail_always(x: object) -> None:
    raise ValueError


async def never(x: int) -> int:
    if x % 3 == 0:
        await asyncio.Event().wait()
    return x


async def anever(x: int) -> AsyncIterator[int]:
    yield await never(x)


@pytest.mark.parametrize("op", [never, anever])
def test_an_async_operation_that_takes_longer_than_its_timeout_fails(engine: Any, op: Any) -> None:
    pipeline = Pipeline(range(1, 7)).pipe(op, concurrency=3, timeout=0.05, name="op")
    with pipeline.run(engine) as run, pytest.raises(StageError) as caught:
        list(run)
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert outcome(
        Pipeline(range(1, 7)).pipe(op, concurrency=3, timeout=0.05, on_error="skip"), engine
    ) == ([1, 2, 4, 5], "end")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("kind", ["threads", "spdl"])
def test_what_is_no_exception_is_never_skipped(kind: Any, error: type[BaseException]) -> None:
    def op(x: int) -> int:
        raise error

    with (
        Pipeline([1]).pipe(op, on_error="skip").run(kind) as run,
        pytest.raises(StageError) as caught,
    ):
        list(run)
    assert isinstance(caught.value.__cause__, error)


def test_a_stop_ends_the_wait_before_the_next_attempt() -> None:
    failed = threading.Event()

    def op(x: int) -> int:
        failed.set()
        raise OSError

    run = Pipeline([1]).pipe(op, retry=Retry(2, delay=1000, max_delay=1000)).run()
    failed.wait()
    run.stop()


def test_the_errors_that_came_meanwhile_are_attached() -> None:
    both = threading.Barrier(2)

    def op(x: int) -> int:
        both.wait()
        raise ValueError(x)

    run = Pipeline(range(2)).pipe(op, concurrency=2).run()
    for future in run._graph._futures:  # type: ignore[attr-defined]
        future.exception()  # until its worker has ended: both errors are in the stream then
    with pytest.raises(StageError) as caught:
        list(run)
    assert [str(error.__cause__) for error in caught.value.others] == ["1"]
    assert caught.value.__notes__ == [f"meanwhile: {caught.value.others[0]}"]


def nothing(x: int) -> int:
    return x


async def anothing(x: int) -> int:
    return x


def some(x: int) -> Iterator[int]:
    yield x


@pytest.mark.parametrize(
    ("op", "options", "message"),
    [
        (nothing, {"on_error": "ignore"}, "on_error is 'raise' or 'skip', not 'ignore'"),
        (nothing, {"max_failures": 1}, "max_failures needs on_error='skip'"),
        (nothing, {"on_error": "skip", "max_failures": -1}, "max_failures is a count"),
        (nothing, {"on_error": "skip", "max_failures": 1.5}, "max_failures is a count"),
        (nothing, {"on_error": "skip", "max_failures": True}, "max_failures is a count"),
        (nothing, {"retry": 0}, "attempts is at least 1"),
        (nothing, {"retry": "3"}, "attempts is an integer"),
        (some, {"retry": 2}, "a generator cannot be retried"),
        (nothing, {"timeout": 1}, "timeout is for asynchronous operations"),
        (anothing, {"timeout": 0}, "timeout is a time in seconds"),
        (nothing, {"key": 1}, "key is a function"),
        (nothing, {"weight": 1}, "weight is 'nbytes' or a function"),
        (nothing, {"concurrency": "many"}, "concurrency is an integer of at least 1"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(op: Any, options: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        Pipeline([1]).pipe(op, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_failures": -1}, "run: max_failures is a count"),
        ({"stuck_after": 0}, "run: stuck_after is a time"),
        ({"memory_budget": 0}, "run: memory_budget is at least 1"),
        ({"memory_budget": "1G"}, "run: memory_budget is a number of bytes"),
        ({"budget": 1}, "there is no option 'budget'; there are fuse, "),
    ],
)
def test_run_options_that_cannot_be_are_refused(options: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        Pipeline([1]).run(**options)
