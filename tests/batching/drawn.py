"""Strategies for sizes and policies, and costs reckoned by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ftloader.batching import (
    AspectGroups,
    DeviceBytes,
    FixedSize,
    GivenBatches,
    HostBytes,
    Load,
    MemoryBudget,
    PaddedPixels,
    Sizes,
)

ROW = st.tuples(st.integers(1, 700), st.integers(1, 700), st.integers(0, 60))
DROPPED = st.just((0, 0, 0))
EVERY_MODEL = [
    PaddedPixels(),
    HostBytes(),
    HostBytes(pixel_bytes=12, mask_bytes=1),
    DeviceBytes(fixed=1e6, pixels=600, images=1e4, boxes=1e3, assignment=40, masks=4),
    DeviceBytes(pixels=1e-3, boxes=1e6, images=1),
    DeviceBytes(pixels=1e-3, assignment=1e4, strides=(32,)),
    DeviceBytes(pixels=50, attention=1e-2, margin=12345.5, anchors=9, strides=(8, 32)),
]
MODELS = st.sampled_from(EVERY_MODEL)


def sizes(rows: Sequence[tuple[int, int, int]]) -> Sizes:
    wide, high, boxes = zip(*rows, strict=True) if rows else ((), (), ())
    return Sizes.of(wide, high, boxes)


def some_sizes(least: int = 0, most: int = 60, dropped: bool = True) -> st.SearchStrategy[Sizes]:
    row = st.one_of(ROW, ROW, ROW, DROPPED) if dropped else ROW
    return st.lists(row, min_size=least, max_size=most).map(sizes)


def cost_by_hand(model: Any, members: Sequence[int], given: Sizes, stride: int) -> float:
    """What a batch costs, from the images in it alone."""
    high = max(-(-int(given.heights[m]) // stride) * stride for m in members)
    wide = max(-(-int(given.widths[m]) // stride) * stride for m in members)
    boxes = [int(given.boxes[m]) for m in members]
    return float(model.cost(Load(len(members), high, wide, sum(boxes), max(boxes))))


@st.composite
def budgets(draw: st.DrawFn, given: Sizes, **settings: Any) -> MemoryBudget:
    """A budget that every sample fits by itself, from hardly more to plenty."""
    model, stride = draw(MODELS), draw(st.sampled_from([1, 32, 64]))
    alone = [cost_by_hand(model, [row], given, stride) for row in np.flatnonzero(given.kept)]
    budget = max(alone, default=1.0) * draw(st.floats(1.0, 20.0))
    return MemoryBudget(
        budget,
        model,
        stride=stride,
        max_images=draw(st.integers(1, 12)),
        window=draw(st.sampled_from([1, 7, 16_384])),
        **settings,
    )


@st.composite
def policies(draw: st.DrawFn, given: Sizes, tail: str = "fill") -> Any:
    """Any policy that serves every sample once."""
    settings: dict[str, Any] = {"stride": draw(st.sampled_from([1, 32])), "tail": tail}
    kind = draw(st.sampled_from(["fixed", "mmdet", "given", "budget"]))
    size = draw(st.integers(1, 9))
    if kind == "fixed":
        return FixedSize(size, **settings)
    if kind == "mmdet":
        return AspectGroups(size, "mmdet", **settings)
    if kind == "given":
        places = draw(st.permutations(range(len(given))))
        cut = tuple(tuple(places[at : at + size]) for at in range(0, len(places), size))
        return GivenBatches(cut, **settings)
    return draw(budgets(given, tail=tail))
