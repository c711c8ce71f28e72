"""Batches as columns: which samples are in each, and the shape that they are padded to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftloader.batching.cost import CostModel, Costs, Load
from ftloader.batching.packing import Places, rounded_up
from ftloader.sizes import Sizes


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """B batches of a plan's entries.

    Attributes:
        members: int64 (M,), entries of one batch after the other.
        starts: int64 (B + 1,), where each batch begins in ``members``; the last is M.
        heights: int64 (B,), padded, pixels.
        widths: int64 (B,), padded, pixels.
        boxes: int64 (B,), objects of all images.
        most_boxes: int64 (B,), objects of the image that has most.
        areas: int64 (B,), real pixels.

    Thread safety: immutable; nobody writes to the arrays.
    """

    members: Places
    starts: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    boxes: NDArray[np.int64]
    most_boxes: NDArray[np.int64]
    areas: NDArray[np.int64]

    @classmethod
    def of(cls, groups: Sequence[Places], sizes: Sizes, stride: int) -> Batches:
        """Describe groups of rows of ``sizes``; none may be empty."""
        lengths = np.array([len(group) for group in groups], np.int64)
        members = np.concatenate(groups) if groups else np.zeros(0, np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return cls.cut(members, starts, sizes, stride)

    @classmethod
    def cut(cls, members: Places, starts: NDArray[np.int64], sizes: Sizes, stride: int) -> Batches:
        """Describe the batches that begin at ``starts``."""
        if len(starts) == 1:
            none = np.zeros(0, np.int64)
            return cls(members, starts, none, none, none, none, none)
        at, here = starts[:-1], sizes.take(members)
        boxes = here.boxes.astype(np.int64)
        return cls(
            members,
            starts,
            rounded_up(np.maximum.reduceat(here.heights, at), stride),
            rounded_up(np.maximum.reduceat(here.widths, at), stride),
            np.add.reduceat(boxes, at),
            np.maximum.reduceat(boxes, at),
            np.add.reduceat(here.areas, at),
        )

    def __len__(self) -> int:
        return len(self.heights)

    @property
    def images(self) -> NDArray[np.int64]:
        """int64 (B,), images per batch."""
        return np.diff(self.starts)

    @property
    def padded(self) -> NDArray[np.int64]:
        """int64 (B,), padded pixels."""
        return self.images * self.heights * self.widths

    def load(self) -> Load:
        """Return what the batches ask of memory."""
        return Load(self.images, self.heights, self.widths, self.boxes, self.most_boxes)

    def costs(self, model: CostModel) -> Costs:
        """Return what each batch costs: float64 (B,)."""
        return np.broadcast_to(np.asarray(model.cost(self.load()), np.float64), (len(self),))

    @classmethod
    def costing(
        cls, sizes: Sizes, stride: int, model: CostModel
    ) -> Callable[[Sequence[Places]], Costs]:
        """Return a function that tells what groups of rows cost: float64 (len(groups),)."""
        return lambda groups: cls.of(groups, sizes, stride).costs(model)

    def entries(self, batch: int) -> Places:
        """Return the entries of one batch."""
        return self.members[self.starts[batch] : self.starts[batch + 1]]
