"""What a plan means for training, in figures.

Counted over the batches that the ranks are given, not over those that the plan was made of: where
a step does not divide evenly, batches are cut. Pure: the same plan gives the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ftloader.batching import Batches, CostModel, EpochPlan, HostBytes, RankPlan
from ftloader.inspect.statistics import Spread
from ftloader.planreport.worlds import World, balance_of, world_of

#: Bins of the histogram of costs, from 0 to the budget; what is above has bins as wide, but no more
#: than there can be, the last of which is open.
COST_BINS: Final = 20
MOST_BINS: Final = 10 * COST_BINS
#: Samples listed by name.
LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class Budget:
    """What a batch may cost.

    Attributes:
        amount: in units of the model.
        model: what costs are counted with.
        counts: what that is, for people.
        origin: where the amount comes from, for people.
    """

    amount: float
    model: CostModel
    counts: str
    origin: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A padded shape, and what comes in it.

    Attributes:
        height: pixels.
        width: pixels.
        batches: that are padded to it.
        images: in them.
        efficiency: share of real pixels in them.
    """

    height: int
    width: int
    batches: int
    images: int
    efficiency: float


@dataclass(frozen=True, slots=True)
class Costliest:
    """The batch that costs most.

    Attributes:
        step: counted from 0.
        rank: counted from 0.
        height: padded, pixels.
        width: padded, pixels.
        images: how many.
        boxes: objects of all images.
        cost: in units of the model.
        samples: positions in the data set.
        sizes: width and height of each image, pixels.
    """

    step: int
    rank: int
    height: int
    width: int
    images: int
    boxes: int
    cost: float
    samples: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What becomes of the samples.

    Attributes:
        entries: that the sampler gave.
        images: that count, over all batches; more than there are samples where some count twice.
        dropped_by_recipe: entries that the recipe drops.
        dropped: entries that no batch or no whole step was left for.
        repeated: images that count and had been served before as the same entry.
        skipped: entries left out because they are over the budget by themselves.
        downscaled: entries that were over the budget by themselves and are planned smaller.
    """

    entries: int
    images: int
    dropped_by_recipe: int
    dropped: int
    repeated: int
    skipped: int
    downscaled: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A plan in figures; batches of weight 0 are left out of what counts images.

    Attributes:
        steps: optimizer steps of the epoch.
        batches_per_step: over all ranks.
        efficiency: real pixels that count, by padded pixels of all batches.
        over_budget: batches that cost more than the budget.
        images_per_batch: spread.
        images_by_count: how many batches have 0, 1, 2, … images.
        images_per_step: spread.
        padded: pixels of a batch, spread.
        cost: of a batch, in units of the model, spread.
        cost_edges: of the histogram of cost by budget.
        cost_counts: batches in each bin.
        host_bytes: what the largest batch takes in host memory, as uint8 images and boxes.
        costliest: the batch that costs most.
        shapes: padded height and width, the most batches first.
        shapes_with_images: how many different numbers of images, heights and widths there are.
        step_balance: float64 (steps,), of the asked number of ranks; see :class:`World`.
        world: of the asked number of ranks.
        worlds: of numbers of ranks that can share a step.
        served: what becomes of the samples.
    """

    steps: int
    batches_per_step: int
    efficiency: float
    over_budget: int
    images_per_batch: Spread
    images_by_count: tuple[int, ...]
    images_per_step: Spread
    padded: Spread
    cost: Spread
    cost_edges: tuple[float, ...]
    cost_counts: tuple[int, ...]
    host_bytes: int
    costliest: Costliest
    shapes: tuple[Shape, ...]
    shapes_with_images: int
    step_balance: tuple[float, ...]
    world: World
    worlds: tuple[World, ...]
    served: Served

    @property
    def batches(self) -> int:
        """How many batches all ranks are given in the epoch."""
        return self.world.batches


