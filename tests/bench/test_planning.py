"""How long it takes to plan an epoch of train2017's length, and the memory it takes.

``./noxw -s tests-3.12 -- tests/bench/test_planning.py`` on a quiet machine.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from ftloader.batching import DeviceBytes, EpochPlan, MemoryBudget, Sizes, plan_epoch

#: Images in train2017, and what a plan of them may take: seconds, bytes.
IMAGES, SECONDS, BYTES = 118_287, 2.0, 200e6

#: Width, height and share of COCO's most frequent sizes; the others are drawn.
FREQUENT = [
    (640, 480, 0.23),
    (640, 427, 0.14),
    (480, 640, 0.09),
    (640, 426, 0.07),
    (500, 375, 0.05),
]
DEVICE = DeviceBytes(fixed=1e9, pixels=600, boxes=1e3, assignment=8, masks=4, anchors=3)
POLICIES = {"pixels": MemoryBudget(8.6e6), "device bytes": MemoryBudget(7e9, DEVICE)}


def epoch(shortest: int) -> Sizes:
    """Sizes as in COCO, resized to a short side of up to 800 pixels, and as many boxes as there."""
    rng = np.random.default_rng(0)
    kinds = rng.choice(len(FREQUENT), IMAGES, p=_shares())
    wide, high = np.array([size[:2] for size in FREQUENT])[kinds].T
    other = rng.random(IMAGES) > sum(share for *_, share in FREQUENT)
    wide, high = (np.where(other, rng.integers(320, 641, IMAGES), side) for side in (wide, high))
    short = rng.choice(np.arange(shortest, 801, 32), IMAGES)
    scale = np.minimum(short / np.minimum(wide, high), 1333 / np.maximum(wide, high))
    sides = ((side * scale + 0.5).astype(int) for side in (wide, high))
    return Sizes.of(*sides, rng.poisson(7.3, IMAGES))


def _shares() -> list[float]:
    total = sum(share for *_, share in FREQUENT)
    return [share / total for *_, share in FREQUENT]


def planned(sizes: Sizes, policy: MemoryBudget) -> EpochPlan:
    plan = plan_epoch(sizes, policy, batches_per_step=8)
    plan.ranks(8)
    return plan


@pytest.mark.parametrize("shortest", [480, 800], ids=["multi-scale", "fixed"])
@pytest.mark.parametrize("policy", POLICIES)
def test_planning_an_epoch_of_train2017(benchmark: Any, policy: str, shortest: int) -> None:
    plan = benchmark.pedantic(
        planned, (epoch(shortest), POLICIES[policy]), rounds=5, warmup_rounds=1
    )
    assert plan.batches.images.sum() == IMAGES
    assert benchmark.stats["median"] < SECONDS


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_of_planning_an_epoch_of_train2017(policy: str) -> None:
    sizes = epoch(480)
    tracemalloc.start()
    planned(sizes, POLICIES[policy])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < BYTES
    print(f"\n{policy}: {peak / 1e6:.0f} MB at the peak")
