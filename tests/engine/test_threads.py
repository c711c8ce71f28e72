"""What is particular to the native engine: real concurrency, bounds, and what it keeps alive."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ftloader import Pipeline, RunStopped

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
        # Three running, five ready, one read, and for an async stage a window as large again.
        assert started <= 2 * (3 + 5) + 1 + 64 * 3
        before = started
        quiet.wait(0.1)
        assert started == before


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

    monkeypatch.setattr("ftloader.engine.threads.apply_function", broken)
    run = Pipeline(range(3)).pipe(lambda x: x).run()
    with pytest.raises(RuntimeError, match="please report") as caught:
        next(run)
    assert isinstance(caught.value.__cause__, AssertionError)