def figures(plan: EpochPlan, budget: Budget, ranks: int, others: Sequence[int] = ()) -> Figures:
    """Describe a plan.

    Args:
        plan: of an epoch with at least one step.
        budget: what batches are held against; for a policy that has one, the same.
        ranks: how many share a step.
        others: further numbers of ranks to look at.

    Raises:
        PlanError: so many ranks cannot share a step.
    """
    first = plan.ranks(ranks)[0]
    batches, counts = first.batches, ~first.repeats
    costs = batches.costs(budget.model)
    images = batches.images[counts]
    edges, histogram = _histogram(costs / budget.amount)
    step_images = np.bincount(first.steps, np.where(counts, batches.images, 0))
    balance = balance_of(first)
    world = world_of(first, balance)
    worlds = {ranks: world} | {n: world_of(plan.ranks(n)[0]) for n in others if n != ranks}
    heights, widths = batches.heights[counts], batches.widths[counts]
    spreads = [Spread.of(v) for v in (images, step_images.astype(np.int64), batches.padded, costs)]
    per_batch, per_step, padded, cost = (one for one in spreads if one is not None)
    return Figures(
        steps=len(plan),
        batches_per_step=plan.batches_per_step,
        efficiency=float(batches.areas[counts].sum() / batches.padded.sum()),
        over_budget=int(np.count_nonzero(costs > budget.amount)),
        images_per_batch=per_batch,
        images_by_count=tuple(np.bincount(images).tolist()),
        images_per_step=per_step,
        padded=padded,
        cost=cost,
        cost_edges=edges,
        cost_counts=histogram,
        host_bytes=int(batches.costs(HostBytes()).max()),
        costliest=_costliest(first, costs),
        shapes=_shapes(batches, counts),
        shapes_with_images=len(np.unique(np.stack([images, heights, widths]), axis=1).T),
        step_balance=tuple(balance.tolist()),
        world=world,
        worlds=tuple(worlds[n] for n in sorted(worlds)),
        served=_served(plan, first),
    )


def _histogram(shares: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Count shares of the budget: bins as wide above the budget as below, and closed above."""
    bins = int(np.ceil(np.clip(shares.max() * COST_BINS, COST_BINS, MOST_BINS)))
    # A batch that costs exactly the budget is within it.
    places = np.clip(np.ceil(shares * COST_BINS).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    return tuple((np.arange(bins + 1) / COST_BINS).tolist()), tuple(counts.tolist())


def _costliest(rank: RankPlan, costs: NDArray[np.float64]) -> Costliest:
    place = int(costs.argmax())
    entries, plan = rank.batches.entries(place), rank.plan
    return Costliest(
        step=int(rank.steps[place]),
        rank=int(rank.owners[place]),
        height=int(rank.batches.heights[place]),
        width=int(rank.batches.widths[place]),
        images=len(entries),
        boxes=int(rank.batches.boxes[place]),
        cost=float(costs[place]),
        samples=tuple(plan.samples[entries].tolist()),
        sizes=tuple(
            zip(
                plan.sizes.widths[entries].tolist(),
                plan.sizes.heights[entries].tolist(),
                strict=True,
            )
        ),
    )


def _shapes(batches: Batches, counts: NDArray[np.bool_]) -> tuple[Shape, ...]:
    """Return the padded shapes of the batches that count, the most frequent first."""
    sides = np.stack([batches.heights, batches.widths], axis=1)[counts]
    kinds, which = np.unique(sides, axis=0, return_inverse=True)
    columns = [batches.images, batches.areas, batches.padded]
    images, areas, padded = (np.bincount(which.ravel(), column[counts]) for column in columns)
    found = np.bincount(which.ravel())
    return tuple(
        Shape(
            int(kinds[kind, 0]),
            int(kinds[kind, 1]),
            int(found[kind]),
            int(images[kind]),
            float(areas[kind] / padded[kind]),
        )
        for kind in np.argsort(-found, kind="stable")
    )


def _served(plan: EpochPlan, rank: RankPlan) -> Served:
    parts = np.repeat(~rank.repeats, rank.batches.images)
    entries = rank.batches.members[parts]
    actions = [one.action for one in plan.oversized]
    return Served(
        entries=len(plan.samples),
        images=len(entries),
        dropped_by_recipe=int(np.count_nonzero(~plan.sizes.kept)),
        dropped=len(np.setdiff1d(plan.dropped, entries)),
        repeated=len(entries) - len(np.unique(entries)),
        skipped=actions.count("skip"),
        downscaled=actions.count("downscale"),
    )
