"""What one rank does in an epoch: its batches, step by step, with weights for right gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ftloader.batching.batches import Batches
from ftloader.batching.cost import Costs
from ftloader.batching.steps import fairly, split

if TYPE_CHECKING:
    from ftloader.batching.packing import Places
    from ftloader.batching.plan import EpochPlan


@dataclass(frozen=True, slots=True, eq=False)
class PlannedBatch:
    """One batch of one rank.

    A model's loss is usually a mean over the batch, and DistributedDataParallel averages gradients
    over ranks. Multiplied with ``weight``, the losses of unequal batches add up to the gradient of
    the mean over all images of the step: ``world_size * images / images of the step``. Use
    ``box_weight`` for a loss that is a mean over objects.

    Attributes:
        step: counted from 0.
        rank: whose batch it is.
        micro: which of the rank's batches in this step, counted from 0.
        micros: how many batches the rank has in this step.
        samples: int64 (n,), positions in the data set.
        draws: int64 (n,), how often each had come before in this epoch.
        sizes: int32 (n, 2), planned width and height of each image, pixels.
        height: of the batch after padding, pixels.
        width: of the batch after padding, pixels.
        boxes: objects of all images, as planned.
        cost: in units of the plan's cost model.
        weight: what to multiply a mean over images with; 0 for a repeated batch.
        box_weight: what to multiply a mean over objects with; 0 for a repeated batch.
        step_images: images that count in this step, over all ranks.
        step_boxes: objects that count in this step, over all ranks, as planned.
        repeat: whether it only fills a place: its samples are served elsewhere.
    """

    step: int
    rank: int
    micro: int
    micros: int
    samples: NDArray[np.int64]
    draws: NDArray[np.int64]
    sizes: NDArray[np.int32]
    height: int
    width: int
    boxes: int
    cost: float
    weight: float
    box_weight: float
    step_images: int
    step_boxes: int
    repeat: bool

    def __len__(self) -> int:
        """How many images it has."""
        return len(self.samples)


@dataclass(frozen=True, slots=True, eq=False)
class RankPlan:
    """The batches of one rank; iterate to get them in turn, each a :class:`PlannedBatch`.

    Attributes:
        plan: of the epoch.
        rank: counted from 0.
        world_size: how many ranks there are.
        batches: of all ranks, step after step.
        repeats: bool, for each of them.
        owners: int64, the rank of each of them.
        mine: int64, which of them are this rank's.

    Thread safety: immutable; each iteration is its own.
    """

    plan: EpochPlan
    rank: int
    world_size: int
    batches: Batches
    repeats: NDArray[np.bool_]
    owners: NDArray[np.int64]
    steps: NDArray[np.int64]
    costs: Costs
    mine: NDArray[np.int64]

    def __len__(self) -> int:
        """How many batches this rank has; at least one per step."""
        return len(self.mine)

    def __iter__(self) -> Iterator[PlannedBatch]:
        return self.since(0)

    def from_step(self, step: int) -> Iterator[PlannedBatch]:
        """Yield the batches from a step on: costs nothing for those before."""
        return self.since(int(np.searchsorted(self.steps[self.mine], step)))

    def since(self, batch: int) -> Iterator[PlannedBatch]:
        """Yield the batches from a number on, counted from 0 in this rank's plan."""
        steps = self.steps[self.mine]
        bounds = np.searchsorted(steps, np.arange(len(self.plan) + 1))
        images, boxes = self._totals()
        for place in range(batch, len(self)):
            step = int(steps[place])
            micro, micros = place - int(bounds[step]), int(bounds[step + 1] - bounds[step])
            yield self._batch(
                int(self.mine[place]), micro, micros, int(images[step]), int(boxes[step])
            )

    def _totals(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the images and the objects of every step that count."""
        count = np.where(self.repeats, 0, self.batches.images)
        boxes = np.where(self.repeats, 0, self.batches.boxes)
        images = np.zeros(len(self.plan), np.int64)
        objects = np.zeros(len(self.plan), np.int64)
        np.add.at(images, self.steps, count)
        np.add.at(objects, self.steps, boxes)
        return images, objects

    def _batch(
        self, place: int, micro: int, micros: int, step_images: int, step_boxes: int
    ) -> PlannedBatch:
        entries, plan = self.batches.entries(place), self.plan
        repeat = bool(self.repeats[place])
        boxes = int(self.batches.boxes[place])
        weight = 0.0 if repeat else self.world_size * len(entries) / step_images
        by_box = self.world_size * boxes / step_boxes if step_boxes else weight
        return PlannedBatch(
            step=int(self.steps[place]),
            rank=self.rank,
            micro=micro,
            micros=micros,
            samples=plan.samples[entries],
            draws=plan.draws[entries],
            sizes=np.stack([plan.sizes.widths[entries], plan.sizes.heights[entries]], 1),
            height=int(self.batches.heights[place]),
            width=int(self.batches.widths[place]),
            boxes=boxes,
            cost=float(self.costs[place]),
            weight=weight,
            box_weight=0.0 if repeat else by_box,
            step_images=step_images,
            step_boxes=step_boxes,
            repeat=repeat,
        )


def rank_plans(plan: EpochPlan, world_size: int) -> list[RankPlan]:
    """Share out every step: equal numbers of steps, nearly equal costs, no batch over the budget.

    Where ranks cannot have equally many batches of a step, the costliest are halved until they can.
    """
    stride, sizes, model = plan.policy.stride, plan.sizes, plan.cost_model
    per_rank = -(-plan.batches_per_step // world_size)
    batches, repeats = plan.batches, plan.repeats
    steps = np.repeat(np.arange(len(plan)), plan.batches_per_step)
    if per_rank * world_size != plan.batches_per_step and len(plan):
        groups, flags, numbers = _cut(plan, per_rank * world_size)
        batches = Batches.of(groups, sizes, stride)
        repeats, steps = np.array(flags, np.bool_), np.array(numbers, np.int64)
    costs = batches.costs(model)
    bounds = np.searchsorted(steps, np.arange(len(plan) + 1))
    owners = np.zeros(len(batches), np.int64)
    for step in range(len(plan)):
        part = slice(bounds[step], bounds[step + 1])
        owners[part] = fairly(costs[part], world_size, step % world_size)
    return [
        RankPlan(
            plan=plan,
            rank=rank,
            world_size=world_size,
            batches=batches,
            repeats=repeats,
            owners=owners,
            steps=steps,
            costs=costs,
            mine=np.flatnonzero(owners == rank),
        )
        for rank in range(world_size)
    ]


def _cut(plan: EpochPlan, wanted: int) -> tuple[list[Places], list[bool], list[int]]:
    """Split the batches of every step into as many as are wanted."""
    model = plan.cost_model
    costs = Batches.costing(plan.sizes, plan.policy.stride, model)
    known = plan.batches.costs(model)
    groups: list[Places] = []
    flags: list[bool] = []
    numbers: list[int] = []
    size = plan.batches_per_step
    for step in range(len(plan)):
        places = range(step * size, (step + 1) * size)
        real = [place for place in places if not plan.repeats[place]]
        fillers = [plan.batches.entries(place) for place in places if plan.repeats[place]]
        whole = [plan.batches.entries(place) for place in real]
        parts = split(whole, known[real], wanted - len(fillers), costs) + fillers
        groups += parts
        flags += [False] * (len(parts) - len(fillers)) + [True] * len(fillers)
        numbers += [step] * len(parts)
    return groups, flags, numbers
