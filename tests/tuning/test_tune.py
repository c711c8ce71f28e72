"""Tuning real pipelines: what comes back, what is refused, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError, StageError
from ftloader.stages import Pipe
from ftloader.tuning import Tuning, tune

pytestmark = pytest.mark.usefixtures("no_thread_left")

SECONDS = 0.6


def wait_a_moment(x: int) -> int:
    threading.Event().wait(0.01)  # stands for a read from a slow disk
    return x


async def await_a_moment(x: int) -> int:
    await asyncio.sleep(0.01)
    return x


def negative(x: int) -> int:
    return -x


def numbers(pipeline: Pipeline[Any]) -> dict[str, object]:
    return {s.name: s.concurrency for s in pipeline.stages if isinstance(s, Pipe)}


@pytest.mark.parametrize("op", [wait_a_moment, await_a_moment])
def test_a_stage_that_waits_works_on_several_items_at_once(op: Any) -> None:
    tuning = tune(Pipeline(range(100)).pipe(op, concurrency="auto"), seconds=SECONDS)
    assert tuning.stages[0].concurrency > 1
    assert tuning.stages[0].cpu_share < 0.5
    assert tuning.stages[0].gil_bound is None


def test_only_the_numbers_change_and_the_items_stay_the_same() -> None:
    pipeline = (
        Pipeline(range(50))
        .pipe(await_a_moment, concurrency="auto", output_order="completion", name="fetch")
        .prefetch(3)
        .pipe(negative, concurrency="auto")
        .aggregate(4)
        .pipe(len, concurrency=2)
    )
    tuning = tune(pipeline, seconds=SECONDS)
    assert tuning.pipeline.source is pipeline.source
    assert [str(a).partition("×")[0] for a in tuning.pipeline.stages] == [
        str(b).partition("×")[0] for b in pipeline.stages
    ]
    found = numbers(tuning.pipeline)
    assert all(isinstance(number, int) for number in found.values())
    assert found["len"] == 2
    assert {s.name: s.concurrency for s in tuning.stages} == found
    assert [s.tuned for s in tuning.stages] == [True, True, False]
    assert sorted(tuning.pipeline.run("serial")) == [2] + [4] * 12


def test_without_auto_every_stage_is_tuned_or_those_that_are_named() -> None:
    pipeline = Pipeline(range(50)).pipe(wait_a_moment).pipe(negative, concurrency=3)
    assert all(s.tuned for s in tune(pipeline, seconds=SECONDS).stages)
    named = tune(pipeline, seconds=SECONDS, stages=["wait_a_moment"])
    assert [s.tuned for s in named.stages] == [True, False]
    assert numbers(named.pipeline)["negative"] == 3


def test_what_was_tried_and_measured_is_told() -> None:
    tuning = tune(Pipeline(range(50)).pipe(wait_a_moment), seconds=SECONDS)
    settings = [dict(trial.setting) for trial in tuning.tried]
    assert {"wait_a_moment": tuning.stages[0].concurrency} in settings
    assert tuning.throughput > 0
    assert tuning.seconds > 0
    rates = [trial.throughput for trial in tuning.tried]
    assert rates == sorted(rates, reverse=True)
    text = str(tuning)
    assert "wait_a_moment" in text
    assert "results/s with these numbers" in text


def test_memory_bounds_what_is_in_flight() -> None:
    def large(x: int) -> bytes:
        wait_a_moment(x)
        return bytes(100_000)

    tuning = tune(Pipeline(range(50)).pipe(large), seconds=SECONDS, memory=700_000)
    assert all(dict(trial.setting)["large"] <= 3 for trial in tuning.tried)


def test_memory_that_cannot_be_kept_to_is_refused_with_what_is_needed() -> None:
    with pytest.raises(PipelineError, match=r"keeps up to .* of results in flight, more than"):
        tune(Pipeline(range(50)).pipe(bytes, name="big").pipe(len), seconds=SECONDS, memory=100)


def test_a_short_source_asks_for_no_more_workers_than_it_has_items() -> None:
    assert tune(Pipeline([1, 2, 3]).pipe(wait_a_moment), seconds=SECONDS).stages[0].concurrency <= 3


def test_the_source_is_opened_once_and_not_run_to_its_end() -> None:
    opened, given = [], []

    def source() -> Iterator[int]:
        opened.append(1)
        for number in range(100_000):
            given.append(number)
            yield number

    tune(Pipeline(source).pipe(negative), seconds=SECONDS)
    assert opened == [1]
    assert len(given) < 10_000


def test_skipped_errors_do_not_end_the_tuning_though_they_come_again_and_again() -> None:
    def sometimes(x: int) -> int:
        if x % 10 == 3:
            raise ValueError(x)
        return x

    pipeline = Pipeline(range(40)).pipe(sometimes, on_error="skip", max_failures=4)
    tuning = tune(pipeline, seconds=SECONDS)
    stage = tuning.pipeline.stages[0]
    assert isinstance(stage, Pipe)
    assert stage.policy.max_failures == 4  # as it was described


def test_an_operation_that_fails_in_parallel_only_is_an_error() -> None:
    at_work = threading.Lock()

    def not_thread_safe(x: int) -> int:
        assert at_work.acquire(blocking=False), "two at once"
        try:
            return wait_a_moment(x)
        finally:
            at_work.release()

    with pytest.raises(StageError, match="two at once"):
        tune(Pipeline(range(40)).pipe(not_thread_safe), seconds=SECONDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 0}, "seconds is a time above 0"),
        ({"cores": 0}, "cores is a number above 0"),
        ({"memory": 0}, "memory is a number of bytes"),
        ({"stages": ["decode"]}, "no stage 'decode' has a concurrency; there are 'negative'"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        tune(Pipeline([1]).pipe(negative), **arguments)


def test_a_pipeline_without_stages_has_nothing_to_tune() -> None:
    with pytest.raises(PipelineError, match="no stage with a concurrency"):
        tune(Pipeline([1]).aggregate(2))


def test_ctrl_c_ends_it_and_leaves_no_thread() -> None:
    calls = iter(range(1_000_000))

    def interrupted(x: int) -> int:
        if next(calls) == 100:  # past the 40 sampled ones
            os.kill(os.getpid(), signal.SIGINT)
        return wait_a_moment(x)

    with pytest.raises(KeyboardInterrupt):
        tune(Pipeline(range(40)).pipe(interrupted, concurrency="auto"), seconds=60.0)


def test_it_works_inside_a_running_event_loop() -> None:
    async def notebook() -> Tuning:
        return tune(Pipeline(range(50)).pipe(await_a_moment), seconds=SECONDS)

    assert asyncio.run(notebook()).stages[0].concurrency > 1
