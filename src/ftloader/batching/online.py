"""Batches under a memory budget, made from a stream while it runs.

For streams whose sizes nobody knows in advance: archives read once, images from a queue. Where
sizes are known, plan the epoch instead (:func:`~ftloader.batching.plan_epoch`): it packs better,
shares batches over ranks, and can be resumed. The bound is the same, and as hard: a batch is tried
with one image more *before* that is added to it.

Images wait in cells of like shape, and a batch leaves when its cell has no room for the next image.
When as many wait as may, or one has waited long, all of them are packed together, best fit, and the
batches leave one by one as room is needed. So no image waits for ever, batches stay large however
few may wait, and the stage behind is served steadily.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from ftloader.batching.cost import CostModel, Load, PaddedPixels
from ftloader.batching.packing import Packer
from ftloader.batching.policies import one_of, require
from ftloader.errors import DataError, PlanError
from ftloader.sizes import LONGEST_SIDE

logger: Final = logging.getLogger("ftloader")

Size = tuple[int, int, int]

#: An image leaves before so many times ``max_pending`` others have come.
PATIENCE: Final = 8


def sample_size(item: Any) -> Size:
    """Return width and height in pixels and the number of objects of a sample.

    Args:
        item: has ``image`` (H, W, …) and ``boxes`` (N, …), as :class:`ftloader.detection.Sample`.
    """
    height, width = item.image.shape[:2]
    return int(width), int(height), len(item.boxes)


@dataclass(frozen=True, slots=True)
class OnlineBudget:
    """Groups a stream's items into lists that a memory budget holds: give it to ``aggregate``.

    ::

        pipeline = Pipeline(stream).pipe(load, concurrency=8).aggregate(OnlineBudget(8_600_000))

    Attributes:
        budget: what a batch may cost at most, in the units of ``cost``.
        cost: how cost is reckoned; padded pixels by default.
        max_images: images per batch at most.
        stride: padded sides are multiples of this, pixels.
        cell: images whose sides round up to the same multiple of this are put together, pixels.
            Larger cells fill sooner and waste more.
        max_pending: images that may wait; the more, the less padding. They are held in memory. None
            waits for more than 8 times as many others.
        oversize: what happens to an image that is over the budget by itself. ``"raise"``: an error
            names it. ``"skip"``: it is left out, and how many were is logged as a warning at the
            end.
        size_of: called with an item, returns its width and height in pixels and how many objects
            it has; for detection samples by default.

    Raises:
        PlanError: a setting cannot be.

    Thread safety: immutable; every run gets an aggregator of its own.
    Determinism: a stream in the same order gives the same batches in the same order.
    """

    budget: float
    cost: CostModel = field(default=PaddedPixels())
    max_images: int = 32
    stride: int = 32
    cell: int = 64
    max_pending: int = 1024
    oversize: Literal["raise", "skip"] = "raise"
    size_of: Callable[[Any], Size] = sample_size

    def __post_init__(self) -> None:
        if isinstance(self.budget, bool) or not 0 < self.budget < float("inf"):
            raise PlanError(f"OnlineBudget: budget must be above 0, not {self.budget}")
        if not isinstance(self.cost, CostModel):
            raise PlanError(f"OnlineBudget: cost must have unit and cost(load), not {self.cost!r}")
        for name in ("max_images", "stride", "cell", "max_pending"):
            require(self, name, getattr(self, name), 1)
        one_of(self, "oversize", self.oversize, ("raise", "skip"))
        if not callable(self.size_of):
            raise PlanError(
                f"OnlineBudget: size_of is called with an item, {self.size_of!r} cannot be"
            )

    @property
    def __name__(self) -> str:
        """How a pipeline prints the rule."""
        return f"memory budget of {self.budget:,.0f} {self.cost.unit}"

    def __call__(self) -> BudgetAggregator:
        """Return an aggregator for one run."""
        return BudgetAggregator(self)


class _Waiting(NamedTuple):
    """An item and what is known of it."""

    item: Any
    #: How many had been taken in before it.
    number: int
    #: Padded to the stride, pixels.
    height: int
    width: int
    boxes: int
    #: Real pixels.
    area: int


@dataclass(slots=True)
class _Cell:
    """A batch in the making."""

    waiting: list[_Waiting] = field(default_factory=list)
    height: int = 0
    width: int = 0
    boxes: int = 0
    most: int = 0

    def load(self, one: _Waiting) -> Load:
        """Return what the batch would ask of memory with one more."""
        return Load(
            len(self.waiting) + 1,
            max(self.height, one.height),
            max(self.width, one.width),
            self.boxes + one.boxes,
            max(self.most, one.boxes),
        )

    def add(self, one: _Waiting) -> None:
        self.waiting.append(one)
        self.height, self.width = max(self.height, one.height), max(self.width, one.width)
        self.boxes, self.most = self.boxes + one.boxes, max(self.most, one.boxes)


class BudgetAggregator:
    """Groups the items of one run; made by :class:`OnlineBudget`.

    Attributes:
        rule: its settings.
        pending: items that wait.
        skipped: items left out because they were over the budget by themselves.

    Thread safety: none; one thread at a time, as pipelines use it.
    """

    def __init__(self, rule: OnlineBudget) -> None:
        self.rule = rule
        self.pending = 0
        self.skipped = 0
        self._taken = 0
        self._told = 0
        # In order of their first item, which makes everything here repeatable.
        self._cells: dict[tuple[int, int], _Cell] = {}
        self._packed: list[list[_Waiting]] = []
        self._packer = Packer(rule.cost, rule.budget, rule.max_images)

    def add(self, item: Any) -> Iterable[list[Any]]:
        """Take one item; return the batches that left for it, often none.

        Raises:
            PlanError: the item is over the budget by itself, and the rule says ``"raise"``.
            DataError: its size cannot be.
        """
        number, self._taken = self._taken, self._taken + 1
        one, place = self._measured(item, number)
        if not self._fits(_Cell(), one):
            if self.rule.oversize == "raise":
                raise PlanError(self._refusal(one, number))
            self.skipped += 1
            return []
        return self._take(one, place)

    def _take(self, one: _Waiting, place: tuple[int, int]) -> list[list[Any]]:
        """Put an item that fits into its cell; return what leaves for it."""
        ready = []
        cell = self._cells.get(place)
        if cell is not None and not self._fits(cell, one):
            ready.append(self._leave(self._cells.pop(place).waiting))
        if self.pending == self.rule.max_pending or self._is_late(one.number):
            ready.append(self._room())
        cell = self._cells.setdefault(place, _Cell())
        cell.add(one)
        self.pending += 1
        if len(cell.waiting) == self.rule.max_images:
            ready.append(self._leave(self._cells.pop(place).waiting))
        return ready

    def flush(self) -> Iterable[list[Any]]:
        """Return everything that waits, packed.

        A pipeline flushes at the end, and before an item that failed; more items may follow then.
        """
        left = [one for group in self._packed for one in group]
        self._packed = []
        ready = [self._leave(group) for group in self._pack(left)]
        if self.skipped > self._told:
            self._told = self.skipped
            logger.warning(
                "OnlineBudget: %d of %d images were over the budget of %s %s by themselves and "
                "left out",
                *(self.skipped, self._taken, f"{self.rule.budget:,.0f}", self.rule.cost.unit),
            )
        return ready

    def _is_late(self, number: int) -> bool:
        """Tell whether the item that has waited longest must leave before this one comes."""
        if self._packed:  # what was packed is older than what came since
            oldest = min(one.number for one in self._packed[-1])
        elif self._cells:
            oldest = next(iter(self._cells.values())).waiting[0].number
        else:
            return False
        return number - oldest >= PATIENCE * self.rule.max_pending

    def _room(self) -> list[Any]:
        """Return the next batch of those packed, and pack what waits if there is none."""
        if not self._packed:
            self._packed = self._pack([])[::-1]
        return self._leave(self._packed.pop())

    def _pack(self, before: list[_Waiting]) -> list[list[_Waiting]]:
        """Empty the cells and pack what was in them, best fit, together with others."""
        waiting = before + [one for cell in self._cells.values() for one in cell.waiting]
        waiting.sort(key=lambda one: one.number)
        self._cells.clear()
        if not waiting:
            return []
        columns = [(one.height, one.width, one.boxes, one.area) for one in waiting]
        groups = self._packer.pack(*np.array(columns, np.int64).T)
        # By their oldest item: otherwise large images would leave before small ones.
        groups.sort(key=lambda group: int(group.min()))
        return [[waiting[place] for place in group] for group in groups]

    def _leave(self, group: list[_Waiting]) -> list[Any]:
        self.pending -= len(group)
        return [one.item for one in group]

    def _fits(self, cell: _Cell, one: _Waiting) -> bool:
        return bool(self.rule.cost.cost(cell.load(one)) <= self.rule.budget)

    def _measured(self, item: Any, number: int) -> tuple[_Waiting, tuple[int, int]]:
        """Return an item with its sizes, and the cell that it belongs to."""
        size = self.rule.size_of(item)
        try:
            width, height, boxes = (operator.index(value) for value in size)
            possible = 0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE and boxes >= 0
        except (TypeError, ValueError):
            possible = False
        if not possible:
            raise DataError(
                f"OnlineBudget: {_name(item, number)}: size_of must return width, height and "
                f"number of boxes, not {size!r}"
            )
        stride, edge = self.rule.stride, self.rule.cell
        padded = (-(-height // stride) * stride, -(-width // stride) * stride)
        one = _Waiting(item, number - self.skipped, *padded, boxes, width * height)
        return one, (-(-padded[0] // edge), -(-padded[1] // edge))

    def _refusal(self, one: _Waiting, number: int) -> str:
        rule = self.rule
        cost = float(rule.cost.cost(_Cell().load(one)))
        return (
            f"{_name(one.item, number)} ({one.width} x {one.height} padded, {one.boxes} boxes) "
            f"costs {cost:,.0f} {rule.cost.unit} by itself, over the budget of "
            f"{rule.budget:,.0f}; raise the budget, or choose oversize='skip'"
        )


def _name(item: Any, number: int) -> str:
    """Return what names an item: its key, as pipelines have it, or its position."""
    for name in ("key", "__key__"):
        value = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
        if isinstance(value, str | int):
            return f"item {number} ({value})"
    return f"item {number}"
