"""Profiling ends when it should, counts what it read, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import threading
import weakref
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError, StageError
from ftloader.observe.profile import profile

pytestmark = pytest.mark.usefixtures("no_thread_left")


def double(x: int) -> int:
    return 2 * x


@pytest.mark.parametrize("engine", ["threads", "serial", "spdl"])
def test_it_reads_to_the_end_or_to_so_many_items(engine: Any) -> None:
    pipeline = Pipeline(range(100)).pipe(double)
    whole = profile(pipeline, engine=engine, seconds=60)
    assert (whole.ended, whole.stats.delivered) == ("end", 100)
    part = profile(pipeline, engine=engine, seconds=60, items=10)
    assert (part.ended, part.stats.delivered) == ("items", 10)
    assert part.wall > 0


@pytest.mark.parametrize("engine", ["threads", "serial", "spdl"])
def test_it_ends_at_the_time_limit(engine: Any) -> None:
    result = profile(Pipeline(itertools.count).pipe(double), engine=engine, seconds=0.05)
    assert result.ended == "seconds"
    assert result.wall >= 0.05


def test_it_ends_at_the_time_limit_while_it_waits_for_the_first_item() -> None:
    async def never(x: int) -> int:
        await asyncio.Event().wait()
        return x

    result = profile(Pipeline(range(3)).pipe(never), seconds=0.05)
    assert (result.ended, result.stats.delivered) == ("seconds", 0)


def test_what_was_in_flight_at_the_limit_is_waited_for() -> None:
    release = threading.Event()
    done = []

    def held(x: int) -> int:
        release.wait()
        done.append(x)
        return x

    def source() -> Iterator[int]:
        yield 1
        threading.Timer(0.1, release.set).start()
        yield 2

    assert profile(Pipeline(source).pipe(held), seconds=0.01).ended == "seconds"
    assert done


def test_a_pipeline_that_fails_raises_its_error() -> None:
    with pytest.raises(StageError, match="'double' failed on item 3"):
        profile(Pipeline([1, 2, 3, None]).pipe(double))


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"seconds": float("nan")}, {"items": 0}])
def test_a_limit_that_cannot_be_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match="profile: "):
        profile(Pipeline([1]), **limits)


def test_no_item_is_kept() -> None:
    class Item:
        pass

    made: list[weakref.ref[Item]] = []

    def make(_: int) -> Item:
        item = Item()
        made.append(weakref.ref(item))
        return item

    result = profile(Pipeline(range(20)).pipe(make), seconds=60)
    gc.collect()
    assert result.stats.delivered == len(made) == 20
    assert not [ref for ref in made if ref() is not None]


def test_it_prints_a_table_and_a_verdict_in_80_columns() -> None:
    text = str(profile(Pipeline(range(100)).pipe(double, concurrency=2).aggregate(8), seconds=60))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["stage", "source", "double", "aggregate"]
    assert lines[4].startswith("reader: 13 items")
    assert lines[5].startswith("process: ")
    assert lines[5].endswith("engine threads, to the end")
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in text


def test_a_profile_is_a_value_that_becomes_json() -> None:
    result = profile(Pipeline(range(10)).pipe(double), seconds=60)
    document = json.loads(json.dumps(result.as_dict()))
    assert document["schema"] == "ftloader.profile/1"
    assert document["stats"]["delivered"] == 10
    assert [stage["name"] for stage in document["stats"]["stages"]] == ["source", "double"]
    with pytest.raises(FrozenInstanceError):
        result.wall = 0.0  # type: ignore[misc]


def test_its_trace_holds_every_item_of_every_stage(tmp_path: Path) -> None:
    async def twice(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    pipeline = Pipeline(range(100)).pipe(double, concurrency=2).pipe(twice, concurrency=4)
    result = profile(pipeline, seconds=60)
    result.save_trace(tmp_path / "trace.json")
    document = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    worked: dict[str, int] = dict.fromkeys(["source", "double", "twice"], 0)
    for event in document["traceEvents"]:
        if event["ph"] == "X":
            worked[event["name"]] += event["args"]["items"]
    assert worked == {"source": 100, "double": 100, "twice": 100}


@pytest.mark.parametrize(("engine", "trace"), [("threads", False), ("spdl", True)])
def test_a_run_without_spans_has_no_trace_to_save(engine: Any, trace: bool, tmp_path: Path) -> None:
    result = profile(Pipeline(range(10)).pipe(double), seconds=60, engine=engine, trace=trace)
    with pytest.raises(PipelineError, match="there is nothing to trace"):
        result.save_trace(tmp_path / "trace.json")
    assert not (tmp_path / "trace.json").exists()
