"""Batches made from a stream: every item once, never over the budget, few of them held."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader import Pipeline, PlanError, StageError
from ftloader.batching import CostModel, DeviceBytes, HostBytes, Load, PaddedPixels
from ftloader.batching.online import BudgetAggregator, OnlineBudget, sample_size
from ftloader.errors import DataError

steady = settings(deadline=None, derandomize=True)


class Item(NamedTuple):
    """A stand-in for an image: its place in the stream, and its sizes."""

    number: int
    width: int
    height: int
    boxes: int = 0


def size_of(item: Item) -> tuple[int, int, int]:
    return item.width, item.height, item.boxes


def items(sizes: list[tuple[int, ...]]) -> list[Item]:
    return [Item(number, *size) for number, size in enumerate(sizes)]


def load_of(batch: list[Item], stride: int) -> Load:
    """What a batch asks of memory, from its items alone."""
    return Load(
        len(batch),
        -(-max(item.height for item in batch) // stride) * stride,
        -(-max(item.width for item in batch) // stride) * stride,
        sum(item.boxes for item in batch),
        max(item.boxes for item in batch),
    )


def grouped(aggregator: BudgetAggregator, stream: list[Item]) -> list[list[Item]]:
    batches = [batch for item in stream for batch in aggregator.add(item)]
    return [*batches, *aggregator.flush()]


MODELS: list[tuple[CostModel, float]] = [
    (PaddedPixels(), 64 * 1024.0),
    (HostBytes(mask_bytes=1), 400_000.0),
    (DeviceBytes(fixed=1e5, pixels=2, boxes=50, assignment=100, attention=1e-6), 3e5),
]
sides = st.integers(1, 256)
sizes_of_one = st.tuples(sides, sides, st.integers(0, 3))
# Long ones on purpose: lists are drawn short, and then nothing has to make room.
streams = st.one_of(st.lists(sizes_of_one), st.lists(sizes_of_one, min_size=50, max_size=90))
rules = st.builds(
    lambda model, images, stride, cell, pending: OnlineBudget(
        model[1],
        cost=model[0],
        max_images=images,
        stride=stride,
        cell=cell,
        max_pending=pending,
        oversize="skip",
        size_of=size_of,
    ),
    st.sampled_from(MODELS),
    st.integers(1, 9),
    st.sampled_from([1, 16, 32]),
    st.sampled_from([1, 64, 200]),
    st.integers(1, 20),
)


@steady
@given(rule=rules, sizes=streams)
def test_every_item_comes_once_and_no_batch_is_over_the_budget(
    rule: OnlineBudget, sizes: list[tuple[int, ...]]
) -> None:
    aggregator, stream, batches = rule(), items(sizes), []
    held = 0
    for item in stream:
        skipped = aggregator.skipped
        left = list(aggregator.add(item))
        batches += left
        held += 1 - (aggregator.skipped - skipped) - sum(map(len, left))
        assert held == aggregator.pending <= rule.max_pending
    batches += aggregator.flush()
    assert aggregator.pending == 0
    for batch in batches:
        assert 1 <= len(batch) <= rule.max_images
        assert rule.cost.cost(load_of(batch, rule.stride)) <= rule.budget
    alone = [rule.cost.cost(load_of([item], rule.stride)) <= rule.budget for item in stream]
    served = sorted(item.number for batch in batches for item in batch)
    assert served == [item.number for item, fits in zip(stream, alone, strict=True) if fits]
    assert aggregator.skipped == alone.count(False)


shapes = [(32, 32)] * 20 + [(64, 32), (32, 64), (96, 96), (128, 96)]


@steady
@given(
    sizes=st.lists(st.sampled_from(shapes), min_size=60, max_size=200),
    pending=st.integers(2, 6),
)
def test_no_item_waits_for_eight_times_as_many_as_may_wait(
    sizes: list[tuple[int, ...]], pending: int
) -> None:
    rule = OnlineBudget(1e6, max_images=2, max_pending=pending, cell=32, size_of=size_of)
    aggregator, waiting = rule(), set()
    for item in items(sizes):
        waiting.add(item.number)
        for batch in aggregator.add(item):
            waiting -= {one.number for one in batch}
        assert item.number - min(waiting, default=item.number) < 8 * pending


def test_a_rare_shape_leaves_a_stream_that_never_ends() -> None:
    aggregator = OnlineBudget(8 * 64 * 64, max_pending=16, size_of=size_of)()
    rare = Item(-1, 32, 256)
    seen = list(aggregator.add(rare))
    for number in range(200):
        seen += aggregator.add(Item(number, 64 + 32 * (number % 3), 64))
    assert any(rare in batch for batch in seen)


def test_batches_stay_large_when_few_may_wait() -> None:
    rng = np.random.default_rng(0)
    stream = items([(int(w), int(h)) for w, h in rng.integers(64, 512, (2000, 2))])
    rule = OnlineBudget(8 * 512 * 512, max_pending=64, size_of=size_of)
    batches = grouped(rule(), stream)
    # The fullest cell would hold two or three of these shapes.
    assert len(stream) / len(batches) > 8


def test_images_of_one_shape_fill_the_budget_exactly() -> None:
    rule = OnlineBudget(4 * 64 * 64, size_of=size_of)
    batches = grouped(rule(), items([(60, 50)] * 10))
    assert [[item.number for item in batch] for batch in batches] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]


def test_a_batch_of_the_most_images_leaves_at_once() -> None:
    aggregator = OnlineBudget(1e9, max_images=3, size_of=size_of)()
    stream = items([(60, 50)] * 3)
    assert [list(aggregator.add(item)) for item in stream] == [[], [], [stream]]


def test_an_image_over_the_budget_is_named() -> None:
    aggregator = OnlineBudget(64 * 64, size_of=lambda item: item["size"])()
    assert aggregator.add({"__key__": "a/1.jpg", "size": (64, 64, 0)}) == []
    with pytest.raises(PlanError) as caught:
        aggregator.add({"__key__": "a/2.jpg", "size": (65, 64, 7)})
    assert str(caught.value) == (
        "item 1 (a/2.jpg) (96 x 64 padded, 7 boxes) costs 6,144 pixels by itself, over the budget "
        "of 4,096; raise the budget, or choose oversize='skip'"
    )


@pytest.mark.thread_unsafe(reason="reads the log, which all threads write")
def test_skipped_images_are_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    rule = OnlineBudget(64 * 64, oversize="skip", size_of=size_of)
    aggregator = rule()
    with caplog.at_level(logging.WARNING, "ftloader"):
        batches = grouped(aggregator, items([(64, 64), (65, 64), (64, 64), (64, 65)]))
        assert list(aggregator.flush()) == []
    assert [[item.number for item in batch] for batch in batches] == [[0], [2]]
    assert aggregator.skipped == 2
    assert [record.getMessage() for record in caplog.records] == [
        "OnlineBudget: 2 of 4 images were over the budget of 4,096 pixels by themselves and left "
        "out"
    ]


@pytest.mark.parametrize("size", [(0, 5, 0), (5, 5), (5, 5, -1), (5.5, 5, 0), None, (2**21, 5, 0)])
def test_a_size_that_cannot_be_is_refused(size: Any) -> None:
    aggregator = OnlineBudget(1e9, size_of=lambda item: size)()
    with pytest.raises(DataError, match=r"item 0: size_of must return width, height and number"):
        aggregator.add("x")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0}, "budget must be above 0, not 0"),
        ({"budget": float("nan")}, "budget must be above 0, not nan"),
        ({"cost": 3}, r"cost must have unit and cost\(load\), not 3"),
        ({"max_images": 0}, "max_images must be a whole number from 1 on, not 0"),
        ({"cell": 1.5}, "cell must be a whole number from 1 on, not 1.5"),
        ({"max_pending": True}, "max_pending must be a whole number from 1 on, not True"),
        ({"oversize": "downscale"}, "oversize must be one of 'raise', 'skip', not 'downscale'"),
        ({"size_of": 3}, "size_of is called with an item, 3 cannot be"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=f"^OnlineBudget: {message}$"):
        OnlineBudget(**{"budget": 1.0, **settings})


def test_samples_tell_their_size() -> None:
    class Picture(NamedTuple):
        image: np.ndarray
        boxes: np.ndarray

    picture = Picture(np.zeros((20, 30, 3), np.uint8), np.zeros((4, 4), np.float32))
    assert sample_size(picture) == (30, 20, 4)


def drawn(number: int) -> Item:
    width, height = np.random.default_rng(number).integers(20, 200, 2).tolist()
    return Item(number, width, height)


@pytest.mark.parametrize("engine", ["serial", "threads"])
@pytest.mark.usefixtures("no_thread_left")
def test_a_pipeline_gives_the_batches_of_the_stream(engine: Any) -> None:
    rule = OnlineBudget(4 * 224 * 224, max_pending=24, size_of=size_of)
    expected = grouped(rule(), [drawn(number) for number in range(300)])
    pipeline = Pipeline(range(300)).pipe(drawn, concurrency=3).aggregate(rule)
    for _ in range(2):  # every run has an aggregator of its own
        with pipeline.run(engine) as run:
            assert list(run) == expected
    assert sorted(item.number for batch in expected for item in batch) == list(range(300))


@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_a_pipeline_ends_at_an_image_over_the_budget(engine: Any) -> None:
    rule = OnlineBudget(100 * 100, size_of=size_of)
    pipeline = Pipeline(range(300)).pipe(drawn).aggregate(rule)
    with pipeline.run(engine) as run, pytest.raises(StageError) as caught:
        list(run)
    assert isinstance(caught.value.__cause__, PlanError)
    assert "over the budget of 10,000" in str(caught.value)


def test_a_pipeline_prints_the_rule() -> None:
    text = repr(Pipeline(range(3)).aggregate(OnlineBudget(8_600_000)))
    assert text.endswith("aggregate: by memory budget of 8,600,000 pixels")


def test_the_rule_is_a_value() -> None:
    rule = OnlineBudget(5.0, size_of=size_of)
    assert rule == OnlineBudget(5.0, size_of=size_of) != replace(rule, cell=32)
