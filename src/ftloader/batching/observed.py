"""What steps were seen to take: the log that cost models are fitted to.

Immutable; a run adds one observation per step and keeps the new log. A step that ran out of memory
is an observation too: it took more than what was there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ftloader.batching.cost import Load, floats
from ftloader.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Loads and the peak bytes of a step at each.

    Attributes:
        loads: N loads, every field float64 (N,).
        bytes: float64 (N,), peak bytes of the step.
        censored: bool (N,), steps that failed for want of memory: they take more than ``bytes``.

    Thread safety: immutable; nobody writes to the arrays.
    """

    loads: Load
    bytes: NDArray[np.float64]
    censored: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        loads: Load | Sequence[Load],
        peaks: ArrayLike,
        censored: ArrayLike | None = None,
    ) -> Observed:
        """Check and copy observations.

        Args:
            loads: one load per observation, or one whose fields are arrays.
            peaks: (N,), peak bytes.
            censored: (N,), which of them only say "more than that"; without it none.

        Raises:
            DataError: lengths differ, or an observation cannot be; the message names the first.
        """
        if not isinstance(loads, Load):
            columns = np.array([[float(np.asarray(f)) for f in load] for load in loads])
            loads = Load(*columns.reshape(-1, len(Load._fields)).T)
        fields = [
            np.array(field) for field in np.broadcast_arrays(*map(np.atleast_1d, floats(loads)))
        ]
        taken = np.atleast_1d(np.array(peaks, np.float64))
        cut = np.zeros(taken.shape, np.bool_) if censored is None else np.array(censored, np.bool_)
        cut = np.atleast_1d(cut)
        if fields[0].ndim != 1 or not fields[0].shape == taken.shape == cut.shape:
            raise DataError(
                f"observations: {fields[0].size} loads, {taken.size} peaks and {cut.size} marks of "
                "failed steps must be as many, in one row each"
            )
        _check(np.column_stack([*fields, taken]))
        for column in (*fields, taken, cut):
            column.setflags(write=False)
        return cls(Load(*fields), taken, cut)

    def __len__(self) -> int:
        return len(self.bytes)

    def add(self, load: Load, peak: float, *, out_of_memory: bool = False) -> Observed:
        """Return a log with one observation more.

        Args:
            load: of the batch.
            peak: bytes that the step took at its peak; of a step that failed, the bytes that were
                there and did not do.
            out_of_memory: the step failed for want of memory.

        Raises:
            DataError: it cannot be.
        """
        return self + Observed.of([load], [peak], [out_of_memory])

    def __add__(self, other: Observed) -> Observed:
        fields = [np.concatenate(pair) for pair in zip(self.loads, other.loads, strict=True)]
        return Observed.of(
            Load(*fields),
            np.concatenate([self.bytes, other.bytes]),
            np.concatenate([self.censored, other.censored]),
        )

    def take(self, rows: NDArray[np.generic]) -> Observed:
        """Return the observations asked for, by number or by mask."""
        fields = [np.asarray(field)[rows] for field in self.loads]
        return Observed.of(Load(*fields), self.bytes[rows], self.censored[rows])


def _check(table: NDArray[np.float64]) -> None:
    images, height, width, boxes, most, taken = table.T
    odd = ~np.isfinite(table).all(axis=1) | (table < 0).any(axis=1)
    odd |= (images < 1) | (height < 1) | (width < 1) | (taken <= 0) | (most > boxes)
    if odd.any():
        row = int(odd.argmax())
        raise DataError(
            f"observation {row} cannot be: {images[row]:g} images of {width[row]:g} x "
            f"{height[row]:g}, {boxes[row]:g} boxes, at most {most[row]:g} on one, "
            f"took {taken[row]:g} bytes"
        )
