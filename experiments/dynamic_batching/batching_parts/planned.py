"""The planned part: every policy on the same shuffles, under the same budget. Needs no torch.

Policies are given sizes after augmentation; what comes of them is reckoned up by ``accounts``.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from batching_parts import accounts, rivals
from batching_parts.accounts import Batch, Step
from ftloader.batching import (
    AspectGroups,
    EpochPlan,
    FixedSize,
    GivenBatches,
    MemoryBudget,
    Policy,
    plan_epoch,
)
from ftloader.detection.annotations import Annotations
from ftloader.detection.augment import Augment
from ftloader.detection.coco import open_coco
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.synthetic.objects import draw_size
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.compose import Compose
from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.recipes import faster_rcnn, multi_scale
from ftloader.detection.transforms.resize import RandomResize
from ftloader.errors import DataError
from ftloader.lab import provenance
from ftloader.rng import sample_rng
from ftloader.sizes import Sizes

BATCH_SIZE = 8
MOST = 32
CELL = 64
RANKS = 8
#: Images of train2017.
TRAIN = 118_287
NO_OBJECTS = Annotations.none()
#: Sizes that are drawn where none are given; val2017 has as many.
DRAWN = 5_000


@dataclass(frozen=True)
class Table:
    """Sizes of a data set without its pixels; a source of samples for ``Augment.sizes``.

    Attributes:
        about: where the sizes are from.
        rows: width and height of each image, pixels.
    """

    about: str
    rows: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def sizes(self) -> Sizes:
        return Sizes.of(*zip(*self.rows, strict=True))

    def sample_info(self, i: int, /) -> SampleInfo:
        return SampleInfo(*self.rows[i], NO_OBJECTS, i, i, str(i), self.rows[i])

    bare_info = sample_info

    def load(self, i: int, /) -> Sample:
        raise DataError(f"image {i} has no pixels: this table is for planning")

    def resampled(self, count: int) -> Table:
        """Return ``count`` rows drawn with replacement, always the same ones."""
        rows = sample_rng(0, 0, 0).integers(len(self), size=count).tolist()
        return Table(self.about, tuple(self.rows[row] for row in rows))


@dataclass(frozen=True)
class Epoch:
    """A shuffled data set: sizes before and after augmentation, in the order of the sampler."""

    order: np.ndarray[Any, np.dtype[np.int64]]
    before: Sizes
    after: Sizes
    seed: int

    @classmethod
    def of(cls, table: Table, recipe: Transform[Any], seed: int) -> Epoch:
        order = np.random.default_rng(seed).permutation(len(table))
        columns = np.array([table.rows[place] for place in order.tolist()])
        before = Sizes.of(columns[:, 0], columns[:, 1])
        return cls(order, before, Augment(table, recipe, seed=seed).sizes(order), seed)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Width and height after augmentation."""
        return list(zip(self.after.widths.tolist(), self.after.heights.tolist(), strict=True))

    def plan(self, policy: Policy, per_step: int = RANKS) -> EpochPlan:
        return plan_epoch(
            self.after,
            policy,
            samples=self.order,
            original=self.before,
            seed=self.seed,
            batches_per_step=per_step,
        )


#: Recipes by the names that the report has.
SCALES: dict[str, Transform[Any]] = {
    "fixed": faster_rcnn(),
    "multi-scale": multi_scale(),
    "jitter": Compose(
        [
            RandomResize((1024, 1024), (0.1, 2.0)),
            RandomCrop((1024, 1024), allow_negative_crop=True),
        ]
    ),
}

Choose = Callable[[Epoch, float], Policy]


def fixed_size(epoch: Epoch, budget: float) -> Policy:
    return FixedSize(batch_size=BATCH_SIZE)


def groups(style: Any, epoch: Epoch, budget: float) -> Policy:
    return AspectGroups(batch_size=BATCH_SIZE, style=style)


def in_arrival_order(epoch: Epoch, budget: float) -> Policy:
    return given(rivals.arrival(epoch.pairs, budget, MOST))


def in_cells(exact: bool, epoch: Epoch, budget: float) -> Policy:
    return given(rivals.cells(epoch.pairs, budget, MOST, CELL, exact))


def ours(epoch: Epoch, budget: float) -> Policy:
    return MemoryBudget(budget=budget)


def given(batches: Iterator[list[int]]) -> Policy:
    return GivenBatches(batches=tuple(tuple(batch) for batch in batches))


