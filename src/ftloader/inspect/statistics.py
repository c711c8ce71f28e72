"""What a data set is made of, in figures: sizes, shapes, objects, classes.

Everything comes from the annotation index; no image is read. Pure and deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ftloader.detection import CocoIndex

#: COCO's limits between small, medium and large objects: annotated areas, square pixels.
SMALL, LARGE = 32**2, 96**2

Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Spread:
    """How the values of one quantity are spread; ``p5`` is the 5th percentile."""

    min: float
    p1: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float
    max: float
    mean: float

    @classmethod
    def of(cls, values: Numbers) -> Spread | None:
        """Describe values (any number of them); None where there are none."""
        if not len(values):
            return None
        # Whole numbers keep to values that occur: nobody has 1.95 objects.
        method: Literal["inverted_cdf", "linear"]
        method = "inverted_cdf" if values.dtype.kind in "iu" else "linear"
        points = np.percentile(values, [0, 1, 5, 25, 50, 75, 95, 99, 100], method=method)
        return cls(*(float(value) for value in (*points, values.mean(dtype=np.float64))))


@dataclass(frozen=True, slots=True)
class SizeCount:
    """An image size and how many images have it."""

    width: int
    height: int
    images: int


@dataclass(frozen=True, slots=True)
class ImageFigures:
    """The images.

    Attributes:
        count: all of them.
        without_objects: those without any annotation that the index keeps.
        crowd_only: those whose annotations are all crowd regions, so nothing to train on.
        landscape: wider than high.
        portrait: higher than wide.
        square: neither.
        width: pixels.
        height: pixels.
        pixels: width times height.
        aspect: width by height.
        sizes: every size there is, the most frequent first.
    """

    count: int
    without_objects: int
    crowd_only: int
    landscape: int
    portrait: int
    square: int
    width: Spread | None
    height: Spread | None
    pixels: Spread | None
    aspect: Spread | None
    sizes: tuple[SizeCount, ...]


@dataclass(frozen=True, slots=True)
class ObjectFigures:
    """The objects: annotations that are no crowd region.

    Attributes:
        count: all of them.
        crowd: crowd regions, which all other figures leave out.
        small: annotated area below 32 x 32 square pixels.
        medium: between the two.
        large: annotated area above 96 x 96 square pixels.
        per_image: objects in an image.
        images_by_count: how many images have 0, 1, 2, … objects.
        area: as annotated, square pixels.
        box_width: pixels.
        box_height: pixels.
        box_aspect: width by height.
        box_scale: square root of the box's share of its image, 0 to 1.
        with_polygons: outlines that are polygons.
        with_rle: outlines that are run-length encoded.
        without_outline: neither.
    """

    count: int
    crowd: int
    small: int
    medium: int
    large: int
    per_image: Spread | None
    images_by_count: tuple[int, ...]
    area: Spread | None
    box_width: Spread | None
    box_height: Spread | None
    box_aspect: Spread | None
    box_scale: Spread | None
    with_polygons: int
    with_rle: int
    without_outline: int


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class.

    Attributes:
        name: as the file has it.
        category_id: the file's id.
        objects: annotations that are no crowd region.
        crowd: crowd regions.
        images: images with at least one of its objects.
    """

    name: str
    category_id: int
    objects: int
    crowd: int
    images: int


