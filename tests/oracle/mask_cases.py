"""Polygons and bitmaps that the mask routines are compared on, from a fixed stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.oracle.references import coco_masks

POLYGON_CASES = 240
BITMAP_CASES = 40

Polygon = NDArray[np.float64]


def polygon_case(rng: np.random.Generator, case: int) -> tuple[list[Polygon], int, int]:
    """Return the parts, width and height of one object; cases differ in kind, not only in size."""
    width, height = (int(n) for n in rng.integers(1, 160, 2))
    parts = []
    for _ in range(1 + (case % 4 == 0)):
        low, high = (-0.5, 1.5) if case % 3 == 0 else (0.0, 1.0)
        points = rng.uniform(low, high, (int(rng.integers(3, 14)), 2)) * [width, height]
        if case % 8 != 1:
            points = np.round(points, 2)  # as COCO files have them
        if case % 5 == 0:
            points = np.round(points)  # on pixel borders
        elif case % 7 == 0:
            points = np.floor(points) + 0.5  # on pixel centres
        if case % 11 == 0:
            points[1] = points[0]  # an edge of no length
        parts.append(points.ravel())
    return parts, width, height


def packed_by_coco(parts: list[Polygon], width: int, height: int) -> bytes:
    """Return pycocotools' packed run lengths of polygon parts."""
    encoded = coco_masks.frPyObjects([part.tolist() for part in parts], height, width)
    counts: bytes = coco_masks.merge(encoded)["counts"]
    return counts


def golden_masks() -> dict[str, Any]:
    """Return the arrays of ``tests/golden/masks.npz``."""
    rng = np.random.default_rng(20261121)
    coordinates: list[Polygon] = []
    part_lengths, part_cases, sizes, packed = [], [], [], []
    for case in range(POLYGON_CASES):
        parts, width, height = polygon_case(rng, case)
        coordinates += parts
        part_lengths += [len(part) for part in parts]
        part_cases += [case] * len(parts)
        sizes.append((width, height))
        packed.append(packed_by_coco(parts, width, height))

    bitmaps, bitmap_sizes, bitmap_packed = [], [], []
    for case in range(BITMAP_CASES):
        width, height = (int(n) for n in rng.integers(1, 40, 2))
        bitmap = (rng.random((height, width)) < case / (BITMAP_CASES - 1)).astype(np.uint8)
        bitmaps.append(np.packbits(bitmap))
        bitmap_sizes.append((width, height))
        bitmap_packed.append(coco_masks.encode(np.asfortranarray(bitmap))["counts"])

    return {
        "coordinates": np.concatenate(coordinates),
        "part_lengths": np.array(part_lengths, np.int16),
        "part_cases": np.array(part_cases, np.int16),
        "sizes": np.array(sizes, np.int16),
        "packed": np.frombuffer(b"\n".join(packed), np.uint8),
        "bitmaps": np.concatenate(bitmaps),
        "bitmap_sizes": np.array(bitmap_sizes, np.int16),
        "bitmap_packed": np.frombuffer(b"\n".join(bitmap_packed), np.uint8),
    }
