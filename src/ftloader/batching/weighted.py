"""Samplers that visit some samples more often than others: by weight, or by how rare they are.

Pure functions of seed and epoch, like all samplers. A plan counts how often a sample has come
before in an epoch and augments it differently each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ftloader.batching.policies import require
from ftloader.batching.samplers import Order, order_rng
from ftloader.errors import PlanError


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """Samples drawn at random, each as often as its weight says.

    Attributes:
        weights: float64 (N,), one for each sample of the data set; they need not add up to 1.
        length: samples drawn in an epoch; N by default.
        seed: of the run, 0 to 2**64 - 1.
        replacement: whether a sample may come more than once. Otherwise every draw is among the
            samples left, which is drawn in one go as in Efraimidis and Spirakis, "Weighted random
            sampling with a reservoir", Inf. Process. Lett. 97 (2006), by logarithms.

    Raises:
        PlanError: a weight is negative or not finite, all are 0, or there are fewer samples with
            a weight than are to be drawn.

    Determinism: the order is the same on every interpreter with the same NumPy.
    """

    weights: ArrayLike
    length: int | None = None
    seed: int = 0
    replacement: bool = True

    def __post_init__(self) -> None:
        try:
            weights = np.array(self.weights, np.float64)
        except (TypeError, ValueError) as error:
            raise PlanError(f"Weighted: weights must be numbers: {error}") from error
        if weights.ndim != 1:
            raise PlanError(f"Weighted: one weight per sample, not an array {weights.shape}")
        wrong = ~((weights >= 0) & (weights < np.inf))
        if wrong.any():
            row = int(wrong.argmax())
            raise PlanError(f"Weighted: weight {row} must be 0 or more, not {weights[row]}")
        weights.setflags(write=False)
        length = len(weights) if self.length is None else self.length
        require(self, "length", length, 0)
        order_rng(self, self.seed, 0)
        able = int(np.count_nonzero(weights))
        if length and not able:
            raise PlanError("Weighted: no sample has a weight above 0")
        if not self.replacement and able < length:
            raise PlanError(
                f"Weighted: {able} samples have a weight above 0, too few for {length} draws "
                f"without replacement"
            )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "length", length)

    def __len__(self) -> int:
        return self.length or 0

    def order(self, epoch: int) -> Order:
        """Return the epoch's draws: int64 (length,)."""
        rng = order_rng(self, self.seed, epoch)
        weights: NDArray[np.float64] = np.asarray(self.weights)
        able = np.flatnonzero(weights)
        if not self.replacement:
            # Gumbel noise is minus the logarithm of an exponential variate: no over- or underflow.
            keys = np.log(weights[able]) + rng.gumbel(size=len(able))
            return able[np.argsort(-keys, kind="stable")[: len(self)]]
        # Divided first: weights that are large together must not overflow.
        sums = np.cumsum(weights[able] / weights.max(initial=0.0))
        # Rounding could draw a number equal to the last sum, which would be nobody's.
        drawn = np.searchsorted(sums[:-1], rng.random(len(self)) * sums[-1:], side="right")
        chosen: Order = able[drawn]
        return chosen


class _Labelled(Protocol):
    """A data set that knows its annotations, such as an opened COCO folder."""

    def __len__(self) -> int: ...

    def annotations(self, i: int, /) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class ClassAware:
    """Images of rare classes several times an epoch: repeat-factor sampling.

    A class ``c`` that a share ``f(c)`` of the images contain has the factor ``max(1,
    sqrt(threshold / f(c)))``, an image the largest factor of its classes, and 1 without any (Gupta,
    Dollár and Girshick, "LVIS: a dataset for large vocabulary instance segmentation", 2019, section
    B). In each epoch an image comes as often as its factor says, rounded up or down at random so
    that the mean is right, in random order. The factors are stretched, by less than 1 / images, so
    that all epochs have the same whole length; one random number rounds all running sums of the
    factors in random order, which varies less than rounding each factor by itself.

    Attributes:
        rows: int64 (M,), for each object the image that it is in.
        labels: int64 (M,), for each object its class.
        images: how many images there are.
        threshold: share of the images below which a class is rare, LVIS's 0.001 for instance.
        seed: of the run, 0 to 2**64 - 1.
        factors: float64 (images,), how often each image comes in an epoch, on average.

    Raises:
        PlanError: rows and labels do not belong together, an object is in no image, or a number
            cannot be.

    Determinism: the order is the same on every interpreter with the same NumPy.
    """

    rows: ArrayLike
    labels: ArrayLike
    images: int
    threshold: float = 0.001
    seed: int = 0
    factors: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        require(self, "images", self.images, 0)
        order_rng(self, self.seed, 0)
        if isinstance(self.threshold, bool) or not 0 <= self.threshold <= 1:
            raise PlanError(f"ClassAware: threshold is a share from 0 to 1, not {self.threshold!r}")
        rows, labels = _whole("rows", self.rows), _whole("labels", self.labels)
        if len(rows) != len(labels):
            raise PlanError(f"ClassAware: {len(rows)} rows, but {len(labels)} labels")
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < self.images:
            wrong = rows[(rows < 0) | (rows >= self.images)][0]
            raise PlanError(f"ClassAware: there is no image {wrong} in {self.images} images")
        factors = _factors(rows, labels, self.images, self.threshold)
        for name, column in (("rows", rows), ("labels", labels), ("factors", factors)):
            column.setflags(write=False)
            object.__setattr__(self, name, column)

    @classmethod
    def of(cls, dataset: _Labelled, threshold: float = 0.001, seed: int = 0) -> ClassAware:
        """Count the classes of a data set that has ``annotations(i).labels``."""
        labels = [np.asarray(dataset.annotations(i).labels) for i in range(len(dataset))]
        rows = np.repeat(np.arange(len(labels)), [len(found) for found in labels])
        together = np.concatenate([np.zeros(0, np.int64), *labels])
        return cls(rows, together, len(labels), threshold, seed)

    def __len__(self) -> int:
        return round(float(self.factors.sum()))

    def order(self, epoch: int) -> Order:
        """Return the epoch's images: int64 (len,), every image at least once."""
        rng = order_rng(self, self.seed, epoch)
        images = rng.permutation(self.images)
        sums = np.cumsum(self.factors[images])
        # The last sum is whole but for rounding, and the random number must not carry it further.
        sums[-1:] = len(self)
        ends = np.minimum(np.floor(sums + rng.random()), len(self)).astype(np.int64)
        return rng.permutation(np.repeat(images, np.diff(ends, prepend=0))).astype(np.int64)


def _factors(
    rows: NDArray[np.int64], labels: NDArray[np.int64], images: int, threshold: float
) -> NDArray[np.float64]:
    """Return the images' factors, stretched to a whole sum."""
    factors = np.ones(images)
    if len(rows):
        # An image counts once for a class, however many objects of it there are.
        image, label = np.unique(np.stack([rows, labels]), axis=1)
        _, place, count = np.unique(label, return_inverse=True, return_counts=True)
        rare = np.sqrt(threshold * images / count)[place]
        np.maximum.at(factors, image, rare)
    total = float(factors.sum())
    return factors * (np.ceil(total) / total) if total else factors


def _whole(name: str, values: ArrayLike) -> NDArray[np.int64]:
    column = np.array(values)
    if column.ndim != 1 or (len(column) and column.dtype.kind not in "iu"):
        raise PlanError(
            f"ClassAware: {name} must be whole numbers, one for each object, "
            f"not {column.dtype} {column.shape}"
        )
    return column.astype(np.int64)
