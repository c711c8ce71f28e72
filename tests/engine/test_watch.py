"""Looking at a run from outside: what is stuck, what holds up the loop, and who did what when."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ftloader import Pipeline, StuckOperation


def test_an_operation_that_does_not_return_is_named_with_its_stack() -> None:
    release = threading.Event()

    def decode(x: int) -> int:
        if x == 3:
            release.wait()
        return x

    run = Pipeline(range(9)).pipe(decode, concurrency=2).run(stuck_after=0.3)
    try:
        # Cheap items travel together, so those before it in its chunk may be stuck as well.
        with pytest.raises(
            StuckOperation, match=r"stage 'decode' has been at item \d for"
        ) as stuck:
            list(run)
        assert "release.wait()" in str(stuck.value)
        with pytest.raises(StuckOperation):
            next(run)
        run.stop()  # nobody waits for it any more
    finally:
        release.set()


def test_a_stuck_source_and_a_stuck_async_operation_are_named() -> None:
    release = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        release.wait()

    async def fetch(x: int) -> int:
        await asyncio.Event().wait()
        return x

    run = Pipeline(source).run(stuck_after=0.3)
    assert next(run) == 1
    try:
        with pytest.raises(StuckOperation, match="the source has been at item 1 for"):
            next(run)
    finally:
        release.set()
    with (
        Pipeline([1]).pipe(fetch).run(stuck_after=0.3) as run,
        pytest.raises(StuckOperation, match="stage 'fetch' has been at item 0 for"),
    ):
        next(run)


def test_a_stop_that_takes_too_long_says_for_what_and_may_be_repeated() -> None:
    started, release = threading.Event(), threading.Event()

    def op(x: int) -> int:
        started.set()
        release.wait()
        return x

    run = Pipeline([1]).pipe(op).run()
    started.wait()
    with pytest.raises(StuckOperation, match=r"not stopped within 0\.1 s: stage 'op'"):
        run.stop(timeout=0.1)
    release.set()
    run.stop()


def test_a_blocking_call_in_an_async_operation_is_counted_where_it_was_made() -> None:
    async def polite(x: int) -> int:
        await asyncio.sleep(0)
        return x

    async def rude(x: int) -> int:
        await asyncio.sleep(0)
        if x == 2:
            time.sleep(0.06)  # noqa: ASYNC251 (the fault under test)
        return x

    async def rude_generator(x: int) -> AsyncIterator[int]:
        if x == 2:
            time.sleep(0.06)  # noqa: ASYNC251 (the fault under test)
        yield x

    pipeline = Pipeline(range(5)).pipe(polite, concurrency=2).pipe(rude, concurrency=2)
    with pipeline.pipe(rude_generator).run() as run:
        assert list(run) == list(range(5))
    stats = {stage.name: stage for stage in run.stats().stages}
    # The kernel may hold up any step for long, so others can be counted too; these must be.
    for name in ("rude", "rude_generator"):
        assert stats[name].blocking_calls >= 1
        assert stats[name].blocking_longest >= 0.06


def test_a_traced_run_tells_what_each_worker_did_when() -> None:
    async def fetch(x: int) -> int:
        await asyncio.sleep(0)
        return x

    def work(x: int) -> int:
        return sum(range(x))

    pipeline: Pipeline[Any] = Pipeline(range(50)).pipe(fetch, concurrency=3)
    with pipeline.pipe(work, concurrency=2).aggregate(5).run(trace=True) as run:
        list(run)
    spans = run.spans()
    assert {name for name, *_ in spans} == {"source", "fetch", "work", "aggregate"}
    assert all(begin <= end for _, _, begin, end, _ in spans)
    assert sum(items for name, *_, items in spans if name == "work") == 50
    assert {worker for name, worker, *_ in spans if name == "work"} <= {0, 1}
    assert Pipeline([1]).run().spans() == []
