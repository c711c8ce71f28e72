"""Bounds and defects of every outline of a data set, without rasterising any of them.

Polygons are handled in bulk; run lengths one by one, as their text has to be unpacked. Pure and
deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftloader.detection import CocoIndex, Rle
from ftloader.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """What is known of M outlines.

    Attributes:
        bounds: float64 (M, 4), ``x1, y1, x2, y2`` in pixels; NaN where there is no usable outline.
        broken_part: bool (M,), a polygon part has fewer than three points or half a point.
        broken_rle: bool (M,), run lengths are damaged, or for an image of another size.
        empty_rle: bool (M,), run lengths without a single pixel inside.
        is_rle: bool (M,).
    """

    bounds: NDArray[np.float64]
    broken_part: NDArray[np.bool_]
    broken_rle: NDArray[np.bool_]
    empty_rle: NDArray[np.bool_]
    is_rle: NDArray[np.bool_]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Tell which annotations have an outline that encloses something."""
        return ~np.isnan(self.bounds[:, 0])


def outlines(index: CocoIndex, widths: NDArray[np.int64], heights: NDArray[np.int64]) -> Outlines:
    """Measure every outline.

    Args:
        index: the annotations.
        widths: (M,), width of each annotation's image, pixels.
        heights: (M,), height of each annotation's image, pixels.
    """
    bounds, broken_part = _polygons(index)
    is_rle = index.segments.rle_rows >= 0
    broken_rle, empty_rle = np.zeros_like(is_rle), np.zeros_like(is_rle)
    for row in np.flatnonzero(is_rle).tolist():
        outline = index.segments[row]
        assert isinstance(outline, Rle)
        try:
            found = _rle_bounds(outline, int(widths[row]), int(heights[row]))
        except DataError:
            broken_rle[row] = True
            continue
        if found is None:
            empty_rle[row] = True
        else:
            bounds[row] = found
    return Outlines(bounds, broken_part, broken_rle, empty_rle, is_rle)


def _polygons(index: CocoIndex) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the bounds of usable parts per annotation, and which have an unusable part."""
    segments, count = index.segments, len(index.labels)
    lengths = np.diff(segments.part_offsets)
    owner = np.repeat(np.arange(count), np.diff(segments.object_offsets))
    usable = (lengths >= 6) & (lengths % 2 == 0)
    broken = np.zeros(count, bool)
    broken[owner[~usable]] = True
    bounds = np.full((count, 4), np.nan)
    if usable.any():
        points = segments.coordinates[np.repeat(usable, lengths)].reshape(-1, 2)
        # Parts of one object follow each other: one reduction over all points of the object.
        objects, first_part = np.unique(owner[usable], return_index=True)
        starts = np.concatenate([[0], np.cumsum(lengths[usable] // 2)])[first_part]
        bounds[objects, :2] = np.minimum.reduceat(points, starts)
        bounds[objects, 2:] = np.maximum.reduceat(points, starts)
    return bounds, broken


def _rle_bounds(rle: Rle, width: int, height: int) -> tuple[float, float, float, float] | None:
    """Return the tight box of run lengths, None where they enclose nothing.

    Raises:
        DataError: they are damaged, or not for an image of this size.
    """
    counts = rle.runs(width, height)
    ends = np.cumsum(counts)
    start, end = (ends - counts)[1::2], ends[1::2]
    inside = end > start
    if not inside.any():
        return None
    start, last = start[inside], end[inside] - 1
    # A run that goes on in the next column touches the bottom of one and the top of the other.
    wraps = bool((start // height != last // height).any())
    top = 0 if wraps else int((start % height).min())
    bottom = height if wraps else int((last % height).max()) + 1
    return float(start[0] // height), float(top), float(last[-1] // height) + 1, float(bottom)
