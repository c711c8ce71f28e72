"""The verdict on real runs of the native engine, where one part is slower by orders of magnitude.

An operation that waits for a while takes its slot for that long on any machine; all others take
microseconds, so no verdict here hangs on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ftloader import Pipeline
from ftloader.observe.profile import Profile, profile

pytestmark = pytest.mark.usefixtures("no_thread_left")

ITEMS = 40


def slow(x: Any) -> Any:
    threading.Event().wait(0.01)
    return x


def cheap(x: Any) -> Any:
    return x


async def slow_async(x: Any) -> Any:
    await asyncio.sleep(0.01)
    return x


def slow_source() -> Iterator[int]:
    yield from map(slow, range(ITEMS))


def profiled(pipeline: Pipeline[Any]) -> Profile:
    result = profile(pipeline, seconds=60)
    assert (result.ended, result.stats.delivered > 0) == ("end", True)
    return result


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_slow_stage_is_named_wherever_it_stands(concurrency: int) -> None:
    base = Pipeline(range(ITEMS))
    for pipeline in (
        base.pipe(slow, concurrency=concurrency).pipe(cheap, name="after"),
        base.pipe(cheap, name="before").pipe(slow, concurrency=concurrency),
        base.pipe(cheap, name="before").pipe(slow, concurrency=concurrency).aggregate(4),
    ):
        found = profiled(pipeline).bottleneck
        assert found.stage == "slow", found


def test_a_slow_async_stage_is_named_with_its_slots() -> None:
    found = profiled(Pipeline(range(4 * ITEMS)).pipe(slow_async, concurrency=4)).bottleneck
    assert found.stage == "slow_async"
    assert "4 slots" in found.sentence


def test_the_slower_of_two_slow_stages_is_named_by_load_per_slot() -> None:
    pipeline = Pipeline(range(ITEMS)).pipe(slow, concurrency=4, name="wide").pipe(slow)
    assert profiled(pipeline).bottleneck.stage == "slow"


def test_a_slow_source_is_named() -> None:
    found = profiled(Pipeline(slow_source).pipe(cheap, concurrency=2)).bottleneck
    assert found.stage == "the source"


def test_a_slow_reader_is_named() -> None:
    from ftloader.observe.bottleneck import bottleneck

    with Pipeline(range(ITEMS)).pipe(cheap).run() as run:
        for item in run:
            slow(item)
        assert bottleneck(run.stats()).stage == "the reader"


@pytest.mark.parametrize("engine", ["serial", "spdl"])
def test_engines_that_do_not_time_waits_name_what_was_most_at_work(engine: Any) -> None:
    pipeline = Pipeline(range(ITEMS)).pipe(cheap).pipe(slow)
    result = profile(pipeline, seconds=60, engine=engine)
    assert result.bottleneck.stage == "slow"
    assert result.bottleneck.sentence.startswith("Most of the time went to 'slow'")
