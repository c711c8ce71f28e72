"""From a parsed COCO document to columns: the rules of mmdet's ``CocoDataset``, vectorised.

Entries are checked in bulk; only when a check fails is the culprit looked for, so that a good file
of a million annotations costs no Python statement per rule and annotation.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.detection._coco_segments import SegmentColumns, frozen, parse_segments
from ftloader.errors import CocoError

Entries = list[dict[str, Any]]

# No pixel coordinate or area is larger; beyond it float32 boxes lose their meaning.
_LARGEST = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class ImageColumns:
    """The ``images`` of a file, in its order."""

    ids: NDArray[np.int64]
    file_names: tuple[str, ...]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassColumns:
    """The classes wanted, in label order."""

    names: tuple[str, ...]
    category_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectColumns:
    """The annotations kept, grouped by image; ``skipped`` counts the others by rule."""

    offsets: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    areas: NDArray[np.float64]
    ids: NDArray[np.int64]
    segments: SegmentColumns
    skipped: dict[str, int]


def parse_images(document: object) -> ImageColumns:
    """Read the ``images`` section."""
    entries = _section(document, "images")
    ids = _integers(entries, "id", "image")
    _check_unique(ids, "image")
    widths, heights = (_integers(entries, key, "image") for key in ("width", "height"))
    empty = np.flatnonzero((widths < 1) | (heights < 1))
    if len(empty):
        i = int(empty[0])
        raise CocoError(f"image {ids[i]}: a size of {widths[i]} x {heights[i]} pixels")
    names = _texts(entries, "file_name", "image", ids)
    return ImageColumns(frozen(ids), names, frozen(widths), frozen(heights))


def parse_classes(document: object, wanted: Sequence[str] | None) -> ClassColumns:
    """Read the ``categories`` section and choose the wanted names, in their order."""
    entries = _section(document, "categories")
    ids = _integers(entries, "id", "category")
    _check_unique(ids, "category")
    names = _texts(entries, "name", "category", ids)
    if wanted is None:
        return ClassColumns(names, tuple(ids.tolist()))
    by_name = dict(zip(names, ids.tolist(), strict=True))
    if missing := [name for name in wanted if name not in by_name]:
        raise CocoError(f"no category is called {missing[0]!r}")
    return ClassColumns(tuple(wanted), tuple(by_name[name] for name in wanted))


def parse_objects(document: object, images: ImageColumns, classes: ClassColumns) -> ObjectColumns:
    """Read the ``annotations`` section by the rules."""
    entries = _section(document, "annotations")
    ids = _integers(entries, "id", "annotation")
    _check_unique(ids, "annotation")
    image = _positions(images.ids, _integers(entries, "image_id", "annotation"))
    labels = _positions(
        np.array(classes.category_ids, np.int64), _integers(entries, "category_id", "annotation")
    )
    areas = _numbers(entries, "area", "annotation")
    boxes = _boxes(entries)
    crowd = np.array([bool(entry.get("iscrowd", False)) for entry in entries], bool)
    ignore = np.array([bool(entry.get("ignore", False)) for entry in entries], bool)

    rules = {
        "unknown_image": image < 0,
        "ignore": ignore,
        "outside": _outside(boxes, _take(images.widths, image), _take(images.heights, image)),
        "degenerate": (areas <= 0) | (boxes[:, 2:] < 1).any(axis=1),
        "unknown_category": labels < 0,
    }
    keep, skipped = _apply(rules, len(entries))
    order = np.flatnonzero(keep)
    order = order[np.argsort(image[order], kind="stable")]
    per_image = np.bincount(image[order], minlength=len(images.ids))
    # Corners in float64 first: float32 is for the result, not for the sum.
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return ObjectColumns(
        offsets=frozen(np.concatenate([np.zeros(1, np.int64), np.cumsum(per_image)])),
        boxes=frozen(corners[order].astype(np.float32)),
        labels=frozen(labels[order]),
        crowd=frozen(crowd[order]),
        areas=frozen(areas[order]),
        ids=frozen(ids[order]),
        segments=parse_segments([entries[i] for i in order.tolist()]),
        skipped=skipped,
    )


def _outside(
    boxes: NDArray[np.float64], widths: NDArray[np.int64], heights: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which boxes (x, y, width, height) do not overlap their image."""
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], np.stack([widths, heights], axis=1))
    outside: NDArray[np.bool_] = np.any(high <= low, axis=1)
    return outside