POLICIES: dict[str, Choose] = {
    "random": fixed_size,
    "detectron2": partial(groups, "detectron2"),
    "mmdet": partial(groups, "mmdet"),
    "torchvision": partial(groups, "torchvision"),
    "arrival": in_arrival_order,
    "cells-after": partial(in_cells, False),
    "cells-before": partial(in_cells, True),
    "ours": ours,
}


def table_of(data: Path | None, drawn: int = DRAWN) -> Table:
    """Return the sizes of a CSV file or a COCO folder, or synthetic ones without either.

    Raises:
        DataError: the file has no such columns, or the folder is not COCO's.
    """
    if data is None:
        sizes = tuple(draw_size(sample_rng(0, 0, index, 0)) for index in range(drawn))
        return Table(f"{drawn:,} sizes drawn like COCO's (ftloader.detection.synthetic)", sizes)
    if data.is_dir():
        infos = map((folder := open_coco(data)).info, range(len(folder)))
        sizes = tuple((info.width, info.height) for info in infos)
    else:
        try:
            with data.open(encoding="utf-8", newline="") as file:
                sizes = tuple(
                    (int(row["width"]), int(row["height"])) for row in csv.DictReader(file)
                )
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{data}: no table with columns width and height: {error}") from error
    return Table(f"{len(sizes):,} sizes from {data.name}", sizes)


def budget_of(epoch: Epoch) -> float:
    """Return padded pixels of the costliest batch that detectron2's groups make."""
    plan = epoch.plan(AspectGroups(batch_size=BATCH_SIZE, style="detectron2", tail="drop"), 1)
    return float(max(batch.padded for step in steps_of(plan, 1, epoch) for (batch,) in step))


def steps_of(plan: EpochPlan, ranks: int, epoch: Epoch) -> list[Step]:
    """Return what the ranks of a world do in each step, with sizes from the epoch's own table."""
    sizes = dict(zip(epoch.order.tolist(), epoch.pairs, strict=True))
    steps: list[list[list[Batch]]] = [[[] for _ in range(ranks)] for _ in range(len(plan))]
    for rank, mine in enumerate(plan.ranks(ranks)):
        for batch in mine:
            found = tuple(sizes[sample] for sample in batch.samples.tolist())
            steps[batch.step][rank].append(Batch(found, batch.repeat))
    return steps


def measured_plans(table: Table, seeds: Sequence[int], names: Sequence[str]) -> Iterator[Any]:
    """Yield a record for each scale, seed and policy."""
    for scale, recipe in SCALES.items():
        for seed in seeds:
            epoch = Epoch.of(table, recipe, seed)
            budget = budget_of(epoch)
            for name in names:
                plan = epoch.plan(POLICIES[name](epoch, budget))
                steps = steps_of(plan, RANKS, epoch)
                yield {
                    "record": "planned",
                    "scale": scale,
                    "seed": seed,
                    "policy": name,
                    "budget": budget,
                    **accounts.figures(steps, budget).as_record(),
                    **served(plan, len(table)),
                }


def served(plan: EpochPlan, count: int) -> dict[str, int]:
    """Return how many samples an epoch leaves out, and how many come again."""
    kept = [plan.batches.entries(b) for b in range(len(plan.batches)) if not plan.repeats[b]]
    times = np.bincount(plan.samples[np.concatenate(kept)], minlength=count)
    return {"missing": int((times == 0).sum()), "again": int((times[times > 1] - 1).sum())}


def planning(table: Table, scale: str, name: str, count: int, repeat: int) -> dict[str, Any]:
    """Return what planning costs in this process: seconds, and growth of the resident peak."""
    large = table.resampled(count)
    pixels = budget_of(Epoch.of(table, SCALES[scale], 0))
    provenance.reset_peak()
    before = provenance.resident().get("now", 0)
    start = time.perf_counter()
    epoch = Epoch.of(large, SCALES[scale], 0)
    sizes_seconds = time.perf_counter() - start
    sizes_bytes = provenance.resident().get("peak", 0) - before
    provenance.reset_peak()
    before = provenance.resident().get("now", 0)
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        plan = epoch.plan(POLICIES[name](epoch, pixels))
        seconds.append(time.perf_counter() - start)
    return {
        "record": "planning",
        "scale": scale,
        "policy": name,
        "images": count,
        "sizes_seconds": sizes_seconds,
        "sizes_bytes": sizes_bytes,
        "plan_seconds": seconds,
        "plan_bytes": provenance.resident().get("peak", 0) - before,
        "steps": len(plan),
    }
