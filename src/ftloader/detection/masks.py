"""Instance masks: COCO polygons and run-length encodings to bitmaps and back.

Bit-exact with the COCO API's mask routines, in NumPy alone. Two formats come in:

* polygons: flat coordinate lists ``x0, y0, x1, y1, …`` in pixels; several parts are OR-ed;
* run lengths (RLE): pixel counts in column-major order, alternating from a run of zeros, either
  as numbers or packed into text.

All functions are pure and thread-safe: no global state, inputs are never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftloader.errors import DataError

Mask = NDArray[np.uint8]
Counts = NDArray[np.int64]

# The COCO rule traces outlines on a grid five times finer than the pixels.
_SCALE = 5
# Fine column 5x + 2 is the one that holds the centre of pixel column x; rows likewise.
_CENTRE = 2
# Longest outline that is traced, in fine steps (about 0.5 GB of scratch memory). A real outline
# has thousands; a corrupt file can ask for billions.
_MAX_STEPS = 1 << 23
# Largest mask that is made, in pixels (268 MB); a corrupt file can ask for any size.
_MAX_PIXELS = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class Rle:
    """A run-length encoded mask as COCO stores it.

    Attributes:
        height: rows of the mask, pixels.
        width: columns of the mask, pixels.
        counts: run lengths, int64 (R,), or the packed text that stands for them.
    """

    height: int
    width: int
    counts: Counts | bytes

    def to_mask(self, width: int, height: int) -> Mask:
        """Return the bitmap, uint8 (height, width) of 0 and 1.

        Args:
            width: width of the image it belongs to, pixels.
            height: height of that image, pixels.

        Raises:
            DataError: the mask is of another size, or the counts do not describe one.
        """
        return decode_rle(self._runs_for(width, height), width, height)

    def runs(self, width: int, height: int) -> Counts:
        """Return the run lengths, int64 (R,), checked.

        Args:
            width: width of the image it belongs to, pixels.
            height: height of that image, pixels.

        Raises:
            DataError: the mask is of another size, or the counts do not describe one.
        """
        return _described(self._runs_for(width, height), width, height)

    def _runs_for(self, width: int, height: int) -> Counts:
        if (width, height) != (self.width, self.height):
            raise DataError(
                f"an RLE mask of {self.width} x {self.height} pixels does not fit an image of "
                f"{width} x {height}"
            )
        return unpack_counts(self.counts) if isinstance(self.counts, bytes) else self.counts


def usable_polygons(polygons: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return the parts that enclose something: even length and at least three points."""
    return [part for part in polygons if len(part) >= 6 and len(part) % 2 == 0]


def polygons_to_mask(polygons: Sequence[NDArray[np.float64]], width: int, height: int) -> Mask:
    """Rasterise the parts of one object by the COCO rule.

    Args:
        polygons: flat float64 coordinate arrays ``x0, y0, x1, y1, …`` in pixels; points may lie
            outside the image. Parts with an odd length or fewer than three points are left out.
        width: columns of the mask, pixels.
        height: rows of the mask, pixels.

    Returns:
        uint8 (height, width): 1 inside any part, 0 elsewhere; all 0 where no part is usable.

    Raises:
        DataError: the size or a coordinate is not usable (not finite, or absurdly far away).
    """
    _check_size(width, height)
    mask = np.zeros((height, width), np.uint8)
    for part in usable_polygons(polygons):
        toggles = outline_toggles(np.asarray(part, np.float64).reshape(-1, 2), width, height)
        if len(toggles):
            _cover(mask, toggles)
    return mask


def encode_rle(mask: NDArray[np.generic]) -> Counts:
    """Return the run lengths of a bitmap.

    Args:
        mask: (H, W), any dtype; what is not zero counts as inside.

    Returns:
        int64 (R,), column-major, starting with the (perhaps empty) run of zeros.
    """
    column_major = (mask != 0).ravel(order="F")
    starts_inside = bool(column_major[:1].any())
    changes = np.flatnonzero(column_major[1:] != column_major[:-1]) + 1
    first = [0, 0] if starts_inside else [0]
    bounds = np.concatenate([first, changes, [column_major.size]])
    return np.diff(bounds).astype(np.int64)


def decode_rle(counts: NDArray[np.integer] | Sequence[int], width: int, height: int) -> Mask:
    """Return the bitmap of run lengths.

    Args:
        counts: run lengths in column-major order, starting with zeros.
        width: columns of the mask, pixels.
        height: rows of the mask, pixels.

    Returns:
        uint8 (height, width) of 0 and 1.

    Raises:
        DataError: a count is negative, or they do not add up to ``width * height``.
    """
    _check_size(width, height)
    return _expand(_described(np.asarray(counts, np.int64), width, height), width, height)


