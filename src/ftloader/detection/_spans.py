"""Run-length encoded masks under the motions of ``geometry``, without making a bitmap.

A crowd region has a few thousand runs and a million pixels, so moving its runs costs a small part
of decoding, moving and encoding the bitmap; the result is the same. A *span* is a vertical stretch
of mask pixels in one column.

All functions are pure and thread-safe; inputs are never written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftloader.detection.masks import Rle

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """The mask pixels of an image, as stretches of columns.

    Attributes:
        width: of the image, pixels.
        height: of the image, pixels.
        column: int64 (S,), where each span is.
        top: int64 (S,), its first row.
        bottom: int64 (S,), the row after its last one; one that is not below ``top`` holds nothing.
    """

    width: int
    height: int
    column: Whole
    top: Whole
    bottom: Whole

    @classmethod
    def of(cls, rle: Rle, size: tuple[int, int]) -> Spans:
        """Return the spans of a mask.

        Args:
            rle: the mask.
            size: width and height of the image that it belongs to, pixels.

        Raises:
            DataError: the mask is of another size, or the counts do not describe one.
        """
        bounds = np.cumsum(rle.runs(*size))
        stop = bounds[1::2]
        start = bounds[0::2][: len(stop)]
        start, stop = start[start < stop], stop[start < stop]
        first, last = start // rle.height, (stop - 1) // rle.height
        which, column = _ranges(first, last + 1)
        return cls(
            *size,
            column=column,
            top=np.where(column == first[which], start[which] - first[which] * rle.height, 0),
            bottom=np.where(
                column == last[which], stop[which] - last[which] * rle.height, rle.height
            ),
        )

    def resized(self, new: tuple[int, int], columns: Whole, rows: Whole) -> Spans:
        """Return the spans of a resized mask.

        Args:
            new: new width and height, pixels.
            columns: int (new width,), which old column each new one shows; never decreasing.
            rows: int (new height,), the same for rows.
        """
        which, column = _ranges(
            np.searchsorted(columns, self.column), np.searchsorted(columns, self.column + 1)
        )
        top, bottom = np.searchsorted(rows, self.top), np.searchsorted(rows, self.bottom)
        return Spans(*new, column=column, top=top[which], bottom=bottom[which])

    def flipped(self, *, columns: bool, rows: bool) -> Spans:
        """Return the spans of a mask whose columns, rows or both are in the opposite order."""
        column, top, bottom = self.column, self.top, self.bottom
        if columns:
            column = self.width - 1 - column
        if rows:
            top, bottom = self.height - bottom, self.height - top
        return Spans(self.width, self.height, column, top, bottom)

    def windowed(self, corner: tuple[int, int], new: tuple[int, int]) -> Spans:
        """Return the spans that a window shows.

        Args:
            corner: x and y of the window's upper left corner, pixels; may be negative.
            new: width and height of the window, pixels.
        """
        column = self.column - corner[0]
        shown = (column >= 0) & (column < new[0])
        top = np.clip(self.top[shown] - corner[1], 0, new[1])
        bottom = np.clip(self.bottom[shown] - corner[1], 0, new[1])
        return Spans(*new, column=column[shown], top=top, bottom=bottom)

    def to_rle(self) -> Rle:
        """Return the mask, with the counts that :func:`encode_rle` would give for its bitmap."""
        held = self.top < self.bottom
        start = np.sort(self.column[held] * self.height + self.top[held])
        stop = np.sort(self.column[held] * self.height + self.bottom[held])
        # A span that begins where the one before it ends belongs to the same run.
        apart = start[1:] != stop[:-1]
        start = start[np.insert(apart, 0, True)[: len(start)]]
        stop = stop[np.append(apart, True)[: len(stop)]]
        size = self.width * self.height
        bounds = np.stack([start, stop], axis=1).ravel()
        counts = np.diff(bounds, prepend=0, append=size)
        ends_inside = len(bounds) > 0 and bounds[-1] == size
        return Rle(self.height, self.width, counts[:-1] if ends_inside else counts)


def _ranges(first: Whole, stop: Whole) -> tuple[NDArray[np.intp], Whole]:
    """Return the whole numbers of many ranges in a row, and which range each belongs to."""
    length = stop - first
    which = np.repeat(np.arange(len(length)), length)
    return which, np.arange(len(which)) + (first + length - np.cumsum(length))[which]
