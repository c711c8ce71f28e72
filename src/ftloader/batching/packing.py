"""Packing samples into batches under a hard memory bound, with little padding.

Samples of one padded shape form a cell; whole batches are taken from one cell, where nothing is
padded but to the stride. What is left in the cells is packed greedily: the longest side first,
then whichever neighbour wastes least, best fit. Every addition is tried before it is made.

Deterministic and pure; the order inside a cell is the order given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ftloader.batching.cost import CostModel, Load

Places = NDArray[np.int64]


def rounded_up(sides: NDArray[np.integer], stride: int) -> NDArray[np.int64]:
    """Return sides padded to the next multiple of ``stride``, pixels."""
    return -(-sides.astype(np.int64) // stride) * stride


@dataclass(slots=True)
class _Batch:
    """A batch in the making."""

    height: int = 0
    width: int = 0
    boxes: int = 0
    most: int = 0
    images: int = 0
    real: int = 0
    parts: list[Places] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Packer:
    """Packs under one budget.

    Attributes:
        model: what things cost; monotone.
        budget: what a batch may cost at most.
        max_images: images per batch at most.
    """

    model: CostModel
    budget: float
    max_images: int

    def pack(
        self,
        heights: NDArray[np.int64],
        widths: NDArray[np.int64],
        boxes: NDArray[np.int64],
        areas: NDArray[np.int64],
    ) -> list[Places]:
        """Return the places of the samples of each batch, every place exactly once.

        Args:
            heights: padded to the stride, pixels; (N,).
            widths: the same.
            boxes: objects, (N,).
            areas: real pixels, (N,).

        Every sample must fit the budget by itself.
        """
        cells = _Cells(heights, widths, boxes, areas)
        batches = [part for cell in range(len(cells)) for part in self._whole(cells, cell)]
        while cells.rest.size:
            batches.append(self._mixed(cells))
        return batches

    def _whole(self, cells: _Cells, cell: int) -> Iterator[Places]:
        """Take from a cell the batches that one more image of it would break."""
        while True:
            batch = _Batch(int(cells.height[cell]), int(cells.width[cell]))
            count, broken = self._fits(cells, cell, batch)
            if not broken:
                return
            cells.take(cell, count, batch)
            yield batch.parts[0]

    def _mixed(self, cells: _Cells) -> Places:
        """Take one batch from what is left, of several cells."""
        batch = _Batch()
        cell = cells.longest()
        while True:
            batch.height = max(batch.height, int(cells.height[cell]))
            batch.width = max(batch.width, int(cells.width[cell]))
            count, _ = self._fits(cells, cell, batch)
            cells.take(cell, count, batch)
            found = self._best(cells, batch)
            if found is None:
                return np.concatenate(batch.parts)
            cell = found

    def _fits(self, cells: _Cells, cell: int, batch: _Batch) -> tuple[int, bool]:
        """Return how many of a cell fit a batch of that shape, and whether that is a limit."""
        first = cells.first[cell]
        room = min(int(cells.end[cell] - first), self.max_images - batch.images)
        boxes = cells.boxes[first : first + room]
        costs = self.model.cost(
            Load(
                batch.images + np.arange(1, room + 1),
                batch.height,
                batch.width,
                batch.boxes + np.cumsum(boxes),
                np.maximum(batch.most, np.maximum.accumulate(boxes)),
            )
        )
        count = int(np.count_nonzero(costs <= self.budget))
        return count, count < room or batch.images + count == self.max_images

    def _best(self, cells: _Cells, batch: _Batch) -> int | None:
        """Return the cell whose next sample leaves the least padding, if any fits."""
        rest = cells.rest
        if batch.images == self.max_images or not rest.size:
            return None
        height = np.maximum(cells.height[rest], batch.height)
        width = np.maximum(cells.width[rest], batch.width)
        first = cells.first[rest]
        boxes, images = cells.boxes[first], batch.images + 1
        load = Load(images, height, width, batch.boxes + boxes, np.maximum(batch.most, boxes))
        fits = self.model.cost(load) <= self.budget
        if not fits.any():
            return None
        filled = (batch.real + cells.areas[first]) / (height * width * images)
        return int(rest[np.where(fits, filled, -1.0).argmax()])


class _Cells:
    """Samples by padded shape, each cell a queue: ``first`` moves towards ``end``."""

    def __init__(
        self,
        heights: NDArray[np.int64],
        widths: NDArray[np.int64],
        boxes: NDArray[np.int64],
        areas: NDArray[np.int64],
    ) -> None:
        key = heights << 32 | widths
        self.places = np.argsort(key, kind="stable")
        kinds, self.first, counts = np.unique(
            key[self.places], return_index=True, return_counts=True
        )
        self.end = self.first + counts
        self.height, self.width = kinds >> 32, kinds & 0xFFFF_FFFF
        self.boxes, self.areas = boxes[self.places], areas[self.places]
        long, short = np.maximum(self.height, self.width), np.minimum(self.height, self.width)
        # Cells that are not empty, the longest sides first.
        self.rest = np.lexsort((-short, -long))

    def __len__(self) -> int:
        return len(self.height)

    def longest(self) -> int:
        return int(self.rest[0])

    def take(self, cell: int, count: int, batch: _Batch) -> None:
        """Move the next samples of a cell to a batch."""
        part = slice(int(self.first[cell]), int(self.first[cell]) + count)
        boxes = self.boxes[part]
        batch.parts.append(self.places[part])
        batch.images += count
        batch.boxes += int(boxes.sum())
        batch.most = max(batch.most, int(boxes.max()))
        batch.real += int(self.areas[part].sum())
        self.first[cell] = part.stop
        if part.stop == self.end[cell]:
            self.rest = self.rest[self.rest != cell]