def unpack_counts(packed: bytes | str) -> Counts:
    """Return the run lengths that a packed RLE text stands for.

    Each number is a little-endian sequence of 5-bit groups in two's complement, stored as the
    character 48 + group; bit 5 says that another group follows. From the fourth number on, the
    difference to the number two places before is stored.

    Raises:
        DataError: a character outside the alphabet, or the text ends inside a number.
    """
    try:
        raw = packed.encode("ascii") if isinstance(packed, str) else packed
    except UnicodeEncodeError as error:
        raise DataError("packed RLE counts hold a character that is not ASCII") from error
    codes = np.frombuffer(raw, np.uint8).astype(np.int64) - 48
    if codes.size == 0:
        return codes
    if codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise DataError("packed RLE counts are damaged: a bad character, or cut short")
    last = (codes & 32) == 0
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    lengths = np.diff(starts, append=codes.size)
    if lengths.max() > 12:
        raise DataError("packed RLE counts are damaged: a number of more than 60 bits")
    place = np.arange(codes.size) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = (codes[last] & 16) != 0
    numbers[negative] -= np.int64(1) << (5 * lengths[negative])
    # Undoing "difference to two before" is a running sum over every second number.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def pack_counts(counts: NDArray[np.integer] | Sequence[int]) -> bytes:
    """Return run lengths as packed RLE text (see :func:`unpack_counts`).

    Args:
        counts: run lengths, each from 0 to 2**40.
    """
    numbers = np.array(counts, np.int64)
    numbers[3:] -= np.asarray(counts, np.int64)[1:-2]
    groups: list[int] = []
    for number in numbers.tolist():
        rest = number
        more = True
        while more:
            group = rest & 31
            rest >>= 5
            # Done when what is left is only the sign that bit 4 of this group already shows.
            more = rest != (-1 if group & 16 else 0)
            groups.append(48 + (group | 32 if more else group))
    return bytes(groups)


def outline_toggles(points: NDArray[np.float64], width: int, height: int) -> Counts:
    """Return the sorted column-major positions at which coverage toggles."""
    columns, rows = _trace(points)
    # Between two steps in different fine columns the outline passes the left one's right side.
    step = np.flatnonzero(columns[1:] != columns[:-1])
    left = np.minimum(columns[step], columns[step + 1])
    top = np.minimum(rows[step], rows[step + 1])
    pixel_column, offset = np.divmod(left - _CENTRE, _SCALE)
    kept = (offset == 0) & (pixel_column >= 0) & (pixel_column < width)
    # Ceiling of the fine row in pixels: the first pixel whose centre lies below the outline.
    pixel_row = np.clip(-((_CENTRE - top[kept]) // _SCALE), 0, height)
    return np.sort(pixel_column[kept] * height + pixel_row)


def _trace(points: NDArray[np.float64]) -> tuple[Counts, Counts]:
    """Return the fine columns and rows of a closed outline, one entry per step of every edge."""
    fine = _SCALE * points + 0.5
    if not (np.abs(fine) < 2.0**31).all():
        raise DataError("a polygon coordinate is not finite, or absurdly far from the image")
    start = fine.astype(np.int64)  # towards zero, as the C cast of the COCO rule does
    end = np.roll(start, -1, axis=0)
    extent = np.abs(end - start)
    by_column = extent[:, 0] >= extent[:, 1]
    length = extent.max(axis=1)
    if (total := int(length.sum()) + len(length)) > _MAX_STEPS:
        raise DataError(f"a polygon outline is {total // _SCALE} pixels long, too long for a mask")

    # Every edge is walked along its longer axis, always upwards in that axis, so that an edge
    # shared by two polygons rounds the same way in both; `backwards` restores the order.
    axis = np.where(by_column, 0, 1)
    edge = np.arange(len(start))
    backwards = start[edge, axis] > end[edge, axis]
    low = np.where(backwards[:, None], end, start)
    high = np.where(backwards[:, None], start, end)
    slope = (high - low)[edge, 1 - axis] / np.maximum(length, 1)

    steps = length + 1
    of = np.repeat(edge, steps)
    along = np.arange(len(of)) - np.repeat(np.cumsum(steps) - steps, steps)
    along = np.where(backwards[of], length[of] - along, along)
    major = low[edge, axis][of] + along
    minor = (low[edge, 1 - axis][of] + slope[of] * along + 0.5).astype(np.int64)
    horizontal = by_column[of]
    return np.where(horizontal, major, minor), np.where(horizontal, minor, major)


def _cover(mask: Mask, toggles: Counts) -> None:
    """Set what lies between the sorted positions at which coverage toggles."""
    height, width = mask.shape
    # Only the columns that the outline spans; an odd toggle out leaves the rest covered.
    first = int(toggles[0]) // height
    beyond = width if len(toggles) % 2 else (int(toggles[-1]) - 1) // height + 1
    if first < beyond:
        start = first * height
        runs = np.diff(toggles, prepend=start, append=beyond * height)
        mask[:, first:beyond] |= _expand(runs, beyond - first, height)


def _expand(runs: Counts, width: int, height: int) -> Mask:
    values = (np.arange(len(runs)) & 1).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width, height).T)


def _described(runs: Counts, width: int, height: int) -> Counts:
    """Return run lengths if they describe a mask of that size."""
    # A float sum cannot wrap round, so absurd counts are refused and not added modulo 2**64.
    total = float(runs.sum(dtype=np.float64))
    if runs.ndim != 1 or (runs < 0).any() or total != width * height:
        raise DataError(f"RLE counts add up to {total:.0f}, not to {width} x {height} pixels")
    return runs


def _check_size(width: int, height: int) -> None:
    if width < 0 or height < 0 or width * height > _MAX_PIXELS:
        raise DataError(f"a mask of {width} x {height} pixels cannot be made")
