from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from ftloader import BudgetError, RunStopped
from ftloader.batching.buffers import Buffer, BufferPool


def test_a_buffer_comes_back_when_the_last_view_of_it_is_gone() -> None:
    pool = BufferPool(1, 600)
    images = pool.take().deliver((2, 10, 10, 3), np.uint8)
    part = images[1, 3:]
    del images
    assert pool.free == 0
    other = part.view(np.int8)
    del part
    assert pool.free == 0
    del other
    assert pool.free == 1


def test_a_view_held_by_memoryview_keeps_the_buffer_out() -> None:
    pool = BufferPool(1, 8)
    seen = memoryview(pool.take().deliver((8,), np.uint8))
    assert pool.free == 0
    seen.release()
    gc.collect()
    assert pool.free == 1


def test_what_was_written_is_what_is_delivered() -> None:
    pool = BufferPool(1, 48)
    buffer = pool.take()
    buffer.array((3, 4), np.float32)[:] = np.arange(12).reshape(3, 4)
    assert np.array_equal(buffer.deliver((3, 4), np.float32), np.arange(12).reshape(3, 4))


def places_of_writers(buffer: Buffer) -> list[int]:
    """Where four threads that begin at once write."""
    together, places = threading.Barrier(4, timeout=30), list[int]()

    def write() -> None:
        together.wait()
        places.append(buffer.array((64,), np.uint8).ctypes.data)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return places


def test_threads_that_begin_a_buffer_at_once_write_into_the_same_memory() -> None:
    for _ in range(100):
        assert len(set(places_of_writers(BufferPool(1, 64).take()))) == 1


def test_memory_is_used_again() -> None:
    pool = BufferPool(1, 100)
    places = set()
    for _ in range(5):
        buffer = pool.take()
        places.add(buffer.array((100,), np.uint8).ctypes.data)
        buffer.deliver((100,), np.uint8)
    assert len(places) == 1


def test_two_batches_are_never_in_one_buffer() -> None:
    pool = BufferPool(3, 64)
    held = [pool.take().deliver((64,), np.uint8) for _ in range(3)]
    for number, array in enumerate(held):
        array[:] = number
    assert [set(array.tolist()) for array in held] == [{0}, {1}, {2}]
    assert pool.free == 0


def test_a_buffer_that_was_not_delivered_can_be_given_back() -> None:
    pool = BufferPool(1, 1)
    pool.take().give_back()
    assert pool.free == 1


def test_whoever_waits_gets_the_next_buffer_that_comes_back(no_thread_left: None) -> None:
    pool = BufferPool(1, 4)
    array = pool.take().deliver((4,), np.uint8)
    got = []
    thread = threading.Thread(target=lambda: got.append(pool.take()))
    thread.start()
    assert not got
    del array
    thread.join(10)
    assert len(got) == 1


def test_closing_wakes_everybody_who_waits(no_thread_left: None) -> None:
    pool = BufferPool(1, 4)
    taken = pool.take()
    errors = []

    def wait() -> None:
        try:
            pool.take()
        except RunStopped as error:
            errors.append(error)

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    pool.close()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 4
    assert taken.deliver((4,), np.uint8).shape == (4,)


def test_waiting_ends_when_nobody_wants_a_buffer_any_more() -> None:
    pool = BufferPool(1, 4)
    pool.take()
    with pytest.raises(RunStopped):
        pool.take(lambda: False)


def test_a_batch_larger_than_a_buffer_is_refused() -> None:
    with pytest.raises(BudgetError, match="a batch of 24 bytes does not fit a buffer of 23"):
        BufferPool(1, 23).take().array((2, 3), np.float32)


def test_buffers_survive_their_pool() -> None:
    array = BufferPool(1, 8).take().deliver((8,), np.uint8)
    gc.collect()
    array[:] = 7
    assert array.tolist() == [7] * 8


def test_threads_that_take_and_let_go_at_once_lose_no_buffer(no_thread_left: None) -> None:
    pool = BufferPool(3, 16)
    wrong = []

    def use(mark: int) -> None:
        for _ in range(500):
            array = pool.take().deliver((16,), np.uint8)
            array[:] = mark
            if set(array.tolist()) != {mark}:
                wrong.append(mark)
            del array

    threads = [threading.Thread(target=use, args=(mark,)) for mark in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    gc.collect()
    assert pool.free == 3
