"""In which order an epoch visits the samples: immutable values, asked for one epoch at a time.

A sampler has no state: ``order(epoch)`` is a pure function, so every rank, thread and resumed run
gets the same one from the run's seed. For that reason a sampler is not iterable by itself, which
would mean the same order in every epoch; :class:`EpochSampler` gives it an epoch to hold, for code
that iterates samplers as torch's ``DataLoader`` does. Nothing here knows of torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ftloader.batching._streams import ORDER
from ftloader.batching.policies import require
from ftloader.errors import PlanError
from ftloader.rng import sample_rng

Order = NDArray[np.int64]


@runtime_checkable
class Sampler(Protocol):
    """What decides the order of an epoch; implement it for rules of your own.

    Must be immutable and pure: ``order`` is called from any thread, in any order, on every rank.
    """

    def __len__(self) -> int:
        """How many samples an epoch visits."""

    def order(self, epoch: int) -> Order:
        """Return the positions in the data set that an epoch visits, in turn: int64 (len,)."""


@dataclass(frozen=True, slots=True)
class Sequential:
    """Every sample once, in the order of the data set.

    Attributes:
        length: samples in the data set.

    Raises:
        PlanError: the length cannot be.
    """

    length: int

    def __post_init__(self) -> None:
        require(self, "length", self.length, 0)

    def __len__(self) -> int:
        return self.length

    def order(self, epoch: int) -> Order:
        """Return 0, 1, 2, …: int64 (length,), the same in every epoch."""
        require(self, "epoch", epoch, 0)
        return np.arange(self.length, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Every sample once, in another random order in each epoch.

    Attributes:
        length: samples in the data set.
        seed: of the run, 0 to 2**64 - 1.

    Raises:
        PlanError: the length or the seed cannot be.

    Determinism: the order is the same on every interpreter with the same NumPy.
    """

    length: int
    seed: int = 0

    def __post_init__(self) -> None:
        require(self, "length", self.length, 0)
        order_rng(self, self.seed, 0)

    def __len__(self) -> int:
        return self.length

    def order(self, epoch: int) -> Order:
        """Return the epoch's permutation: int64 (length,)."""
        return order_rng(self, self.seed, epoch).permutation(self.length).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Infinite:
    """Epochs of any length, cut from an endless stream of another sampler's epochs.

    The stream is ``sampler``'s epoch 0, then its epoch 1, and so on without an end; epoch ``e``
    here is its elements ``e * length`` to ``(e + 1) * length``. So training by iterations has
    epochs as short or as long as evaluation asks for, and the epoch's number is the whole state.

    Attributes:
        sampler: whose epochs follow each other.
        length: samples of one epoch.

    Raises:
        PlanError: the length cannot be, or the sampler has no samples.
    """

    sampler: Sampler
    length: int

    def __post_init__(self) -> None:
        require_sampler(self, self.sampler)
        require(self, "length", self.length, 1)
        if not len(self.sampler):
            raise PlanError("Infinite: a sampler without samples makes no endless stream")

    def __len__(self) -> int:
        return self.length

    def order(self, epoch: int) -> Order:
        """Return the epoch's part of the stream: int64 (length,)."""
        require(self, "epoch", epoch, 0)
        inner = len(self.sampler)
        begin = epoch * self.length
        turns = range(begin // inner, (begin + self.length - 1) // inner + 1)
        orders = [self.sampler.order(turn) for turn in turns]
        if any(len(order) != inner for order in orders):
            raise PlanError(
                f"Infinite: epochs of the sampler must have {inner} samples, the length it tells, "
                f"not {', '.join(str(len(order)) for order in orders)}"
            )
        stream = np.concatenate(orders)
        first = begin - turns.start * inner
        return stream[first : first + self.length]


@dataclass(frozen=True, slots=True)
class Distributed:
    """One rank's share of a sampler: every ``world_size``-th sample, as torch's does it.

    Only for loaders that ask each rank for its own samples. A plan needs none of it: give
    :func:`~ftloader.batching.plan_epoch` the whole order, and share the plan's batches with
    :meth:`EpochPlan.rank <ftloader.batching.EpochPlan.rank>`, by their cost.

    Attributes:
        sampler: of all ranks together.
        rank: counted from 0.
        world_size: how many ranks there are.
        drop_last: where samples do not come out even, leave the last ones out; otherwise the
            epoch's first ones are served once more, so that all ranks have equally many.

    Raises:
        PlanError: there is no such rank.
    """

    sampler: Sampler
    rank: int
    world_size: int
    drop_last: bool = False

    def __post_init__(self) -> None:
        require_sampler(self, self.sampler)
        require(self, "world_size", self.world_size, 1)
        require(self, "rank", self.rank, 0)
        if self.rank >= self.world_size:
            raise PlanError(
                f"Distributed: there is no rank {self.rank} in a world of {self.world_size}; "
                f"ranks are counted from 0"
            )

    def __len__(self) -> int:
        return self._share(len(self.sampler))

    def order(self, epoch: int) -> Order:
        """Return the rank's part of the epoch: int64 (len,)."""
        everybody = self.sampler.order(epoch)
        # Cuts where there are too many, and starts over where there are too few.
        even = np.resize(everybody, self._share(len(everybody)) * self.world_size)
        return even[self.rank :: self.world_size]

    def _share(self, length: int) -> int:
        whole, rest = divmod(length, self.world_size)
        return whole + (rest > 0 and not self.drop_last)


class HoldsEpoch:
    """The epoch that an iterable is of: the convention of torch's samplers.

    Thread safety: whoever iterates reads the epoch once, at the beginning.
    """

    _epoch: int

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration is of."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the iterations to come."""
        require(self, "epoch", epoch, 0)
        self._epoch = epoch


class EpochSampler(HoldsEpoch):
    """A sampler that holds an epoch, to be iterated: the convention of torch's samplers.

    ::

        sampler = EpochSampler(Shuffled(len(dataset), seed=7))
        loader = torch.utils.data.DataLoader(dataset, batch_size=8, sampler=sampler)
        for epoch in range(epochs):
            sampler.set_epoch(epoch)
            for batch in loader: ...

    As with torch's ``DistributedSampler``, whoever never calls :meth:`set_epoch` gets the same
    order in every epoch.

    Args:
        sampler: what decides the order.
        epoch: to begin with.

    Raises:
        PlanError: ``sampler`` is none, or the epoch cannot be.

    Thread safety: an iteration keeps the epoch it began with, whoever sets another.
    """

    def __init__(self, sampler: Sampler, epoch: int = 0) -> None:
        require_sampler(self, sampler)
        self.sampler = sampler
        self.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        return iter(self.sampler.order(self._epoch).tolist())


def require_sampler(owner: object, sampler: object) -> None:
    """Raise ``PlanError`` unless ``sampler`` has ``order(epoch)`` and a length."""
    if isinstance(sampler, type) or not isinstance(sampler, Sampler):
        what = sampler.__name__ if isinstance(sampler, type) else type(sampler).__name__
        raise PlanError(
            f"{type(owner).__name__}: a sampler has order(epoch) and a length, {what} has not; "
            f"put a sampler of torch's into UserSampler"
        )


def order_rng(owner: object, seed: int, epoch: int) -> Generator:
    """Return the stream of an epoch's order.

    Raises:
        PlanError: the seed or the epoch is no whole number of 64 bits.
    """
    name = type(owner).__name__
    require(owner, "seed", seed, 0)
    require(owner, "epoch", epoch, 0)
    try:
        return sample_rng(seed, epoch, 0, ORDER)
    except ValueError as error:
        raise PlanError(f"{name}: {error}") from error
