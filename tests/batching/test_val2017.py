"""A real run over the sizes of all images of COCO val2017, judged by the batches that come out.

The sizes lie beside the folder given with ``--real-data``, as ``coco_val2017_sizes.csv``; the
pixels are blank, but they are resized and padded like any others.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftloader import Pipeline
from ftloader.batching import (
    AspectGroups,
    Gather,
    MemoryBudget,
    PaddedPixels,
    RankPlan,
    Serve,
    Sizes,
    pad_collate,
    places,
    plan_epoch,
)
from ftloader.detection.annotations import Annotations
from ftloader.detection.augment import Augment
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms import RandomChoiceResize, Resize
from ftloader.detection.transforms.base import Transform

RANKS, SEED = 8, 17
FIXED = Resize((1333, 800))
MULTI = RandomChoiceResize(tuple((1333, short) for short in range(480, 801, 32)))


@dataclass(frozen=True)
class Blank:
    """Images of given sizes without content."""

    sizes: Sequence[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.sizes)

    def sample_info(self, i: int) -> SampleInfo:
        width, height = self.sizes[i]
        return SampleInfo(width, height, Annotations.none(), i, i, f"{i}.jpg", (width, height))

    def load(self, i: int) -> Sample:
        info = self.sample_info(i)
        return Sample(np.zeros((info.height, info.width, 3), np.uint8), info)


@dataclass(frozen=True)
class Finished:
    """One batch as it came out, the pixels forgotten."""

    images: int
    height: int
    width: int
    real: int
    ids: tuple[int, ...]

    @property
    def padded(self) -> int:
        return self.images * self.height * self.width


@pytest.fixture(scope="module")
def data(real_data: Path) -> Blank:
    path = real_data.resolve().parent / "coco_val2017_sizes.csv"
    if not path.is_file():
        pytest.skip(f"needs the sizes of val2017 in {path}")
    with path.open(encoding="utf-8", newline="") as file:
        return Blank([(int(row["width"]), int(row["height"])) for row in csv.DictReader(file)])


def finished(mine: RankPlan, augment: Augment) -> list[Finished]:
    source = Pipeline(lambda: places(mine)).pipe(Serve(augment), concurrency=2)

    def outline(batch: Any) -> Finished:
        count, height, width, _ = batch.images.shape
        real = int(batch.sizes.astype(np.int64).prod(1).sum())
        return Finished(count, height, width, real, tuple(batch.image_ids.tolist()))

    return list(source.aggregate(Gather).pipe(pad_collate).pipe(outline))


@pytest.mark.real_data
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("recipe", "least"), [(FIXED, 0.97), (MULTI, 0.95)], ids=["fixed", "multi"]
)
def test_a_run_over_val2017_pads_little_keeps_the_budget_and_balances_ranks(
    data: Blank, recipe: Transform[Any], least: float
) -> None:
    augment = Augment(data, recipe, SEED)
    order = np.random.default_rng(SEED).permutation(len(data))
    sizes = augment.sizes(order)
    original = Sizes.of(*zip(*(data.sizes[i] for i in order), strict=True))
    # What the usual way needs at its peak: two aspect groups, eight images in a batch.
    usual = plan_epoch(sizes, AspectGroups(8, "detectron2"), original=original)
    budget = int(usual.batches.costs(PaddedPixels()).max())

    policy = MemoryBudget(budget)
    plan = plan_epoch(sizes, policy, samples=order, seed=SEED, batches_per_step=RANKS)
    ranks = [finished(mine, augment) for mine in plan.ranks(RANKS)]

    batches = [batch for rank in ranks for batch in rank]
    ids = [i for batch in batches for i in batch.ids]
    assert sorted(ids) == list(range(len(data)))
    assert max(batch.padded for batch in batches) <= budget
    assert sum(b.real for b in batches) / sum(b.padded for b in batches) >= least
    assert {len(rank) for rank in ranks} == {len(plan)}
    padded = np.array([[batch.padded for batch in rank] for rank in ranks])
    assert padded.mean() / padded.max(0).mean() >= 0.95
    # And what the plan had said is what came out.
    assert sum(b.real for b in batches) == plan.batches.areas.sum()
    assert sum(b.padded for b in batches) == plan.batches.padded.sum()
