"""The length is told where the description settles it, and never guessed."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader import Pipeline
from ftloader.length import known_length


def double(x: Any) -> Any:
    return x


async def fetch(x: Any) -> Any:
    return x


def some(x: Any) -> Iterator[Any]:
    yield from [x] * 2


async def some_async(x: Any) -> AsyncIterator[Any]:
    yield x


class Pairs:
    def add(self, item: Any) -> list[Any]:
        return [item]

    def flush(self) -> list[Any]:
        return []


class Raises:
    """A data set as some libraries have them: its length is not there, and says so its own way."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


class Callable:
    """Called for each run, so its own length says nothing of one."""

    def __len__(self) -> int:
        return 7

    def __call__(self) -> list[int]:
        return [1, 2]


HUNDRED = Pipeline(range(100))


@pytest.mark.parametrize(
    ("pipeline", "length"),
    [
        (HUNDRED, 100),
        (Pipeline([]), 0),
        (HUNDRED.pipe(double, concurrency=3, output_order="completion").prefetch(4), 100),
        (HUNDRED.pipe(fetch, concurrency=3), 100),
        (HUNDRED.aggregate(8), 13),
        (HUNDRED.aggregate(8, drop_last=True), 12),
        (HUNDRED.aggregate(8).pipe(double).aggregate(5), 3),
        (Pipeline([]).aggregate(8), 0),
        (HUNDRED.pipe(some), None),
        (HUNDRED.pipe(some_async), None),
        (HUNDRED.pipe(some).aggregate(8), None),
        (HUNDRED.pipe(double, on_error="skip"), None),
        (HUNDRED.aggregate(Pairs), None),
        (HUNDRED.aggregate(8).disaggregate(), None),
        (Pipeline(itertools.count), None),
        (Pipeline(iter([1, 2])), None),
        (Pipeline(lambda: [1, 2]), None),
        (Pipeline(Callable()), None),
        (Pipeline(Raises()), None),
        (Pipeline(range(10**30)), None),
    ],
)
def test_a_length_is_known_where_every_stage_keeps_it_or_divides_it(
    pipeline: Pipeline[Any], length: int | None
) -> None:
    assert known_length(pipeline) == length


@given(
    st.integers(0, 60),
    st.lists(
        st.sampled_from(["pipe", "prefetch", "lists", "full lists"]) | st.integers(1, 9), max_size=5
    ),
)
def test_a_known_length_is_how_many_items_come(items: int, steps: list[Any]) -> None:
    pipeline: Pipeline[Any] = Pipeline(range(items))
    size = 3
    for place, step in enumerate(steps):
        if isinstance(step, int):
            size = step
        elif step == "pipe":
            pipeline = pipeline.pipe(double)
        elif step == "prefetch" and steps[place - 1 : place] != ["prefetch"]:
            pipeline = pipeline.pipe(double).prefetch(size)
        elif step != "prefetch":
            pipeline = pipeline.aggregate(size, drop_last=step == "full lists")
    assert known_length(pipeline) == len(list(pipeline.run("serial")))
