"""Boxes and areas of instance masks, without making the masks.

The same numbers as from the bitmaps, but cheaper: an outline is traced and no pixel is filled.

All functions are pure and thread-safe; inputs are never written.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ftloader.detection._spans import Spans
from ftloader.detection.annotations import Annotations, instance_masks, mask_boxes
from ftloader.detection.masks import Mask, Rle, outline_toggles, usable_polygons
from ftloader.errors import DataError

# Mask pixels as column-major positions: int64 (R, 2), first one and the one after the last, both
# of one column.
Runs = NDArray[np.int64]
Polygons = tuple[NDArray[np.float64], ...]


def tight_boxes(annotations: Annotations, width: int, height: int) -> NDArray[np.float32]:
    """Return the tight box of every object's mask.

    Args:
        annotations: the objects of one image.
        width: width of the image, pixels.
        height: height of the image, pixels.

    Returns:
        float32 (N, 4), ``x1, y1, x2, y2`` in pixels; all 0 where the mask is empty. The same as
        ``mask_boxes`` of ``instance_masks``.

    Raises:
        DataError: as ``instance_masks``.
    """
    boxes = np.zeros((len(annotations), 4), np.float32)
    for i, outline in enumerate(annotations.segmentations):
        if isinstance(outline, np.ndarray):
            boxes[i] = mask_boxes(_bitmap(annotations, i, width, height))[0]
        else:
            boxes[i] = _box(_runs(outline, annotations.ids[i], width, height), height)
    return boxes


def mask_areas(annotations: Annotations, width: int, height: int) -> NDArray[np.int64]:
    """Return how many pixels every object's mask has inside the image: int64 (N,).

    Args:
        annotations: the objects of one image.
        width: width of the image, pixels.
        height: height of the image, pixels.

    Raises:
        DataError: as ``instance_masks``.
    """
    areas = np.zeros(len(annotations), np.int64)
    for i, outline in enumerate(annotations.segmentations):
        if isinstance(outline, np.ndarray):
            areas[i] = np.count_nonzero(_bitmap(annotations, i, width, height))
        else:
            areas[i] = _area(_runs(outline, annotations.ids[i], width, height))
    return areas


def _bitmap(annotations: Annotations, i: int, width: int, height: int) -> Mask:
    return instance_masks(annotations.take(np.array([i])), width, height)


def _runs(outline: Polygons | Rle, name: np.int64, width: int, height: int) -> Runs:
    """Return the runs of an object, none of them empty; those of several parts may overlap."""
    try:
        if isinstance(outline, Rle):
            spans = Spans.of(outline, (width, height))
            runs = np.stack([spans.top, spans.bottom], axis=1) + height * spans.column[:, None]
        else:
            parts = [_part_runs(part, width, height) for part in usable_polygons(outline)]
            runs = np.concatenate([np.zeros((0, 2), np.int64), *parts])
    except DataError as error:
        raise DataError(f"annotation {name}: {error}") from error
    return runs[runs[:, 0] < runs[:, 1]]


def _part_runs(part: NDArray[np.float64], width: int, height: int) -> Runs:
    # A closed outline crosses every column an even number of times: no run leaves its column.
    return outline_toggles(part.reshape(-1, 2), width, height).reshape(-1, 2)


def _box(runs: Runs, height: int) -> tuple[float, float, float, float]:
    if not len(runs):
        return 0, 0, 0, 0
    left, top = np.divmod(runs[:, 0], height)
    right, bottom = np.divmod(runs[:, 1] - 1, height)
    return left.min(), top.min(), right.max() + 1, bottom.max() + 1


def _area(runs: Runs) -> int:
    """Return how many pixels are in any run."""
    at = runs.reshape(-1)
    order = np.argsort(at, kind="stable")
    depth = np.cumsum(np.where(order % 2 == 0, 1, -1))
    return int(np.diff(at[order])[depth[:-1] > 0].sum())
