"""Sizes and objects of synthetic images, drawn to COCO's statistics.

Pure functions of a spec and an image's index: the same on every thread, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ftloader.detection.masks import encode_rle, polygons_to_mask
from ftloader.detection.synthetic.spec import (
    CATEGORIES,
    PERSON_SHARE,
    QUALITIES,
    SIZES,
    SyntheticSpec,
)
from ftloader.rng import sample_rng

Polygon = NDArray[np.float64]

_SIZE_LIST = np.array(list(SIZES))
_SIZE_SHARES = np.array(list(SIZES.values())) / 100
_CATEGORY_IDS = np.array(list(CATEGORIES))
# Person first, the others by a power law: few categories are common, many are rare.
_RANK_WEIGHTS = np.arange(2.0, 81.0) ** -0.6
_CATEGORY_SHARES = np.concatenate(
    [[PERSON_SHARE], (1 - PERSON_SHARE) * _RANK_WEIGHTS / _RANK_WEIGHTS.sum()]
)
_CROWD_SHARE = 0.01
_MULTIPART_SHARE = 0.067
_SMALLEST_SIDE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticObject:
    """One object: polygon parts, or for a crowd the polygons whose union its RLE encodes."""

    category_id: int
    parts: tuple[Polygon, ...]
    crowd: bool


@dataclass(frozen=True, slots=True, eq=False)
class ImagePlan:
    """Everything about an image but its pixels."""

    index: int
    width: int
    height: int
    quality: int
    objects: tuple[SyntheticObject, ...]


def plan_image(spec: SyntheticSpec, index: int) -> ImagePlan:
    """Draw the size, the JPEG quality and the objects of one image."""
    rng = sample_rng(spec.seed, 0, index, 0)
    width, height = draw_size(rng)
    quality = int(rng.choice(list(QUALITIES), p=list(QUALITIES.values())))
    objects = draw_objects(sample_rng(spec.seed, 0, index, 1), width, height)
    return ImagePlan(index, width, height, quality, objects)


def draw_size(rng: Generator) -> tuple[int, int]:
    """Draw an image's width and height: a common size, or else a long and a short edge."""
    pick = int(np.searchsorted(np.cumsum(_SIZE_SHARES), rng.random(), side="right"))
    if pick < len(_SIZE_LIST):
        return int(_SIZE_LIST[pick, 0]), int(_SIZE_LIST[pick, 1])
    large = rng.random() < 0.85
    long_edge, low, high = (640, 330, 520) if large else (500, 300, 410)
    short_edge = int(rng.integers(low, high, endpoint=True))
    landscape = rng.random() < 0.75
    return (long_edge, short_edge) if landscape else (short_edge, long_edge)


def draw_objects(rng: Generator, width: int, height: int) -> tuple[SyntheticObject, ...]:
    """Draw the objects of an image; one image in a hundred has none."""
    if rng.random() < 0.01:
        return ()
    dispersion, mean = 0.9, 6.3
    count = 1 + int(rng.negative_binomial(dispersion, dispersion / (dispersion + mean)))
    categories: list[int] = []
    for _ in range(count):
        # Objects of a kind come together: COCO has some 7 objects but 3 categories per image.
        if categories and rng.random() < 0.55:
            categories.append(categories[int(rng.integers(len(categories)))])
        else:
            categories.append(int(rng.choice(_CATEGORY_IDS, p=_CATEGORY_SHARES)))
    return tuple(_draw_object(rng, category, width, height) for category in categories)


def annotation_entry(
    thing: SyntheticObject, width: int, height: int, annotation_id: int, image_id: int
) -> dict[str, object]:
    """Return the object as an entry of a COCO file, coordinates to a hundredth of a pixel."""
    entry: dict[str, object] = {"id": annotation_id, "image_id": image_id}
    entry |= {"category_id": thing.category_id, "iscrowd": int(thing.crowd)}
    if thing.crowd:
        mask = polygons_to_mask(thing.parts, width, height)
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        low, high = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]]) + 1
        entry["area"] = int(mask.sum())
        entry["segmentation"] = {"counts": encode_rle(mask).tolist(), "size": [height, width]}
    else:
        points = np.concatenate([part.reshape(-1, 2) for part in thing.parts])
        low, high = points.min(axis=0), points.max(axis=0)
        entry["area"] = round(sum(_area(part) for part in thing.parts), 4)
        entry["segmentation"] = [part.tolist() for part in thing.parts]
    entry["bbox"] = [round(float(value), 2) for value in (*low, *(high - low))]
    return entry


def _draw_object(rng: Generator, category: int, width: int, height: int) -> SyntheticObject:
    crowd = rng.random() < _CROWD_SHARE
    side = np.sqrt(width * height) * (0.45 if crowd else rng.lognormal(-2.24, 1.02))
    aspect = np.clip(rng.lognormal(np.log(0.91), 0.76), 0.05, 20.0)
    extent = np.clip(
        side * np.array([np.sqrt(aspect), np.sqrt(1 / aspect)]),
        _SMALLEST_SIDE,
        np.array([width, height]) * 0.98,
    )
    corner = rng.random(2) * (np.array([width, height]) - extent)
    if crowd:
        # A handful of blobs across the region.
        parts = [
            _draw_polygon(rng, corner + rng.random(2) * extent * 0.6, extent * 0.4)
            for _ in range(6)
        ]
    elif rng.random() < _MULTIPART_SHARE:
        # An object behind a post: two parts side by side.
        left, right = extent * np.array([0.5, 1.0]), extent * np.array([0.4, 0.8])
        parts = [
            _draw_polygon(rng, corner, left),
            _draw_polygon(rng, corner + extent * np.array([0.6, 0.1]), right),
        ]
    else:
        parts = [_draw_polygon(rng, corner, extent)]
    return SyntheticObject(category, tuple(parts), crowd)


def _draw_polygon(rng: Generator, corner: NDArray[np.float64], extent: Polygon) -> Polygon:
    """Draw a smooth star-shaped polygon that touches all sides of a box, flat coordinates."""
    vertices = int(np.clip(rng.lognormal(np.log(15.5), 0.71), 5, 178))
    angle = (np.arange(vertices) + rng.uniform(-0.3, 0.3, vertices)) * (2 * np.pi / vertices)
    radius = np.ones(vertices)
    for wave in range(2, 6):
        radius += rng.normal(0, 0.55 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    radius = np.maximum(radius, 0.15)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points -= points.min(axis=0)
    points *= extent / points.max(axis=0)
    return np.round(corner + points, 2).ravel()


def _area(part: Polygon) -> float:
    """Return a polygon's area by the shoelace formula."""
    x, y = part[0::2], part[1::2]
    return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)
