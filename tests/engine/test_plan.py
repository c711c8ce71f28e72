"""Which threads a pipeline gets: what is fused, what is not, and that nothing is lost by it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader import Pipeline, StageError
from ftloader.engine.plan import plan
from ftloader.options import RunOptions

pytestmark = pytest.mark.usefixtures("no_thread_left")


def same(x: Any) -> Any:
    return x


async def asame(x: Any) -> Any:
    return x


def parts(pipeline: Pipeline[Any], **options: Any) -> list[list[str]]:
    options = {"fuse": True} | options
    return [[s.name for s in part.stages] for part in plan(pipeline, RunOptions(**options))[1]]


def test_neighbouring_functions_of_equal_concurrency_are_fused() -> None:
    pipeline = Pipeline([1]).pipe(same, concurrency=3, name="a").pipe(same, concurrency=3, name="b")
    pipeline = pipeline.pipe(same, concurrency=3, name="c").pipe(same, concurrency=2, name="d")
    assert parts(pipeline) == [["a", "b", "c"], ["d"]]
    assert parts(pipeline, fuse=False) == [["a"], ["b"], ["c"], ["d"]]
    assert parts(pipeline, memory_budget=1) == [["a"], ["b"], ["c"], ["d"]]


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 2},
        {"concurrency": 3, "output_order": "completion"},
        {"concurrency": 1},
    ],
)
def test_unlike_neighbours_are_not_fused(options: Any) -> None:
    pipeline = Pipeline([1]).pipe(same, concurrency=3, name="a").pipe(same, name="b", **options)
    assert parts(pipeline) == [["a"], ["b"]]


def test_what_stands_between_two_functions_keeps_them_apart() -> None:
    for between in ("prefetch", "aggregate"):
        pipeline: Pipeline[Any] = Pipeline([1]).pipe(same, concurrency=3, name="a")
        pipeline = getattr(pipeline, between)(2).pipe(same, concurrency=3, name="b")
        assert ["a", "b"] not in parts(pipeline)


def test_stages_with_one_thread_keep_it_to_themselves() -> None:
    threads: dict[str, set[int]] = {"a": set(), "b": set()}

    def here(name: str) -> Any:
        def op(x: int) -> int:
            threads[name].add(threading.get_ident())
            return x

        return op

    pipeline = Pipeline(range(500)).pipe(here("a"), name="a").pipe(here("b"), name="b")
    assert list(pipeline) == list(range(500))
    assert len(threads["a"]) == len(threads["b"]) == 1
    assert threads["a"] != threads["b"]


def test_a_stage_that_skips_is_not_fused_with_the_one_behind() -> None:
    pipeline = Pipeline([1]).pipe(same, concurrency=2, name="a")
    pipeline = pipeline.pipe(same, concurrency=2, on_error="skip", name="b")
    assert parts(pipeline.pipe(same, concurrency=2, name="c")) == [["a", "b"], ["c"]]


def test_fused_stages_run_as_much_at_once_as_they_would_apart_and_no_more() -> None:
    # Passes only if two operations of each of both stages are under way at the same time.
    barrier = threading.Barrier(4)
    lock = threading.Lock()
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()

    def op(name: str) -> Any:
        def meet(x: int) -> int:
            with lock:
                running[name] += 1
                most[name] = max(most[name], running[name])
            barrier.wait()
            with lock:
                running[name] -= 1
            return x

        return meet

    def first(x: int) -> int:
        return op_a(x) if x >= 2 else x

    def second(x: int) -> int:
        return op_b(x) if x < 2 else x

    op_a, op_b = op("a"), op("b")
    pipeline = Pipeline(range(4)).pipe(first, concurrency=2).pipe(second, concurrency=2)
    assert parts(pipeline) == [["first", "second"]]
    assert list(pipeline.run(fuse=True)) == list(range(4))
    assert most["a"] <= 2
    assert most["b"] <= 2


@given(st.integers(0, 200), st.integers(2, 4), st.integers(0, 250), st.booleans())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_fusing_changes_no_result_and_no_error(
    items: int, concurrency: int, bad: int, in_second: bool
) -> None:
    def fail(x: int) -> int:
        if x == bad:
            raise ValueError(x)
        return x

    ops = (same, fail) if in_second else (fail, same)
    pipeline: Pipeline[Any] = Pipeline(range(items))
    for number, op in enumerate(ops):
        pipeline = pipeline.pipe(op, concurrency=concurrency, name=f"op{number}")

    def outcome(**options: Any) -> tuple[list[int], str]:
        got: list[int] = []
        try:
            with pipeline.run(**options) as run:
                got.extend(run)
        except StageError as error:
            return got, str(error)
        return got, "end"

    assert outcome(fuse=True) == outcome(fuse=False) == outcome(engine="serial")


def test_the_counters_of_fused_stages_are_their_own() -> None:
    pipeline = Pipeline(range(1000)).pipe(same, concurrency=2, name="a")
    with pipeline.pipe(same, concurrency=2, name="b").run(fuse=True) as run:
        list(run)
    stats = {stage.name: stage for stage in run.stats().stages}
    assert [(stats[name].items_in, stats[name].items_out) for name in "ab"] == [(1000, 1000)] * 2
    for name in "ab":
        stage = stats[name]
        time = stage.busy + stage.starved + stage.blocked
        assert time == pytest.approx(2 * run.stats().elapsed, rel=0.01)


def test_explain_shows_threads_order_and_bounds() -> None:
    pipeline = (
        Pipeline(range(9))
        .prefetch(7)
        .pipe(same, concurrency=4, name="decode")
        .pipe(same, concurrency=4, name="augment")
        .pipe(asame, concurrency=32, name="fetch", output_order="completion")
        .aggregate(16)
        .prefetch(3)
    )
    assert pipeline.explain().splitlines()[2] == (
        "  decode: 4 threads, input order; up to 4 results wait behind"
    )
    assert pipeline.explain(fuse=True).splitlines() == [
        "Pipeline(range of 9): 10 threads and an event loop",
        "  source: 1 thread; up to 7 items wait behind it",
        "  decode + augment: fused on 8 threads, 4 in each stage at once, input order; "
        "up to 4 results wait behind",
        "  fetch: on the event loop, 32 at once, completion order; up to 32 results wait behind",
        "  aggregate: 1 thread; up to 3 results wait behind",
    ]
    assert pipeline.explain(memory_budget={"decode": 5_000_000}).splitlines()[-1] == (
        "  memory: results of decode lease from 5.0 MB"
    )
