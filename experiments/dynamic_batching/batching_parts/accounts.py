"""What batches come to, from their images' sizes alone.

Shares no code with the planner: a mistake there shows here. Plain Python on whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

STRIDE = 32
#: Shares of the budget are counted in bins of this width, up to twice the budget.
BIN, BINS = 0.05, 40


@dataclass(frozen=True)
class Batch:
    """One batch of one rank.

    Attributes:
        sizes: width and height of each image, pixels.
        filler: whether it is there only so that a rank has something to do.
    """

    sizes: tuple[tuple[int, int], ...]
    filler: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Padded height and width, pixels."""
        return up(max(h for _, h in self.sizes)), up(max(w for w, _ in self.sizes))

    @property
    def padded(self) -> int:
        """Pixels, padding included."""
        height, width = self.shape
        return len(self.sizes) * height * width

    @property
    def real(self) -> int:
        """Pixels of the images themselves; a filler's were counted elsewhere."""
        return 0 if self.filler else sum(w * h for w, h in self.sizes)


#: For each rank the batches of one step.
Step = Sequence[Sequence[Batch]]


@dataclass(frozen=True)
class Figures:
    """What an epoch comes to; pixels are padded ones unless it says otherwise."""

    batches: int
    steps: int
    images_per_batch: float
    most_images: int
    efficiency: float
    peak: int
    over: int
    worst: float
    balance: float
    shapes: int
    shapes_n: int
    shares: tuple[int, ...]

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


def up(side: int) -> int:
    """Return a side padded to the stride."""
    return (side + STRIDE - 1) // STRIDE * STRIDE


def figures(steps: Sequence[Step], budget: float) -> Figures:
    """Account for an epoch.

    Args:
        steps: all ranks' batches, step by step.
        budget: padded pixels that a batch should not exceed.
    """
    every = [batch for step in steps for rank in step for batch in rank]
    own = [batch for batch in every if not batch.filler]
    costs = [batch.padded for batch in every]
    shares = [0] * BINS
    for cost in costs:
        # A full budget belongs to the bin below it.
        shares[min(max(-int(-cost / budget // BIN) - 1, 0), BINS - 1)] += 1
    images = sum(len(batch.sizes) for batch in own)
    return Figures(
        batches=len(own),
        steps=len(steps),
        images_per_batch=images / len(own),
        most_images=max(len(batch.sizes) for batch in own),
        efficiency=sum(batch.real for batch in every) / sum(costs),
        peak=max(costs),
        over=sum(cost > budget for cost in costs),
        worst=max(costs) / budget,
        balance=balance(steps),
        shapes=len({batch.shape for batch in every}),
        shapes_n=len({(len(batch.sizes), *batch.shape) for batch in every}),
        shares=tuple(shares),
    )


def balance(steps: Sequence[Step]) -> float:
    """Return useful work over the work for which ranks were held: 1 if none ever waits."""
    useful = held = 0
    for step in steps:
        useful += sum(batch.padded for rank in step for batch in rank if not batch.filler)
        held += len(step) * max(sum(batch.padded for batch in rank) for rank in step)
    return useful / held
