"""How one family of transforms is called, and what can be read from what it returns."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The picture and the objects of an input or output, for the check of labels.

    Attributes:
        image: (H, W, 3), any dtype.
        boxes: float (N, 4), ``x1, y1, x2, y2`` in pixels.
        labels: int (N,).
    """

    image: NDArray[Any]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]


class Convention(ABC):
    """A way to call transforms.

    Attributes:
        name: what the command line calls it.
        owns_input: whether a transform may write to its input, because by this convention every
            call gets a copy of its own. Such writes are then a caution.
    """

    name: ClassVar[str]
    owns_input: ClassVar[bool] = False

    @abstractmethod
    def samples(self) -> Sequence[Any]:
        """Make inputs of several sizes, with objects, whose pixels encode their coordinates."""

    @abstractmethod
    def call(self, transform: Any, sample: Any, rng: Generator) -> Any:
        """Call a transform on a sample that belongs to this call.

        Args:
            transform: what is audited.
            sample: one of :meth:`samples`, or of the user's, copied.
            rng: the sample's own stream, for transforms that take one.
        """

    @abstractmethod
    def view(self, value: Any) -> View | None:
        """Return the picture and the objects of an input or an output, None if it has none."""

    def copy(self, sample: Any) -> Any:
        """Return a copy that shares no memory with the original."""
        return copy.deepcopy(sample)

    def frozen(self, sample: Any) -> Any:
        """Return a copy of which every part that must not be written to refuses it."""
        from .frozen import frozen

        return frozen(sample)
