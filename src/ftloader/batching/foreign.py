"""Samplers of other libraries, taken as they are: objects that are iterated once an epoch.

What torch calls a sampler is iterated and may have ``set_epoch``; that is all that is asked here,
so samplers of torch, mmdet, detectron2 or one's own can be planned with. Their order is their own
business: where it comes from a random generator that goes on from epoch to epoch (torch's
``RandomSampler``), or from global random state, an epoch cannot be planned a second time, and ranks
only agree if the object gives all of them the same. Nothing here imports torch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np

from ftloader.batching.policies import GivenBatches, Tail, require
from ftloader.batching.samplers import Order
from ftloader.errors import PlanError

#: Samples after which a pass without a known length is taken for one without an end.
ENDLESS: Final = 50_000_000


@dataclass(frozen=True, slots=True, eq=False)
class UserSampler:
    """Any object that yields positions in the data set, as a sampler.

    Attributes:
        obj: iterated once for every epoch that is asked for, after ``obj.set_epoch(epoch)`` if it
            has that. Must be iterable again and again.
        length: only for an object that never ends: how many samples make an epoch. Epoch ``e`` is
            then the ``e``-th part of that length of one pass.

    Raises:
        PlanError: the object cannot be iterated, or only once; when asked for an order: an item is
            no position, or the pass does not end.

    Thread safety: one pass at a time; the object itself is touched by nobody else's thread as long
    as nobody else has it.
    Determinism: as ``obj``; see above.
    """

    obj: Iterable[Any]
    length: int | None = None
    _one_pass: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        _require_iterable(self, self.obj)
        if self.length is not None:
            require(self, "length", self.length, 1)

    def __len__(self) -> int:
        """What the object says, which it may not keep to."""
        if self.length is not None:
            return self.length
        said = _said_length(self.obj)
        if said is None:
            raise TypeError(f"{type(self.obj).__name__} does not tell its length")
        return said

    def order(self, epoch: int) -> Order:
        """Return what one pass yields: int64 (N,)."""
        require(self, "epoch", epoch, 0)
        first = 0 if self.length is None else epoch * self.length
        with self._one_pass:
            items = _pass(self.obj, epoch, first, self.length)
            return np.fromiter(_positions(items, self.obj, ""), np.int64)


class GivenOrder(NamedTuple):
    """Batches of a user's, as :func:`~ftloader.batching.plan_epoch` takes them.

    Attributes:
        samples: int64 (N,), positions in the data set, batch after batch.
        policy: which of them are together.
    """

    samples: Order
    policy: GivenBatches


@dataclass(frozen=True, slots=True, eq=False)
class UserBatches:
    """Any object that yields lists of positions, a batch sampler, to be planned with.

    ::

        samples, policy = UserBatches(batch_sampler).given(epoch)
        plan = plan_epoch(augment.sizes(samples), policy, samples=samples, epoch=epoch)

    Attributes:
        obj: iterated once for every epoch that is asked for, after ``set_epoch(epoch)`` if it has
            that, or if its ``sampler`` has.
        length: only for an object that never ends: how many batches make an epoch.

    Raises:
        PlanError: as for :class:`UserSampler`; a batch is empty.

    Thread safety: as for :class:`UserSampler`.
    Determinism: as ``obj``.
    """

    obj: Iterable[Iterable[Any]]
    length: int | None = None
    _one_pass: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        _require_iterable(self, self.obj)
        if self.length is not None:
            require(self, "length", self.length, 1)

    def given(self, epoch: int, *, stride: int = 32, tail: Tail = "fill") -> GivenOrder:
        """Return the batches of one pass.

        Args:
            epoch: counted from 0.
            stride: of the policy, pixels.
            tail: of the policy.
        """
        require(self, "epoch", epoch, 0)
        first = 0 if self.length is None else epoch * self.length
        samples: list[int] = []
        batches: list[tuple[int, ...]] = []
        with self._one_pass:
            for batch in _pass(self.obj, epoch, first, self.length):
                begin, where = len(samples), f"batch {len(batches)}, "
                try:
                    items = iter(batch)
                except TypeError as error:
                    raise PlanError(
                        f"{type(self.obj).__name__}: batch {len(batches)} must be a list of "
                        f"positions, not {batch!r}; is it a sampler, for UserSampler?"
                    ) from error
                samples.extend(_positions(items, self.obj, where))
                if len(samples) == begin:
                    raise PlanError(f"{type(self.obj).__name__}: batch {len(batches)} is empty")
                batches.append(tuple(range(begin, len(samples))))
        policy = GivenBatches(tuple(batches), stride=stride, tail=tail)
        return GivenOrder(np.array(samples, np.int64), policy)


def _pass(obj: Iterable[Any], epoch: int, first: int, length: int | None) -> Iterator[Any]:
    """Yield the items of an epoch, and refuse to go on for ever."""
    _set_epoch(obj, epoch)
    if length is not None:
        count = 0
        for item in islice(obj, first, first + length):
            count += 1
            yield item
        if count < length:
            raise PlanError(
                f"{type(obj).__name__} ended after {first + count} items, before the end of epoch "
                f"{epoch}; length= is for samplers that never end"
            )
        return
    said = _said_length(obj)
    limit = ENDLESS if said is None else said
    for number, item in enumerate(obj):
        if number == limit:
            raise PlanError(
                f"{type(obj).__name__} goes on after {limit:,} items"
                + (", the length it told" if said is not None else "")
                + "; say with length= how many make an epoch if it never ends"
            )
        yield item


def _set_epoch(obj: Any, epoch: int) -> None:
    for owner in (obj, getattr(obj, "sampler", None)):
        set_epoch: Callable[[int], object] | None = getattr(owner, "set_epoch", None)
        if callable(set_epoch):
            set_epoch(epoch)
            return


def _said_length(obj: Any) -> int | None:
    try:
        return len(obj)
    except (TypeError, NotImplementedError):  # torch's base classes raise either
        return None


def _positions(items: Iterable[Any], obj: object, where: str) -> Iterator[int]:
    """Yield items as whole numbers; tensors and NumPy's scalars are fine, bools are not."""
    for number, item in enumerate(items):
        try:
            position = -1 if isinstance(item, bool) else operator.index(item)
        except TypeError:
            position = -1
        if position < 0:
            hint = "; is it a batch sampler, for UserBatches?" if isinstance(item, list) else ""
            raise PlanError(
                f"{type(obj).__name__}: {where}item {number} must be a position in the data set, a "
                f"whole number from 0 on, not {item!r}{hint}"
            )
        yield position


def _require_iterable(owner: object, obj: object) -> None:
    name = type(owner).__name__
    if isinstance(obj, type) or not isinstance(obj, Iterable):
        raise PlanError(f"{name}: a sampler of yours must be iterable, not {obj!r}")
    if isinstance(obj, Iterator):
        raise PlanError(
            f"{name}: {type(obj).__name__} can be iterated only once; give an object that can be "
            f"iterated every epoch"
        )
