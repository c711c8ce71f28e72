"""The memory budget applied to an epoch: what fits at all, and what goes together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftloader.batching.cost import CostModel, Costs, Load
from ftloader.batching.packing import Packer, Places, rounded_up
from ftloader.batching.policies import MemoryBudget, Oversize
from ftloader.errors import PlanError
from ftloader.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Oversized:
    """A sample that is over the budget by itself.

    Attributes:
        entry: its place in the plan.
        sample: its position in the data set.
        size: width and height before, pixels.
        cost: of the sample alone, in units of the cost model.
        action: what was done, ``"skip"`` or ``"downscale"``.
        planned: width and height that it is planned at; None if it is skipped.
    """

    entry: int
    sample: int
    size: tuple[int, int]
    cost: float
    action: Oversize
    planned: tuple[int, int] | None


def fitting(
    sizes: Sizes, served: Places, policy: MemoryBudget, samples: NDArray[np.int64]
) -> tuple[Sizes, Places, tuple[Oversized, ...]]:
    """See to the samples that are over the budget by themselves, as the policy says.

    Returns:
        The sizes to plan with, the entries to serve, and what was done to the others.

    Raises:
        PlanError: the policy is to raise, or a sample is over the budget at any size.
    """
    here = sizes.take(served)
    costs = alone(here, policy.stride, policy.cost)
    over = np.flatnonzero(~(costs <= policy.budget))
    if not over.size:
        return sizes, served, ()
    if policy.oversize == "raise":
        raise PlanError(_refusal(here, samples[served], costs, over, policy))
    planned: list[tuple[int, int] | None] = [None] * len(over)
    keep = np.ones(len(served), np.bool_)
    if policy.oversize == "skip":
        keep[over] = False
    else:
        widths, heights = sizes.widths.copy(), sizes.heights.copy()
        for place, row in enumerate(over):
            size = _shrunk(here, int(row), policy, int(samples[served[row]]))
            widths[served[row]], heights[served[row]] = size
            planned[place] = size
        sizes = Sizes.of(widths, heights, sizes.boxes)
    found = tuple(
        Oversized(
            entry=int(served[row]),
            sample=int(samples[served[row]]),
            size=(int(here.widths[row]), int(here.heights[row])),
            cost=float(costs[row]),
            action=policy.oversize,
            planned=size,
        )
        for row, size in zip(over, planned, strict=True)
    )
    return sizes, served[keep], found


def packed(sizes: Sizes, served: Places, policy: MemoryBudget) -> list[list[Places]]:
    """Return the batches of each window."""
    packer = Packer(policy.cost, policy.budget, policy.max_images)
    windows = np.array_split(served, max(1, -(-len(served) // policy.window)))
    result = []
    for window in windows:
        here = sizes.take(window)
        groups = packer.pack(
            rounded_up(here.heights, policy.stride),
            rounded_up(here.widths, policy.stride),
            here.boxes.astype(np.int64),
            here.areas,
        )
        result.append([window[group] for group in groups])
    return result


def alone(sizes: Sizes, stride: int, model: CostModel) -> Costs:
    """Return what each sample costs in a batch of its own: float64 (N,)."""
    high, wide = rounded_up(sizes.heights, stride), rounded_up(sizes.widths, stride)
    costs = np.asarray(model.cost(Load(1, high, wide, sizes.boxes, sizes.boxes)), np.float64)
    return np.broadcast_to(costs, sizes.heights.shape)


def _shrunk(sizes: Sizes, row: int, policy: MemoryBudget, sample: int) -> tuple[int, int]:
    """Return the largest size of the same shape that fits the budget."""
    width, height = int(sizes.widths[row]), int(sizes.heights[row])
    long = max(width, height)
    # All longer sides at once: cheaper than thinking, and rare.
    sides = np.arange(1, long + 1)
    wide = np.maximum(1, sides * width // long)
    high = np.maximum(1, sides * height // long)
    boxes = np.full(long, sizes.boxes[row])
    costs = alone(Sizes.of(wide, high, boxes), policy.stride, policy.cost)
    fits = np.flatnonzero(costs <= policy.budget)
    if not fits.size:
        raise PlanError(
            f"sample {sample} ({width} x {height}, {boxes[0]} boxes) is over the budget of "
            f"{policy.budget:,.0f} {policy.cost.unit} at any size; raise the budget, or leave such "
            f"samples out with oversize='skip'"
        )
    return int(wide[fits[-1]]), int(high[fits[-1]])


def _refusal(
    sizes: Sizes,
    samples: NDArray[np.int64],
    costs: Costs,
    over: NDArray[np.int64],
    policy: MemoryBudget,
) -> str:
    worst = int(over[np.argmax(costs[over])])
    others = f" ({len(over)} samples are, this one most)" if len(over) > 1 else ""
    return (
        f"sample {samples[worst]} ({sizes.widths[worst]} x {sizes.heights[worst]}, "
        f"{sizes.boxes[worst]} boxes) costs {costs[worst]:,.0f} {policy.cost.unit} by itself, over "
        f"the budget of {policy.budget:,.0f}{others}; raise the budget, or choose "
        f"oversize='downscale' or 'skip'"
    )
