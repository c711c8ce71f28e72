"""The memory budget: never broken, never a deadlock, and refused by name where it cannot work."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftloader import BudgetError, Pipeline, PipelineError, RunError
from ftloader.engine.weigh import nbytes

pytestmark = [
    pytest.mark.usefixtures("no_thread_left"),
    pytest.mark.usefixtures("no_second_look"),
]


class Block:
    """So many bytes, without having them."""

    alive = 0
    most = 0
    lock = threading.RLock()  # an object may be freed while one is made

    def __init__(self, size: int) -> None:
        self.nbytes = size
        with Block.lock:
            Block.alive += size
            Block.most = max(Block.most, Block.alive)
        weakref.finalize(self, Block.gone, size)

    @classmethod
    def gone(cls, size: int) -> None:
        with cls.lock:
            cls.alive -= size


@pytest.fixture(autouse=True)
def no_blocks() -> None:
    gc.collect()
    Block.alive = Block.most = 0


def block(size: int) -> Block:
    return Block(size)


def again(item: Block) -> Block:
    return Block(item.nbytes)


async def ablock(size: int) -> Block:
    await asyncio.sleep(0)
    return Block(size)


def halves(item: Block) -> Iterator[Block]:
    yield Block(item.nbytes // 2)
    yield Block(item.nbytes // 2)


def size_of(item: Any) -> int:
    if isinstance(item, Block):
        return item.nbytes
    return sum(map(size_of, item)) if isinstance(item, list) else int(item)


def peak(run: Any, stage: str) -> int:
    found: int = {entry.name: entry for entry in run.stats().stages}[stage].bytes_peak
    return found


@pytest.mark.parametrize("op", [block, ablock])
@pytest.mark.parametrize("output_order", ["input", "completion"])
def test_foretold_weights_never_exceed_the_budget_and_use_it(op: Any, output_order: Any) -> None:
    sizes = [1 + 7 * n % 40 for n in range(300)]
    pipeline = Pipeline(sizes).pipe(
        op, concurrency=6, output_order=output_order, weight=int, name="op"
    )
    with pipeline.run(memory_budget=100) as run:
        got = [item.nbytes for item in run]
    assert sorted(got) == sorted(sizes)
    assert 40 <= peak(run, "op") <= 100


@pytest.mark.parametrize("op", [block, ablock])
def test_equal_results_are_measured_once_and_then_never_exceed_the_budget(op: Any) -> None:
    pipeline = Pipeline([10] * 200).pipe(op, concurrency=6, name="op")
    with pipeline.run(memory_budget=35) as run:
        assert len(list(run)) == 200
    # The first result, whose weight nobody knows, leases all there is and runs alone.
    assert peak(run, "op") == 35


def test_what_is_alive_stays_within_the_budget_while_all_workers_are_blocked() -> None:
    # On a free-threaded build, what a worker made and the reader dropped is freed by the worker.
    pipeline = Pipeline([10] * 100).pipe(block, concurrency=4, weight=int).prefetch(50)
    with pipeline.run(memory_budget=60) as run:
        for _ in range(90):
            next(run)
        run.stats()
    # The item the reader got last is its own while it asks for the next.
    assert Block.most <= 60 + 10


def test_leases_follow_items_through_stages_without_a_share() -> None:
    async def same(item: Block) -> Block:
        return item

    async def asame(item: Block) -> AsyncIterator[Block]:
        yield item

    pipeline = (
        Pipeline([10] * 60)
        .pipe(block, concurrency=3, weight=int, name="make")
        .pipe(same, concurrency=3)
        .pipe(asame, concurrency=2)
        .aggregate(3)
        .disaggregate()
        .pipe(lambda item: item, name="pass")
        .aggregate(2)
        .prefetch(20)
    )
    with pipeline.run(memory_budget=80) as run:
        assert [len(group) for group in run] == [2] * 30
    assert 60 <= peak(run, "make") <= 80


def test_a_result_larger_than_the_budget_is_refused_by_name_after_what_came_before() -> None:
    pipeline = Pipeline([10, 10, 99, 10]).pipe(block, concurrency=3, weight=int, name="decode")
    run = pipeline.run(memory_budget=50)
    assert [next(run).nbytes, next(run).nbytes] == [10, 10]
    with pytest.raises(BudgetError, match=r"stage 'decode': a result of 99 bytes can never fit"):
        next(run)


@pytest.mark.parametrize("weight", [int, "nbytes"])
def test_a_list_that_cannot_be_completed_within_the_budget_is_refused_by_name(weight: Any) -> None:
    pipeline = Pipeline([10] * 50).pipe(block, concurrency=3, weight=weight, name="decode")
    with pytest.raises(BudgetError, match=r"stage 'decode': a list holds 40 bytes"):
        list(pipeline.aggregate(8).run(memory_budget=45))


def test_a_list_that_just_fits_is_not_refused() -> None:
    pipeline = Pipeline([10] * 48).pipe(block, concurrency=3, weight=int).aggregate(4)
    assert len(list(pipeline.run(memory_budget=40))) == 12


def test_an_error_in_a_weight_is_the_stage_s() -> None:
    with pytest.raises(RunError, match="stage 'block' failed on item 0"):
        list(Pipeline(["x"]).pipe(block, weight=int).run(memory_budget=10))


def test_a_skipped_item_gives_its_lease_back() -> None:
    def op(size: int) -> Block:
        if size == 7:
            raise ValueError
        return Block(size)

    pipeline = Pipeline([7, 5] * 50).pipe(op, concurrency=2, weight=int, on_error="skip")
    assert len(list(pipeline.run(memory_budget=10))) == 50


def test_the_budget_is_divided_between_the_stages_that_have_a_weight() -> None:
    pipeline = Pipeline([10] * 20).pipe(block, weight=int, name="a").pipe(again, name="b")
    with pipeline.pipe(again, weight="nbytes", name="c").run(memory_budget=100) as run:
        list(run)
    stats = {stage.name: stage for stage in run.stats().stages}
    assert run.stats().memory_budget == 100
    assert stats["b"].bytes_peak == 0 < stats["a"].bytes_peak <= 50
    with pipeline.run(memory_budget={"a": 20, "b": 30}) as run:
        list(run)
    assert run.stats().memory_budget == 50
    assert peak(run, "a") <= 20


def test_a_budget_for_a_stage_that_is_not_there_is_refused() -> None:
    with pytest.raises(PipelineError, match="names the stage 'x'; those that can lease: block"):
        Pipeline([1]).pipe(block).run(memory_budget={"x": 1})
    with pytest.raises(PipelineError, match="needs a stage made by pipe"):
        Pipeline([1]).aggregate(2).run(memory_budget=1)


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([again, halves]), st.integers(1, 4), st.sampled_from("iwn")),
        st.integers(1, 3),
    ),
    max_size=4,
)


@given(
    sizes=st.lists(st.integers(0, 12), max_size=30),
    drawn=steps,
    budget=st.integers(6, 90),
    order=st.sampled_from(["input", "completion"]),
)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_mix_of_sizes_stages_and_budgets_ends_in_all_items_or_in_a_refusal(
    sizes: list[int], drawn: list[Any], budget: int, order: Any
) -> None:
    pipeline: Pipeline[Any] = Pipeline(sizes).pipe(block, concurrency=2, weight=int, name="make")
    for number, step in enumerate(drawn):
        if isinstance(step, int):
            pipeline = pipeline.aggregate(step).disaggregate()
        else:
            op, concurrency, kind = step
            weight: Any = {"i": size_of, "w": "nbytes", "n": None}[kind]
            pipeline = pipeline.pipe(
                op, concurrency=concurrency, weight=weight, output_order=order, name=f"op{number}"
            )
    expected = sorted(item.nbytes for item in pipeline.run("serial"))
    try:
        with pipeline.run(memory_budget=budget) as run:
            assert sorted(item.nbytes for item in run) == expected
    except BudgetError:
        assert budget < 13 * (1 + len(drawn)) * 4


def test_a_view_weighs_what_it_keeps_alive() -> None:
    array = np.zeros((10, 100), np.uint8)
    assert nbytes(array[2:4]) == 1000
    assert nbytes([array, array[1], {"mask": array[0], "name": "x", "n": 3}]) == 1000
    assert nbytes((b"12345", bytearray(3), memoryview(b"1234567")[:2])) == 15
    assert nbytes(None) == nbytes("text") == nbytes(2.5) == 0
