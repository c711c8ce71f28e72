"""Outlines of many objects in columns: polygons and run lengths, as the file has them.

Only numbers and bytes are kept, which the garbage collector does not walk. Thread-safe: nothing
changes after construction.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.detection.annotations import Segmentation
from ftloader.detection.masks import Counts, Rle
from ftloader.errors import CocoError

# No coordinate lies farther out, pixels; what does is damage.
_FARTHEST = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class SegmentColumns:
    """The outlines of M objects; ``columns[row]`` gives one.

    Attributes:
        coordinates: float64 (K,), ``x0, y0, x1, y1, …`` of all polygon parts, pixels.
        part_offsets: int64 (P + 1,), where each part starts in ``coordinates``.
        object_offsets: int64 (M + 1,), where each object's parts start.
        rle_rows: int64 (M,), the object's row in the two columns below, or -1 for polygons.
        rle_sizes: int64 (R, 2), height and width in pixels.
        rle_counts: R run-length arrays (int64) or packed texts.
    """

    coordinates: NDArray[np.float64]
    part_offsets: NDArray[np.int64]
    object_offsets: NDArray[np.int64]
    rle_rows: NDArray[np.int64]
    rle_sizes: NDArray[np.int64]
    rle_counts: tuple[Counts | bytes, ...]

    def __len__(self) -> int:
        return len(self.rle_rows)

    def __getitem__(self, row: int) -> Segmentation:
        rle = int(self.rle_rows[row])
        if rle >= 0:
            height, width = self.rle_sizes[rle].tolist()
            return Rle(height, width, self.rle_counts[rle])
        first, last = self.object_offsets[row : row + 2].tolist()
        bounds = self.part_offsets[first : last + 1].tolist()
        return tuple(self.coordinates[bounds[k] : bounds[k + 1]] for k in range(last - first))


def parse_segments(entries: Sequence[Mapping[str, Any]]) -> SegmentColumns:
    """Collect the ``segmentation`` of annotation entries; a missing one counts as no outline.

    Raises:
        CocoError: a segmentation is neither a list of polygons nor an RLE.
    """
    coordinates = array("d")
    part_ends, object_ends, rle_rows, rle_sizes = (array("q") for _ in range(4))
    rle_counts: list[Counts | bytes] = []
    for entry in entries:
        outline = entry.get("segmentation")
        rle_row = -1
        try:
            if isinstance(outline, dict):
                rle_sizes.extend(_rle_size(outline))
                rle_row = len(rle_counts)
                rle_counts.append(_rle_counts(outline))
            elif outline is not None:
                for part in _polygon_list(outline):
                    # An array refuses text and None, which NumPy would turn into numbers.
                    coordinates.extend(part)
                    part_ends.append(len(coordinates))
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise CocoError(
                f"annotation {entry['id']}: segmentation is neither a list of polygons "
                f"[[x0, y0, x1, y1, ...], ...] nor an RLE with counts and size"
            ) from error
        object_ends.append(len(part_ends))
        rle_rows.append(rle_row)
    points, parts, objects = _column(coordinates), _offsets(part_ends), _offsets(object_ends)
    wild = np.flatnonzero(~(np.abs(points) < _FARTHEST))
    if len(wild):
        part = np.searchsorted(parts, wild[0], side="right") - 1
        row = int(np.searchsorted(objects, part, side="right")) - 1
        raise CocoError(f"annotation {entries[row]['id']}: segmentation reaches {points[wild[0]]}")
    return SegmentColumns(
        coordinates=points,
        part_offsets=parts,
        object_offsets=objects,
        rle_rows=frozen(np.asarray(rle_rows, np.int64)),
        rle_sizes=frozen(np.asarray(rle_sizes, np.int64).reshape(-1, 2)),
        rle_counts=tuple(rle_counts),
    )


def frozen[A: NDArray[Any]](column: A) -> A:
    """Return the array, made read-only."""
    column.flags.writeable = False
    return column


def _column(values: array[float]) -> NDArray[np.float64]:
    return frozen(np.array(values, np.float64))


def _offsets(ends: array[int]) -> NDArray[np.int64]:
    return frozen(np.concatenate([np.zeros(1, np.int64), np.asarray(ends, np.int64)]))


def _polygon_list(outline: object) -> list[list[float]]:
    if not isinstance(outline, list) or not all(type(part) is list for part in outline):
        raise TypeError("not a list of lists")
    return outline


def _rle_size(outline: Mapping[str, Any]) -> tuple[int, int]:
    height, width = outline["size"]
    if type(height) is not int or type(width) is not int or min(height, width) < 0:
        raise ValueError("size must be two counts of pixels")
    return height, width


def _rle_counts(outline: Mapping[str, Any]) -> Counts | bytes:
    counts = outline["counts"]
    if isinstance(counts, str):
        return counts.encode("ascii")
    return frozen(np.array(array("q", counts), np.int64))
