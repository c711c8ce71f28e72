"""From the sections of a COCO document to columns: the rules of mmdet's ``CocoDataset``.

Pure and thread-safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftloader.detection._coco_fields import Fields, check_unique, integers, section, texts
from ftloader.detection._coco_segments import frozen
from ftloader.errors import CocoError


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
    """The annotations kept, grouped by image; ``skipped`` counts the others by rule.

    ``rows`` says where each of them stands in the file.
    """

    offsets: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    areas: NDArray[np.float64]
    ids: NDArray[np.int64]
    rows: NDArray[np.intp]
    skipped: dict[str, int]


def parse_images(document: object) -> ImageColumns:
    """Read the ``images`` section."""
    entries = section(document, "images")
    ids = check_unique(integers(entries, "id", "image"), "image")
    widths, heights = (integers(entries, key, "image") for key in ("width", "height"))
    empty = np.flatnonzero((widths < 1) | (heights < 1))
    if len(empty):
        i = int(empty[0])
        raise CocoError(f"image {ids[i]}: a size of {widths[i]} x {heights[i]} pixels")
    names = texts(entries, "file_name", "image", ids)
    return ImageColumns(frozen(ids), names, frozen(widths), frozen(heights))


def parse_classes(document: object, wanted: Sequence[str] | None) -> ClassColumns:
    """Read the ``categories`` section and choose the wanted names, in their order."""
    entries = section(document, "categories")
    ids = check_unique(integers(entries, "id", "category"), "category")
    names = texts(entries, "name", "category", ids)
    if wanted is None:
        return ClassColumns(names, tuple(ids.tolist()))
    by_name = dict(zip(names, ids.tolist(), strict=True))
    if missing := [name for name in wanted if name not in by_name]:
        raise CocoError(f"no category is called {missing[0]!r}")
    return ClassColumns(tuple(wanted), tuple(by_name[name] for name in wanted))


def parse_objects(fields: Fields, images: ImageColumns, classes: ClassColumns) -> ObjectColumns:
    """Choose the annotations to keep by the rules, and group them by image."""
    image = _positions(images.ids, fields.image_ids)
    labels = _positions(np.array(classes.category_ids, np.int64), fields.category_ids)
    areas, boxes = fields.areas, fields.boxes
    rules = {
        "unknown_image": image < 0,
        "ignore": fields.ignore,
        "outside": _outside(boxes, _take(images.widths, image), _take(images.heights, image)),
        "degenerate": (areas <= 0) | (boxes[:, 2:] < 1).any(axis=1),
        "unknown_category": labels < 0,
    }
    keep, skipped = _apply(rules, len(areas))
    order = np.flatnonzero(keep)
    order = order[np.argsort(image[order], kind="stable")]
    per_image = np.bincount(image[order], minlength=len(images.ids))
    # Corners in float64 first: float32 is for the result, not for the sum.
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return ObjectColumns(
        offsets=frozen(np.concatenate([np.zeros(1, np.int64), np.cumsum(per_image)])),
        boxes=frozen(corners[order].astype(np.float32)),
        labels=frozen(labels[order]),
        crowd=frozen(fields.crowd[order]),
        areas=frozen(areas[order]),
        ids=frozen(fields.ids[order]),
        rows=order,
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
