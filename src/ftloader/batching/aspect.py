"""Grouping by aspect ratio, as detection libraries do it: the baselines.

Semantics: detectron2's ``AspectRatioGroupedDataset``, mmdet 3.3's ``AspectRatioBatchSampler``,
and the ``GroupedBatchSampler`` of torchvision's reference scripts, in the order in which they yield
batches. :func:`aspect_groups` is pure, for plans; :class:`AspectBatches` is the same for torch's
``DataLoader``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ftloader.batching.packing import Places
from ftloader.batching.policies import AspectStyle, one_of, require
from ftloader.batching.samplers import HoldsEpoch, Order, Sampler, require_sampler
from ftloader.errors import PlanError
from ftloader.sizes import Sizes


def aspect_groups(
    widths: NDArray[np.integer],
    heights: NDArray[np.integer],
    batch_size: int,
    style: AspectStyle,
    k: int = 3,
) -> list[Places]:
    """Return batches of rows, in the order in which they become full.

    Args:
        widths: before augmentation, pixels, in the order of the sampler; (N,).
        heights: the same.
        batch_size: images per batch.
        style: whose rules; what they do with what is left over differs, see
            :class:`~ftloader.batching.AspectGroups`.
        k: torchvision's groups are cut at 2 k + 1 ratios from 1/2 to 2, or at 1 for 0.
    """
    kinds = _kinds(widths, heights, style, k)
    full: list[list[int]] = []
    filling: dict[int, list[int]] = {}
    for row, kind in enumerate(kinds.tolist()):
        group = filling.setdefault(kind, [])
        group.append(row)
        if len(group) == batch_size:
            full.append(group)
            # torchvision's group goes to the end of the queue, which decides ties at the end.
            del filling[kind]
            filling[kind] = []
    if style == "mmdet":
        left = filling.get(0, []) + filling.get(1, [])
        full += [left[first : first + batch_size] for first in range(0, len(left), batch_size)]
    elif style == "torchvision":
        full += _topped_up(kinds, filling, batch_size, len(kinds) // batch_size - len(full))
    return [np.array(group, np.int64) for group in full]


def _kinds(
    widths: NDArray[np.integer], heights: NDArray[np.integer], style: AspectStyle, k: int
) -> NDArray[np.int64]:
    """Return the group of each image."""
    if style == "detectron2":
        return (widths <= heights).astype(np.int64)
    if style == "mmdet":
        return (widths >= heights).astype(np.int64)
    edges = (2 ** np.linspace(-1, 1, 2 * k + 1)).tolist() if k else [1.0]
    ratios = zip(widths.tolist(), heights.tolist(), strict=True)
    return np.array([bisect_right(edges, w / h) for w, h in ratios], np.int64)


def _topped_up(
    kinds: NDArray[np.int64], filling: dict[int, list[int]], batch_size: int, missing: int
) -> list[list[int]]:
    """Fill the fullest groups with rows of theirs that were served first."""
    fullest = sorted(filling.items(), key=lambda item: len(item[1]), reverse=True)
    batches = []
    for kind, group in fullest[: max(missing, 0)]:
        rows = np.flatnonzero(kinds == kind)
        batches.append(group + np.resize(rows, batch_size - len(group)).tolist())
    return batches


class AspectBatches(HoldsEpoch):
    """Batches of images of like shape, for torch's ``DataLoader(batch_sampler=...)``.

    What :class:`~ftloader.batching.AspectGroups` plans, without a plan: no bound on memory, and
    every rank groups what it has. It holds an epoch as
    :class:`~ftloader.batching.EpochSampler` does.

    Args:
        sampler: what decides the order.
        widths: of all images of the data set, before augmentation, pixels; (N,).
        heights: the same.
        batch_size: images per batch.
        style: whose rules, see :class:`~ftloader.batching.AspectGroups`.
        k: of torchvision's edges.
        epoch: to begin with.

    Raises:
        PlanError: an argument cannot be; when iterated: the sampler gives a position that has no
            size.
        DataError: a size cannot be.

    Thread safety: an iteration keeps the epoch it began with, whoever sets another.
    """

    def __init__(
        self,
        sampler: Sampler,
        widths: ArrayLike,
        heights: ArrayLike,
        batch_size: int,
        style: AspectStyle = "mmdet",
        k: int = 3,
        epoch: int = 0,
    ) -> None:
        require_sampler(self, sampler)
        require(self, "batch_size", batch_size, 1)
        one_of(self, "style", style, get_args(AspectStyle))
        require(self, "k", k, 0)
        self.sampler, self.batch_size, self.style, self.k = sampler, batch_size, style, k
        self._sizes = Sizes.of(widths, heights)
        if not self._sizes.kept.all():
            row = int(np.argmin(self._sizes.kept))
            raise PlanError(f"AspectBatches: image {row} is 0 x 0, which has no aspect ratio")
        self.set_epoch(epoch)

    def batches(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch, each a list of positions in the data set."""
        order, here = self._ordered(epoch)
        groups = aspect_groups(here.widths, here.heights, self.batch_size, self.style, self.k)
        return [order[group].tolist() for group in groups]

    def __len__(self) -> int:
        """How many batches the epoch has; for detectron2's style that depends on its order."""
        if self.style == "mmdet":
            return -(-len(self.sampler) // self.batch_size)
        if self.style == "torchvision":
            return len(self.sampler) // self.batch_size
        _, here = self._ordered(self._epoch)
        counts = np.bincount(_kinds(here.widths, here.heights, self.style, self.k))
        return int((counts // self.batch_size).sum())

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches(self._epoch))

    def _ordered(self, epoch: int) -> tuple[Order, Sizes]:
        order = self.sampler.order(epoch)
        if len(order) and not 0 <= int(order.min()) <= int(order.max()) < len(self._sizes):
            wrong = order[(order < 0) | (order >= len(self._sizes))][0]
            raise PlanError(
                f"AspectBatches: the sampler gives sample {wrong}, but there are sizes of "
                f"{len(self._sizes)}"
            )
        return order, self._sizes.take(order)
