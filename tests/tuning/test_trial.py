"""One window of a real pipeline."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ftloader import Pipeline
from ftloader.stages import Pipe
from ftloader.tuning.trial import Trials, filled_in, with_numbers

pytestmark = pytest.mark.usefixtures("no_thread_left")

SLOW = 0.05


def slow(x: int) -> int:
    threading.Event().wait(SLOW)  # stands for a slow read
    return x


def test_calls_of_equal_length_do_not_end_in_bursts_that_a_window_mistakes_for_speed() -> None:
    trials = Trials(Pipeline(()).pipe(slow).stages, [1, 2, 3], [SLOW])
    for results in (None, 12):
        window = trials.measure((8,), results, 0.5)
        assert window.rate < 3 * 8 / SLOW  # a burst of eight would come within microseconds


def test_a_window_ends_after_as_many_results_as_it_was_asked_for() -> None:
    trials = Trials(Pipeline(()).pipe(abs).prefetch(2).pipe(abs).stages, [1, -2], [1e-6, 1e-6])
    window = trials.measure((1, 2), 50, 60.0)
    assert window.results == 50
    assert window.rate > 0
    assert len(window.busy) == 2


def test_what_the_source_could_not_have_given_does_not_count() -> None:
    trials = Trials(Pipeline(()).pipe(abs).stages, [1], [1e-6], ceiling=10.0)
    assert trials.measure((1,), 50, 60.0).rate == 10.0


def test_numbers_are_put_where_the_concurrency_is() -> None:
    stages = Pipeline(()).pipe(abs).prefetch(2).aggregate(3).pipe(len).stages
    numbers = [s.concurrency for s in with_numbers(stages, (4, 1, 5)) if isinstance(s, Pipe)]
    assert numbers == [4, 5]


def test_a_filled_in_pipeline_has_the_same_source_and_names() -> None:
    pipeline: Pipeline[Any] = Pipeline([1, 2]).pipe(abs, concurrency="auto").aggregate(2)
    found = filled_in(pipeline, {"abs": 3, "aggregate": 1}.__getitem__)
    assert found == Pipeline(pipeline.source).pipe(abs, concurrency=3).aggregate(2)
