"""Rules by which an epoch is cut into batches: immutable values that a plan is compared by.

A policy says which samples go together; what becomes of the groups (steps, ranks, weights) is the
same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from ftloader.batching.cost import CostModel, PaddedPixels
from ftloader.errors import PlanError

Tail = Literal["fill", "drop"]
Oversize = Literal["raise", "skip", "downscale"]
AspectStyle = Literal["detectron2", "mmdet", "torchvision"]

#: Samples planned together. More pack better, up to a few thousand; memory and time go with it.
WINDOW = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What all policies have.

    Attributes:
        stride: padded sides are multiples of this, pixels: the largest stride of the network, or
            more, for fewer distinct shapes (compiled models).
        tail: what happens where batches do not come out even for all ranks. ``"fill"``: every
            sample is served; batches are split, and where there are fewer samples than places,
            some are repeated with weight 0. ``"drop"``: what does not make a whole step is left
            out, and counted.
    """

    stride: int = 32
    tail: Tail = "fill"

    def __post_init__(self) -> None:
        require(self, "stride", self.stride, 1)
        one_of(self, "tail", self.tail, get_args(Tail))


@dataclass(frozen=True, slots=True)
class FixedSize(_Shared):
    """Batches of a number of images, in the order of the sampler.

    Attributes:
        batch_size: images per batch.

    Raises:
        PlanError: a setting cannot be.
    """

    batch_size: int

    def __post_init__(self) -> None:
        _Shared.__post_init__(self)
        require(self, "batch_size", self.batch_size, 1)


@dataclass(frozen=True, slots=True)
class AspectGroups(_Shared):
    """Batches of a number of images of like shape, as detection libraries make them.

    The baselines. They group by the images' sizes before augmentation, and mean no bound on memory.

    Attributes:
        batch_size: images per batch.
        style: whose rules. ``"detectron2"``: landscape or not; what is left in the groups is
            dropped. ``"mmdet"``: portrait or not; what is left goes together. ``"torchvision"``:
            2 k + 1 edges of width over height from 1/2 to 2; what is left is filled up with images
            that were served already.
        k: of torchvision's edges.

    Raises:
        PlanError: a setting cannot be.
    """

    batch_size: int
    style: AspectStyle = "mmdet"
    k: int = 3

    def __post_init__(self) -> None:
        _Shared.__post_init__(self)
        require(self, "batch_size", self.batch_size, 1)
        one_of(self, "style", self.style, get_args(AspectStyle))
        require(self, "k", self.k, 0)


@dataclass(frozen=True, slots=True)
class GivenBatches(_Shared):
    """Batches as somebody else made them, a batch sampler of torch's for instance.

    Attributes:
        batches: positions in the order of the plan's samples, a tuple for each batch.

    Raises:
        PlanError: a setting cannot be, or a batch is empty.
    """

    batches: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        _Shared.__post_init__(self)
        for place, batch in enumerate(self.batches):
            if not batch:
                raise PlanError(f"GivenBatches: batch {place} is empty")


@dataclass(frozen=True, slots=True)
class MemoryBudget(_Shared):
    """As many images per batch as a memory budget holds, of shapes that need little padding.

    The bound is hard: a batch is tried with one image more *before* that is added to it.

    Attributes:
        budget: what a batch on one rank may cost at most, in the units of ``cost``.
        cost: how cost is reckoned; padded pixels by default.
        max_images: images per batch at most.
        oversize: what happens to a sample that is over the budget by itself. ``"raise"``: the plan
            is refused, and names it. ``"skip"``: it is left out, and listed. ``"downscale"``: it is
            planned at the largest size that fits, and listed.
        window: samples that are planned together.

    Raises:
        PlanError: a setting cannot be.
    """

    budget: float
    cost: CostModel = field(default=PaddedPixels())
    max_images: int = 32
    oversize: Oversize = "raise"
    window: int = WINDOW

    def __post_init__(self) -> None:
        _Shared.__post_init__(self)
        if isinstance(self.budget, bool) or not 0 < self.budget < float("inf"):
            raise PlanError(f"MemoryBudget: budget must be above 0, not {self.budget}")
        if not isinstance(self.cost, CostModel):
            raise PlanError(f"MemoryBudget: cost must have unit and cost(load), not {self.cost!r}")
        require(self, "max_images", self.max_images, 1)
        require(self, "window", self.window, 1)
        one_of(self, "oversize", self.oversize, get_args(Oversize))


Policy = FixedSize | AspectGroups | GivenBatches | MemoryBudget


def require(owner: object, name: str, value: object, least: int) -> None:
    """Raise ``PlanError`` unless ``value`` is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        kind = owner if isinstance(owner, str) else type(owner).__name__
        raise PlanError(f"{kind}: {name} must be a whole number from {least} on, not {value!r}")


def one_of(owner: object, name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ``PlanError`` unless ``value`` is one of those allowed."""
    if value not in allowed:
        names = ", ".join(repr(one) for one in allowed)
        raise PlanError(f"{type(owner).__name__}: {name} must be one of {names}, not {value!r}")
