"""The fields of annotations as columns: from parsed JSON, checked in bulk.

Only when a check fails is the culprit looked for, so that a good file of a million annotations
costs no Python statement per rule and annotation. Pure and thread-safe.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.errors import CocoError

Entries = list[dict[str, Any]]

# No pixel coordinate or area is larger; beyond it float32 boxes lose their meaning.
LARGEST = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """What annotations say of themselves but for their outlines, in the file's order.

    Attributes:
        ids: int64 (M,).
        image_ids: int64 (M,).
        category_ids: int64 (M,).
        areas: float64 (M,), square pixels.
        boxes: float64 (M, 4), ``x, y, width, height`` in pixels.
        crowd: bool (M,).
        ignore: bool (M,).
    """

    ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    areas: NDArray[np.float64]
    boxes: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    ignore: NDArray[np.bool_]


def fields_of_entries(entries: Entries) -> Fields:
    """Collect the fields of parsed annotations.

    Raises:
        CocoError: a field is missing or malformed; the message names the annotation.
    """
    return Fields(
        ids=check_unique(integers(entries, "id", "annotation"), "annotation"),
        image_ids=integers(entries, "image_id", "annotation"),
        category_ids=integers(entries, "category_id", "annotation"),
        areas=_numbers(entries, "area", "annotation"),
        boxes=_boxes(entries),
        crowd=np.array([bool(entry.get("iscrowd", False)) for entry in entries], bool),
        ignore=np.array([bool(entry.get("ignore", False)) for entry in entries], bool),
    )


def section(document: object, key: str) -> Entries:
    """Return a list of objects out of the document.

    Raises:
        CocoError: there is none, or something else is in it.
    """
    if not isinstance(document, dict) or not isinstance(document.get(key), list):
        raise CocoError(f"no list of {key!r}: not a COCO instances file")
    entries: Entries = document[key]
    for i, entry in enumerate(entries):
        if type(entry) is not dict:
            raise CocoError(f"{key}[{i}] is not an object but {_short(entry)}")
    return entries


def texts(entries: Entries, key: str, noun: str, ids: NDArray[np.int64]) -> tuple[str, ...]:
    """Return a field that must be text; errors name the entry by its id."""
    found = []
    for entry, number in zip(entries, ids, strict=True):
        text = entry.get(key)
        if not isinstance(text, str) or not text:
            raise CocoError(f"{noun} {number}: {key} must be text, not {_short(text)}")
        found.append(text)
    return tuple(found)


def integers(entries: Entries, key: str, noun: str) -> NDArray[np.int64]:
    """Return a field that must be a whole number; errors name the entry."""
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
        if (np.abs(column) < LARGEST).all():
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
            if (np.abs(column) < LARGEST).all():
                return column
    except (KeyError, TypeError, OverflowError):
        pass
    for i, entry in enumerate(entries):
        row = entry.get("bbox")
        if not (isinstance(row, list) and len(row) == 4 and all(map(_is_number, row))):
            raise _malformed(entries, i, "annotation", "bbox", "four numbers [x, y, width, height]")
    raise AssertionError("unreachable: boxes that do not fit the column")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < LARGEST


def _malformed(entries: Entries, i: int, noun: str, key: str, wanted: str) -> CocoError:
    entry = entries[i]
    who = f"{noun} {entry['id']}" if isinstance(entry.get("id"), int) else f"{noun} number {i}"
    if key not in entry:
        return CocoError(f"{who}: no {key!r}")
    return CocoError(f"{who}: {key} must be {wanted}, not {_short(entry[key])}")


def check_unique(ids: NDArray[np.int64], noun: str) -> NDArray[np.int64]:
    """Return the ids if none is used twice."""
    ordered = np.sort(ids)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise CocoError(f"{noun} {twice[0]}: the id is used twice")
    return ids


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
