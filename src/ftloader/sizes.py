"""What is known of samples before their pixels are read: their sizes, as columns.

Data sets and recipes make them, plans are made from them. Nothing here knows of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError

#: A side longer than this is not an image, and its square would not fit the planner's numbers.
LONGEST_SIDE = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Sizes of N samples as they will be when they are put into a batch.

    A sample of width and height 0 is one that the recipe drops: it keeps its row, and plans leave
    it out.

    Attributes:
        widths: int32 (N,), pixels.
        heights: int32 (N,), pixels.
        boxes: int32 (N,), how many objects each has, or at most has.

    Thread safety: immutable; nobody writes to the arrays.
    """

    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    boxes: NDArray[np.int32]

    @classmethod
    def of(cls, widths: ArrayLike, heights: ArrayLike, boxes: ArrayLike | None = None) -> Sizes:
        """Check and copy columns of whole numbers; without ``boxes`` there are none.

        Raises:
            DataError: the columns differ in length, or a row cannot be an image; the message names
                the first such row.
        """
        columns = [_column(name, c) for name, c in (("width", widths), ("height", heights))]
        columns.append(_column("boxes", np.zeros(len(columns[0])) if boxes is None else boxes))
        lengths = [len(column) for column in columns]
        if len(set(lengths)) > 1:
            raise DataError(f"sizes: {lengths[0]} widths, {lengths[1]} heights, {lengths[2]} boxes")
        wide, high, _ = columns
        odd = (wide == 0) != (high == 0)
        for column, limit in ((wide, LONGEST_SIDE), (high, LONGEST_SIDE), (columns[2], 1 << 30)):
            odd |= (column < 0) | (column > limit)
        if odd.any():
            row = int(odd.argmax())
            width, height, count = (int(column[row]) for column in columns)
            raise DataError(f"sizes: row {row} cannot be: {width} x {height}, {count} boxes")
        for column in columns:
            column.setflags(write=False)
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.widths)

    @property
    def areas(self) -> NDArray[np.int64]:
        """int64 (N,), pixels of each sample."""
        return self.widths.astype(np.int64) * self.heights

    @property
    def kept(self) -> NDArray[np.bool_]:
        """bool (N,), false where the recipe drops the sample."""
        return self.widths > 0

    def take(self, rows: NDArray[np.integer]) -> Sizes:
        """Return the rows asked for, in that order; rows may repeat."""
        return Sizes(self.widths[rows], self.heights[rows], self.boxes[rows])


def _column(name: str, values: ArrayLike) -> NDArray[np.int32]:
    column = np.asarray(values)
    if column.ndim != 1:
        raise DataError(f"sizes: {name} must be one number per sample, not {column.ndim}-D")
    if column.size and column.dtype.kind not in "iubf":
        raise DataError(f"sizes: {name} must be whole numbers, not {column.dtype}")
    # What no int64 holds is no size either; NaN is not equal to itself.
    bounded: NDArray[Any] = np.clip(column, -1, np.iinfo(np.int32).max)
    odd = column != (column if column.dtype.kind in "iub" else np.floor(column))
    if odd.any():
        row = int(odd.argmax())
        raise DataError(f"sizes: {name} of row {row} must be a whole number, not {column[row]}")
    return bounded.astype(np.int32)
