"""Outlines of many objects in columns: polygons and run lengths, as the file has them.

Only numbers and bytes are kept, which the garbage collector does not walk. Thread-safe: nothing
changes after construction.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.detection._coco_numbers import parse_numbers
from ftloader.detection.annotations import Segmentation
from ftloader.detection.masks import Counts, Rle
from ftloader.errors import CocoError

# No coordinate lies farther out, pixels; what does is damage.
_FARTHEST = 1e6
# Outlines whose text is read at once: what fits the processor's cache.
_AT_ONCE = 512


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
        return self.take(row, row + 1)[0]

    def take(self, first: int, last: int) -> tuple[Segmentation, ...]:
        """Return the outlines of objects ``first`` to ``last - 1``.

        Their coordinates are views into one small array of their own, so that whoever keeps them
        does not keep all the others.
        """
        objects = self.object_offsets[first : last + 1].tolist()
        bounds = self.part_offsets[objects[0] : objects[-1] + 1].tolist()
        points = frozen(self.coordinates[bounds[0] : bounds[-1]].copy())
        parts = [points[a - bounds[0] : b - bounds[0]] for a, b in pairwise(bounds)]
        start = objects[0]
        rles = self.rle_rows[first:last].tolist()
        return tuple(
            tuple(parts[a - start : b - start]) if rle < 0 else self._rle(rle)
            for (a, b), rle in zip(pairwise(objects), rles, strict=True)
        )

    def _rle(self, row: int) -> Rle:
        height, width = self.rle_sizes[row].tolist()
        return Rle(height, width, self.rle_counts[row])


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


def parse_outlines(outlines: Sequence[bytes], rows: NDArray[np.intp]) -> SegmentColumns:
    """Collect outlines from JSON text.

    Args:
        outlines: the text of each: a list of polygons without its outer brackets, an RLE object,
            or ``b""`` where there is no outline.
        rows: int (M,), which of them are wanted, in this order. The others must be JSON as well.

    Raises:
        ValueError: an outline is malformed; the text does not say whose.
    """
    wanted = np.zeros(len(outlines), bool)
    wanted[rows] = True
    texts = [outlines[k] for k in (*rows.tolist(), *np.flatnonzero(~wanted).tolist())]
    # The first character of a text tells an RLE from polygons; there is none without an outline.
    first = np.array([text[0] if text else 0 for text in texts], np.uint8)
    is_rle, is_polygon = first == ord("{"), (first != ord("{")) & (first != 0)
    rles = [json.loads(texts[k].decode()) for k in np.flatnonzero(is_rle).tolist()]
    is_rle = is_rle[: len(rows)]
    rles = rles[: int(is_rle.sum())]
    points, part_ends, parts = _polygon_columns([texts[k] for k in np.flatnonzero(is_polygon)])
    per_object = np.zeros(len(texts), np.int64)
    per_object[is_polygon] = parts
    objects = _offsets(np.cumsum(per_object[: len(rows)]))
    part_offsets = _offsets(part_ends[: objects[-1]])
    if part_offsets[-1] < len(points):
        points = points[: part_offsets[-1]].copy()
    if not (points.min(initial=0) > -_FARTHEST and points.max(initial=0) < _FARTHEST):
        raise ValueError("a segmentation reaches too far")
    try:
        sizes = [_rle_size(outline) for outline in rles]
        counts = tuple(_rle_counts(outline) for outline in rles)
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError("an RLE without counts or size") from error
    return SegmentColumns(
        coordinates=frozen(points),
        part_offsets=part_offsets,
        object_offsets=objects,
        rle_rows=frozen(np.where(is_rle, np.cumsum(is_rle) - 1, -1)),
        rle_sizes=frozen(np.array(sizes, np.int64).reshape(-1, 2)),
        rle_counts=counts,
    )


def _polygon_columns(
    texts: Sequence[bytes],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return all coordinates, where each part ends in them, and how many parts each text has."""
    points = np.empty(sum(text.count(b",") for text in texts) + len(texts))
    part_ends, parts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    total = 0
    for first in range(0, len(texts), _AT_ONCE):
        some = texts[first : first + _AT_ONCE]
        text = b"#".join(some) + b"#"
        if b"*" in text or text.count(b"#") != len(some):
            raise ValueError("not a number")
        # Every separator becomes one character: "," in a part, "*" behind it, "#" behind a text.
        text = text.replace(b"],[", b"*").replace(b"], [", b"*")
        codes = np.frombuffer(text, np.uint8)
        ends = np.flatnonzero((codes == ord(",")) | (codes == ord("*")) | (codes == ord("#")))
        starts = np.concatenate([[0], ends[:-1] + 1])
        if b" " in text:
            starts += codes[starts] == ord(" ")
        points[total : total + len(ends)] = parse_numbers(text, starts, ends)[0]
        kinds = codes[ends]
        last_numbers = np.flatnonzero(kinds != ord(","))
        part_ends.append(last_numbers + (total + 1))
        parts.append(np.diff(np.flatnonzero(kinds[last_numbers] == ord("#")), prepend=-1))
        total += len(ends)
    return points, np.concatenate(part_ends), np.concatenate(parts)


def frozen[A: NDArray[Any]](column: A) -> A:
    """Return the array, made read-only."""
    column.flags.writeable = False
    return column


def _column(values: array[float]) -> NDArray[np.float64]:
    return frozen(np.array(values, np.float64))


def _offsets(ends: array[int] | NDArray[np.int64]) -> NDArray[np.int64]:
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
