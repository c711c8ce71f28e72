"""Whole pipelines drawn at random: every engine gives what the serial one gives."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftloader import Pipeline, RunError

from ..conformance.ops import Adder, acountdown, countdown, double, increment, odd_only


def key(x: Any) -> int:
    """Bring whatever a stage made back to an integer."""
    return x if isinstance(x, int) else hash(str(x)) % 1009 if not x else key(x[0])


class FailAt:
    """Raises on one value."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __call__(self, x: int) -> int:
        if x == self.value:
            raise ValueError(x)
        return x


pytestmark = pytest.mark.usefixtures("no_second_look")

pipes = st.tuples(
    st.sampled_from([double, increment, countdown, acountdown, odd_only, Adder(1), FailAt(12)]),
    st.integers(1, 5),
)
groups = st.tuples(st.integers(1, 6), st.booleans(), st.booleans())
stages = st.lists(st.one_of(pipes, groups, st.integers(1, 4)), max_size=5)


def build(items: int, drawn: list[Any], output_order: Any) -> Pipeline[Any]:
    pipeline: Pipeline[Any] = Pipeline(range(items))
    for stage in drawn:
        match stage:
            case int(size):
                if not (pipeline.stages and pipeline.stages[-1].name.startswith("prefetch")):
                    pipeline = pipeline.prefetch(size)
            case (int(size), bool(drop_last), bool(apart)):
                pipeline = pipeline.aggregate(size, drop_last=drop_last)
                if apart:
                    pipeline = pipeline.disaggregate()
            case (op, concurrency):
                pipeline = pipeline.pipe(key, name=f"key{len(pipeline.stages)}")
                pipeline = pipeline.pipe(op, concurrency=concurrency, output_order=output_order)
    return pipeline


def outcome(pipeline: Pipeline[Any], engine: Any) -> tuple[list[Any], str]:
    delivered = []
    try:
        with pipeline.run(engine) as run:
            delivered.extend(run)
    except RunError as error:
        # The SPDL engine cannot tell the index.
        stage = getattr(error, "stage", "source")
        return delivered, f"{stage}: {error.__cause__!r}"
    return delivered, "end"


@pytest.mark.parametrize("engine", ["threads", "spdl"])
@given(items=st.integers(0, 40), drawn=stages)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_input_order_is_the_serial_outcome_failures_included(
    engine: str, items: int, drawn: list[Any]
) -> None:
    pipeline = build(items, drawn, "input")
    assert outcome(pipeline, engine) == outcome(pipeline, "serial")


@given(items=st.integers(0, 40), drawn=st.lists(pipes, max_size=4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_completion_order_is_the_serial_multiset(items: int, drawn: list[Any]) -> None:
    drawn = [stage for stage in drawn if not isinstance(stage[0], FailAt)]
    pipeline = build(items, drawn, "completion")
    assert Counter(outcome(pipeline, "threads")[0]) == Counter(outcome(pipeline, "serial")[0])