@dataclass(frozen=True, slots=True)
class ClassesFigures:
    """The classes.

    Attributes:
        count: all of them.
        unused: those without a single object.
        imbalance: objects of the most frequent class by those of the rarest that has any.
        half_in: how many of the most frequent classes hold half of the objects.
        per_image: different classes in an image.
        table: every class, in label order.
    """

    count: int
    unused: int
    imbalance: float | None
    half_in: int
    per_image: Spread | None
    table: tuple[ClassFigures, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """All figures of a data set."""

    images: ImageFigures
    objects: ObjectFigures
    classes: ClassesFigures

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values, ready for JSON."""
        return asdict(self)


def statistics(index: CocoIndex) -> Statistics:
    """Count and measure a data set.

    Args:
        index: its annotations.
    """
    return Statistics(images=_images(index), objects=_objects(index), classes=_classes(index))


def image_of_row(index: CocoIndex) -> NDArray[np.int64]:
    """Return the position of every annotation's image: int64 (M,)."""
    return np.repeat(np.arange(len(index)), np.diff(index.offsets))


def box_sides(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return widths and heights of boxes, float64 (M,) each, pixels."""
    exact = boxes.astype(np.float64)
    return exact[:, 2] - exact[:, 0], exact[:, 3] - exact[:, 1]


def by_coco_size(areas: NDArray[np.float64]) -> tuple[int, int, int]:
    """Count small, medium and large areas (square pixels)."""
    small, large = int((areas < SMALL).sum()), int((areas > LARGE).sum())
    return small, len(areas) - small - large, large


def per_image(index: CocoIndex, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the chosen annotations of every image: int64 (N,)."""
    return np.bincount(image_of_row(index)[rows], minlength=len(index)).astype(np.int64)


def _images(index: CocoIndex) -> ImageFigures:
    sizes, counts = np.unique(
        np.stack([index.widths, index.heights], axis=1), axis=0, return_counts=True
    )
    frequent = np.argsort(-counts, kind="stable")
    all_rows = np.diff(index.offsets)
    return ImageFigures(
        count=len(index),
        without_objects=int((all_rows == 0).sum()),
        crowd_only=int(((all_rows > 0) & (per_image(index, ~index.crowd) == 0)).sum()),
        landscape=int((index.widths > index.heights).sum()),
        portrait=int((index.widths < index.heights).sum()),
        square=int((index.widths == index.heights).sum()),
        width=Spread.of(index.widths),
        height=Spread.of(index.heights),
        pixels=Spread.of(index.widths * index.heights),
        aspect=Spread.of(index.widths / index.heights),
        sizes=tuple(
            SizeCount(int(sizes[i, 0]), int(sizes[i, 1]), int(counts[i])) for i in frequent
        ),
    )


def _objects(index: CocoIndex) -> ObjectFigures:
    rows = ~index.crowd
    width, height = box_sides(index.boxes[rows])
    image = image_of_row(index)[rows]
    small, medium, large = by_coco_size(index.areas[rows])
    counts = per_image(index, rows)
    is_rle = index.segments.rle_rows[rows] >= 0
    is_polygon = (np.diff(index.segments.object_offsets)[rows] > 0) & ~is_rle
    return ObjectFigures(
        count=int(rows.sum()),
        crowd=int(index.crowd.sum()),
        small=small,
        medium=medium,
        large=large,
        per_image=Spread.of(counts),
        images_by_count=tuple(_integers(np.bincount(counts))),
        area=Spread.of(index.areas[rows]),
        box_width=Spread.of(width),
        box_height=Spread.of(height),
        box_aspect=Spread.of(width / height),
        box_scale=Spread.of(np.sqrt(width * height / (index.widths[image] * index.heights[image]))),
        with_polygons=int(is_polygon.sum()),
        with_rle=int(is_rle.sum()),
        without_outline=int((~is_polygon & ~is_rle).sum()),
    )


def _classes(index: CocoIndex) -> ClassesFigures:
    count = len(index.classes)
    objects = np.bincount(index.labels[~index.crowd], minlength=count)
    crowd = np.bincount(index.labels[index.crowd], minlength=count)
    pairs = np.unique(np.stack([image_of_row(index), index.labels], axis=1)[~index.crowd], axis=0)
    images = np.bincount(pairs[:, 1], minlength=count)
    used = objects[objects > 0]
    frequent_first = np.cumsum(np.sort(objects)[::-1])
    half = int(np.searchsorted(frequent_first, objects.sum() / 2)) + 1 if len(used) else 0
    columns = (_integers(objects), _integers(crowd), _integers(images))
    return ClassesFigures(
        count=count,
        unused=count - len(used),
        imbalance=float(used.max() / used.min()) if len(used) else None,
        half_in=half,
        per_image=Spread.of(np.bincount(pairs[:, 0], minlength=len(index))),
        table=tuple(
            ClassFigures(*row)
            for row in zip(index.classes, index.category_ids, *columns, strict=True)
        ),
    )


def _integers(values: Iterable[Any]) -> list[int]:
    return [int(value) for value in values]