def _apply(
    rules: dict[str, NDArray[np.bool_]], count: int
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which entries no rule skips, and how many each rule was the first to skip."""
    keep = np.ones(count, bool)
    skipped = {}
    for rule, applies in rules.items():
        skipped[rule] = int((keep & applies).sum())
        keep &= ~applies
    return keep, skipped


def _section(document: object, key: str) -> Entries:
    """Return a list of objects out of the document."""
    if not isinstance(document, dict) or not isinstance(document.get(key), list):
        raise CocoError(f"no list of {key!r}: not a COCO instances file")
    entries: Entries = document[key]
    for i, entry in enumerate(entries):
        if type(entry) is not dict:
            raise CocoError(f"{key}[{i}] is not an object but {_short(entry)}")
    return entries


def _texts(entries: Entries, key: str, noun: str, ids: NDArray[np.int64]) -> tuple[str, ...]:
    texts = []
    for entry, number in zip(entries, ids, strict=True):
        text = entry.get(key)
        if not isinstance(text, str) or not text:
            raise CocoError(f"{noun} {number}: {key} must be text, not {_short(text)}")
        texts.append(text)
    return tuple(texts)


def _integers(entries: Entries, key: str, noun: str) -> NDArray[np.int64]:
    try:
        # An array of type q takes whole numbers only: NumPy would also take text and fractions.
        return np.array(array("q", [entry[key] for entry in entries]), np.int64)
    except (KeyError, TypeError, OverflowError):
        pass
    for i, entry in enumerate(entries):
        value = entry.get(key)
        if not isinstance(value, int) or not -(2**63) <= value < 2**63:
            raise _malformed(entries, i, noun, key, "a whole number")
    raise AssertionError("unreachable: a whole number that does not fit the column")


def _numbers(entries: Entries, key: str, noun: str) -> NDArray[np.float64]:
    try:
        column = np.array(array("d", [entry[key] for entry in entries]), np.float64)
        if (np.abs(column) < _LARGEST).all():
            return column
    except (KeyError, TypeError, OverflowError):
        pass
    for i, entry in enumerate(entries):
        if not _is_number(entry.get(key)):
            raise _malformed(entries, i, noun, key, "a number")
    raise AssertionError("unreachable: a number that does not fit the column")


def _boxes(entries: Entries) -> NDArray[np.float64]:
    """Return the boxes as x, y, width, height: float64 (M, 4)."""
    try:
        rows = [entry["bbox"] for entry in entries]
        if all(type(row) is list and len(row) == 4 for row in rows):
            flat = array("d", chain.from_iterable(rows))
            column = np.array(flat, np.float64).reshape(-1, 4)
            if (np.abs(column) < _LARGEST).all():
                return column
    except (KeyError, TypeError, OverflowError):
        pass
    for i, entry in enumerate(entries):
        row = entry.get("bbox")
        if not (isinstance(row, list) and len(row) == 4 and all(map(_is_number, row))):
            raise _malformed(entries, i, "annotation", "bbox", "four numbers [x, y, width, height]")
    raise AssertionError("unreachable: boxes that do not fit the column")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _LARGEST


def _malformed(entries: Entries, i: int, noun: str, key: str, wanted: str) -> CocoError:
    entry = entries[i]
    who = f"{noun} {entry['id']}" if isinstance(entry.get("id"), int) else f"{noun} number {i}"
    if key not in entry:
        return CocoError(f"{who}: no {key!r}")
    return CocoError(f"{who}: {key} must be {wanted}, not {_short(entry[key])}")


def _check_unique(ids: NDArray[np.int64], noun: str) -> None:
    ordered = np.sort(ids)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise CocoError(f"{noun} {twice[0]}: the id is used twice")


def _positions(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each wanted id stands in ``ids``, or -1."""
    if not len(ids):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(ids, kind="stable")
    slot = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
    found = order[slot]
    return np.where(ids[found] == wanted, found, -1)


def _take(column: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the column at each row; the value at row -1 means nothing."""
    return column[rows] if len(column) else np.zeros(len(rows), np.int64)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
