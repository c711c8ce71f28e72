"""What is particular to the native engine: real concurrency, bounds, and what it keeps alive."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError, RunStopped, SourceError, StageError
from ftloader.engine.channel import ELASTIC_CHUNKS
from ftloader.engine.workers import MAX_CHUNK

pytestmark = pytest.mark.usefixtures("no_thread_left")


def test_a_stage_runs_as_many_operations_at_once_as_it_says() -> None:
    barrier = threading.Barrier(3)  # passes only if three threads are inside together

    def meet(x: int) -> int:
        barrier.wait()
        return x

    assert list(Pipeline(range(12)).pipe(meet, concurrency=3)) == list(range(12))


def test_an_async_stage_runs_as_many_operations_at_once_as_it_says_and_no_more() -> None:
    running, most = 0, 0

    async def watch(x: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return x

    assert list(Pipeline(range(200)).pipe(watch, concurrency=8)) == list(range(200))
    assert most == 8


def test_async_stages_share_one_loop_in_one_thread() -> None:
    seen = set()

    async def here(x: int) -> int:
        seen.add((threading.get_ident(), id(asyncio.get_running_loop())))
        return x

    async def source() -> AsyncIterator[int]:
        for number in range(10):
            yield await here(number)

    assert list(Pipeline(source).pipe(here, concurrency=2).pipe(here, name="again")) == [*range(10)]
    assert len(seen) == 1


def test_a_later_item_overtakes_a_slow_one_in_completion_order_only() -> None:
    release = threading.Event()

    def wait_for_the_first(x: int) -> int:
        if x == 0:
            release.wait()
        return x

    pipeline = Pipeline(range(4)).pipe(wait_for_the_first, concurrency=2, output_order="completion")
    with pipeline.run() as run:
        assert next(run) == 1
        release.set()
        assert sorted(run) == [0, 2, 3]


@pytest.mark.parametrize("output_order", ["input", "completion"])
@pytest.mark.parametrize("kind", ["function", "coroutine", "generator"])
def test_items_in_flight_stay_bounded_while_the_reader_does_not_read(
    kind: str, output_order: Any
) -> None:
    lock = threading.Lock()
    started = 0
    quiet = threading.Event()

    def work(x: int) -> int:
        nonlocal started
        with lock:
            started += 1
        return x

    async def awork(x: int) -> int:
        return work(x)

    def many(x: int) -> Iterator[int]:
        yield work(x)

    op: Any = {"function": work, "coroutine": awork, "generator": many}[kind]
    pipeline = Pipeline(range(100_000)).pipe(op, concurrency=3, output_order=output_order)
    with pipeline.prefetch(5).run() as run:
        next(run)
        quiet.wait(0.3)  # nothing can signal that nothing happens
        # One read, five ready, three running, three parked or in an async stage's window; of
        # cheap items, and only of those, each worker may hold a chunk.
        cheap = 3 * MAX_CHUNK if kind == "function" else 0
        assert started <= 1 + 5 + 3 + 5 + 3 + cheap
        before = started
        quiet.wait(0.1)
        assert started == before


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_filter_does_not_run_ahead_of_a_slow_item_for_ever(kind: str) -> None:
    release, read = threading.Event(), 0

    def source() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read - 1

    def first_only(x: int) -> Iterator[int]:
        if x == 0:
            release.wait()
            yield x

    async def afirst_only(x: int) -> AsyncIterator[int]:
        if x == 0:
            await asyncio.to_thread(release.wait)
            yield x

    op: Any = first_only if kind == "generator" else afirst_only
    with Pipeline(source).pipe(op, concurrency=2).run() as run:
        release.wait(0.3)  # nothing can signal that nothing happens
        assert read <= (ELASTIC_CHUNKS + 1) * MAX_CHUNK
        release.set()
        assert next(run) == 0


def test_a_cheap_stage_behind_an_expensive_one_does_not_pile_its_items_up() -> None:
    made, settled = 0, threading.Event()

    def expensive(x: int) -> int:
        nonlocal made
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        made += 1
        return x

    pipeline = Pipeline(range(100_000)).pipe(expensive)
    for number in range(3):
        pipeline = pipeline.pipe(lambda x: x, concurrency=4, name=f"cheap {number}")
    with pipeline.run() as run:
        next(run)
        settled.wait(0.5)  # nothing can signal that nothing happens
        # Per stage: ready items, running ones, parked ones.
        assert made <= 1 + 4 * (4 + 4 + 4)


def test_results_do_not_wait_behind_an_item_that_turns_out_expensive() -> None:
    turned, release = threading.Event(), threading.Event()

    def stuck_at_the_end(x: int) -> int:
        if x >= 3000:
            if x > 3000:
                turned.set()
                release.wait()
            else:
                time.sleep(0.01)  # the first expensive one of a chunk of cheap ones
        return x

    with Pipeline(range(3100)).pipe(stuck_at_the_end).run() as run:
        got = [next(run) for _ in range(3001)]
        turned.wait()
        release.set()
        assert got == list(range(3001))


@pytest.mark.parametrize("awaits", [True, False])
@pytest.mark.parametrize("output_order", ["input", "completion"])
def test_an_operation_that_cancels_itself_has_failed(output_order: Any, awaits: bool) -> None:
    async def give_up(x: int) -> int:
        if x == 3:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if awaits:
                await asyncio.sleep(0)
            raise asyncio.CancelledError
        return x

    with pytest.raises(StageError) as caught:
        list(Pipeline(range(20)).pipe(give_up, concurrency=2, output_order=output_order))
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


@pytest.mark.parametrize("output_order", ["input", "completion"])
def test_an_operation_that_outlives_its_cancellation_does_not_hold_up_the_stop(
    output_order: Any,
) -> None:
    waiting = asyncio.Event()

    async def stubborn(x: int) -> int:
        if x > 20:
            try:
                await waiting.wait()
            except asyncio.CancelledError:
                return -1
        return x

    pipeline = Pipeline(range(1000)).pipe(stubborn, concurrency=100, output_order=output_order)
    run = pipeline.prefetch(1).run()
    next(run)
    run.stop()


def test_stopping_at_once_is_never_an_error() -> None:
    async def forever() -> AsyncIterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    for source in (forever, lambda: forever()):
        for _ in range(50):
            run = Pipeline(source).run()
            run.stop()
            with pytest.raises(RunStopped):
                next(run)


def test_an_exception_without_a_text_is_reported_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def fail(x: int) -> int:
        raise Mute

    def failing_source() -> Iterator[int]:
        yield 1
        raise Mute

    with pytest.raises(StageError, match=r"failed on item 0 \(1\): Mute: \(its text"):
        list(Pipeline([1]).pipe(fail))
    with pytest.raises(SourceError, match="after 1 items: Mute"):
        list(Pipeline(failing_source))


def test_a_failed_or_stopped_run_holds_no_item() -> None:
    class Item:
        pass

    alive: weakref.WeakSet[Item] = weakref.WeakSet()

    def make(x: int) -> Item:
        item = Item()
        alive.add(item)
        if x == 50:
            raise ValueError
        return item

    run = Pipeline(range(100)).pipe(make, concurrency=2).prefetch(20).run()
    with pytest.raises(StageError) as caught:
        deque(run, maxlen=0)
    gc.collect()
    assert len(alive) <= 1  # the one in the traceback of the error
    assert caught.value.index == 50


def test_a_failure_read_again_does_not_grow() -> None:
    def fail(x: int) -> int:
        raise ValueError

    run = Pipeline([1]).pipe(fail).run()
    depths = []
    for _ in range(5):
        with pytest.raises(StageError) as caught:
            next(run)
        depths.append(len(caught.traceback))
    assert depths[1:] == depths[1:2] * 4


def test_a_coroutine_function_is_refused_as_a_source() -> None:
    async def numbers() -> list[int]:
        return [1]

    with pytest.raises(PipelineError, match="async generator"):
        Pipeline(numbers)  # type: ignore[call-overload]


def test_a_source_that_waits_for_its_reader_is_served() -> None:
    answer = threading.Semaphore(1)

    def ask() -> Iterator[int]:
        for number in range(20):
            answer.acquire()
            yield number

    for got, expected in zip(Pipeline(ask).pipe(lambda x: x), range(20), strict=True):
        assert got == expected
        answer.release()


def test_a_generator_hands_results_on_while_it_still_runs() -> None:
    read = threading.Event()

    def two(x: int) -> Iterator[int]:
        yield x
        assert read.wait(60)
        yield x + 1

    run = Pipeline([0]).pipe(two).run()
    assert next(run) == 0
    read.set()
    assert list(run) == [1]


def test_breaking_out_of_a_loop_leaves_no_thread() -> None:
    for _ in range(20):
        for item in Pipeline(range(1000)).pipe(lambda x: x, concurrency=4):
            if item == 3:
                break


def test_a_run_in_a_reference_cycle_is_ended_by_the_collector() -> None:
    class Holder:
        run: Any = None
        itself: Any = None

    holder = Holder()
    holder.itself, holder.run = holder, Pipeline(range(1000)).pipe(lambda x: x).run()
    next(holder.run)
    del holder
    gc.collect()


def test_an_operation_may_stop_its_own_run() -> None:
    stop: list[Any] = []
    ready = threading.Event()

    def quit_at_five(x: int) -> int:
        if x == 5:
            ready.wait()
            stop[0]()
        return x

    run = Pipeline(range(100)).pipe(quit_at_five, concurrency=2).run()
    stop.append(run.stop)
    ready.set()
    with pytest.raises(RunStopped):
        list(run)
    run.stop()


def test_stopping_from_another_thread_ends_a_waiting_reader() -> None:
    release, reading = threading.Event(), threading.Event()

    def never(x: int) -> int:
        reading.set()
        release.wait()
        return x

    run = Pipeline([1]).pipe(never).run()

    def stop() -> None:
        reading.wait()
        run._graph.state.stop()  # type: ignore[attr-defined]
        release.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(RunStopped):
        next(run)
    stopper.join()


def test_stopping_awaits_the_clean_up_of_coroutines() -> None:
    cleaned = []
    waiting = asyncio.Event()

    async def wait_for_ever(x: int) -> int:
        if x == 2:
            started.set()
        try:
            await waiting.wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(x)
        return x

    started = threading.Event()

    with Pipeline(range(3)).pipe(wait_for_ever, concurrency=3).run():
        started.wait()
    assert sorted(cleaned) == [0, 1, 2]


def test_the_engine_keeps_no_item_alive_that_the_reader_has_dropped() -> None:
    class Item:
        pass

    items: list[weakref.ref[Item]] = []

    def make(_: int) -> Item:
        item = Item()
        items.append(weakref.ref(item))
        return item

    with Pipeline(range(8)).pipe(make).pipe(lambda x: x).run() as run:
        for _ in run:
            pass
    del _
    gc.collect()  # on a free-threaded build, frees wait for the thread that made the item
    assert [item() for item in items] == [None] * 8


def test_a_worker_that_fails_inside_the_engine_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr("ftloader.engine.crew.FunctionWorker.run", broken)
    run = Pipeline(range(3)).pipe(lambda x: x).run()
    with pytest.raises(RuntimeError, match="please report") as caught:
        next(run)
    assert isinstance(caught.value.__cause__, AssertionError)


def test_a_source_whose_clean_up_raises_does_not_replace_the_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def source() -> AsyncIterator[int]:
        try:
            for number in range(100):
                yield number
        finally:
            raise OSError("close failed")

    def fail(x: int) -> int:
        if x == 50:
            raise ValueError("fifty")
        return x

    delivered: list[int] = []
    with Pipeline(source).pipe(fail, concurrency=2).run() as run, pytest.raises(StageError):
        delivered.extend(run)
    assert delivered == list(range(50))
    assert "the source failed while it was closed" in caplog.text


def test_a_waiting_writer_is_woken_when_a_filter_makes_way_for_it(
    no_second_look: None,
) -> None:
    release = threading.Event()
    passed = []

    def pass_few(x: int) -> Iterator[int]:
        if x == 0:
            release.wait()
        passed.append(x)
        if x % 100 == 99:
            yield x

    run = Pipeline(range(1000)).pipe(pass_few, concurrency=3).run()
    release.wait(0.1)  # the others get as far as they may
    release.set()
    assert list(run) == list(range(99, 1000, 100))
    assert sorted(passed) == list(range(1000))


def test_a_run_cut_short_at_interpreter_exit_is_told_so_to_its_reader() -> None:
    code = """
import threading, time, itertools
from ftloader import Pipeline, RunStopped
started = threading.Event()
def slow(x):
    time.sleep(0.01)
    return x
def read():
    try:
        for item in Pipeline(range(100_000)).pipe(slow, concurrency=2):
            started.set()
        print("ended")
    except RunStopped:
        print("stopped")
threading.Thread(target=read).start()
started.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "stopped\n"
