"""Small plans and files that the tests of the planning report make."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from ftloader.batching import (
    AspectGroups,
    DeviceBytes,
    FixedSize,
    HostBytes,
    MemoryBudget,
    PaddedPixels,
    Policy,
)
from ftloader.planreport import Budget
from ftloader.sizes import Sizes

#: Twelve images: seven landscape, four portrait, one large.
SIZES = [(640, 480)] * 4 + [(480, 640)] * 4 + [(320, 240)] * 3 + [(1280, 960)]

sides = st.integers(1, 200)
rows = st.lists(st.tuples(sides, sides, st.integers(0, 9)), min_size=1, max_size=40)
models = st.sampled_from([PaddedPixels(), HostBytes(), DeviceBytes(fixed=1e4, pixels=3, boxes=50)])


def sizes_of(drawn: list[tuple[int, int, int]]) -> Sizes:
    return Sizes.of(*zip(*drawn, strict=True))


def policies(budget: Budget) -> list[Policy]:
    return [
        MemoryBudget(budget.amount, budget.model, max_images=5, oversize="skip"),
        MemoryBudget(budget.amount, budget.model, oversize="downscale", tail="drop"),
        FixedSize(batch_size=3),
        AspectGroups(batch_size=2, style="detectron2"),
        AspectGroups(batch_size=3, style="torchvision", tail="drop"),
    ]


def write_csv(path: Path, sizes: list[tuple[int, int]] | None = None) -> Path:
    """Write sizes as a file with names."""
    found = SIZES if sizes is None else sizes
    lines = [f"{100 + n},{width},{height}" for n, (width, height) in enumerate(found)]
    path.write_text("\n".join(["image_id,width,height", *lines]) + "\n", encoding="utf-8")
    return path
