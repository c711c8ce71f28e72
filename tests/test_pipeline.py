"""The description: what it refuses, how it prints, and that it never changes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError


def work(x: int) -> int:
    return x


async def fetch(x: int) -> int:
    return x


def many(x: int) -> Iterator[int]:
    yield x


async def amany(x: int) -> AsyncIterator[int]:
    yield x


class Fetcher:
    async def __call__(self, x: int) -> int:
        return x


@pytest.mark.parametrize(
    ("describe", "message"),
    [
        (lambda p: p.pipe(work, concurrency=0), r"stage 'work': concurrency .* at least 1, not 0"),
        (lambda p: p.pipe(work, concurrency=True), "not True"),
        (lambda p: p.pipe(work, concurrency=2.0), r"not 2\.0"),
        (lambda p: p.pipe(work, output_order="any"), "output_order is 'input' or 'completion'"),
        (lambda p: p.pipe(7), "stage 'int': int is not callable"),
        (lambda p: p.pipe([1, 2]), "list is not callable; pass its __getitem__"),
        (lambda p: p.pipe(work, name="a").pipe(work, name="a"), "two stages are named 'a'"),
        (lambda p: p.aggregate(0), "stage 'aggregate': size is an integer of at least 1"),
        (lambda p: p.aggregate("3"), "not '3'"),
        (lambda p: p.aggregate(list, drop_last=True), "drop_last is for lists"),
        (lambda p: p.prefetch(-1), "stage 'prefetch': size"),
        (lambda p: p.prefetch(1).prefetch(2), "it follows 'prefetch'; keep one"),
    ],
)
def test_what_cannot_run_is_refused_when_described(describe: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        describe(Pipeline([1]))


@pytest.mark.parametrize("source", [None, 3, 2.5])
def test_what_cannot_be_iterated_is_no_source(source: Any) -> None:
    with pytest.raises(PipelineError, match="a source is an iterable"):
        Pipeline(source)


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        (work, "function"),
        (len, "function"),
        (int, "function"),
        (functools.partial(work), "function"),
        (fetch, "coroutine"),
        (functools.partial(fetch), "coroutine"),
        (Fetcher(), "coroutine"),
        (Fetcher().__call__, "coroutine"),
        (many, "generator"),
        (amany, "async generator"),
    ],
)
def test_the_kind_of_an_operation_is_recognised(op: Any, kind: str) -> None:
    assert Pipeline([1]).pipe(op).stages[0].kind == kind  # type: ignore[union-attr]


def test_every_method_returns_a_new_description() -> None:
    base = Pipeline([1])
    longer = base.pipe(work)
    assert base.stages == ()
    assert longer is not base
    with pytest.raises(dataclasses.FrozenInstanceError):
        longer.stages = ()  # type: ignore[misc]


def test_equal_descriptions_are_equal_and_hash_alike() -> None:
    source = [1, 2]
    first, second = (Pipeline(source).pipe(work, concurrency=2).aggregate(3) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != first.prefetch(1)
    assert first != Pipeline([1, 2]).pipe(work, concurrency=2).aggregate(3)


def test_repeated_operations_get_names_of_their_own() -> None:
    pipeline = Pipeline([1]).pipe(work).pipe(work).pipe(work)
    assert [stage.name for stage in pipeline.stages] == ["work", "work_2", "work_3"]


def test_a_description_prints_as_a_list_of_stages() -> None:
    pipeline = (
        Pipeline(range(8))
        .pipe(fetch, concurrency=32)
        .pipe(work, concurrency=4, output_order="completion")
        .aggregate(16, drop_last=True)
        .disaggregate()
        .prefetch(3)
    )
    assert str(pipeline).splitlines() == [
        "Pipeline(range of 8)",
        "  1 fetch: coroutine × 32, input order",
        "  2 work: function × 4, completion order",
        "  3 aggregate: lists of 16, last dropped",
        "  4 disaggregate: elements one by one",
        "  5 prefetch: up to 3 ready",
    ]
