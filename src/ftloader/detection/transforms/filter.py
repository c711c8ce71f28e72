"""Leaving out objects that are too small: ``FilterAnnotations``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ftloader.detection._extents import mask_areas
from ftloader.detection.annotations import Annotations
from ftloader.detection.sample import SampleInfo
from ftloader.detection.transforms.base import Transform


@dataclass(frozen=True, slots=True)
class FilterParams:
    """The positions of the objects to keep, ascending; None keeps all."""

    keep: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class FilterAnnotations(Transform[FilterParams]):
    """Keep the objects that are large enough, as mmdet's ``FilterAnnotations``.

    Crowd regions are judged like all others. Nothing is drawn.

    Attributes:
        min_size: an object stays if its box is wider *and* higher than this, pixels (strictly:
            a box of exactly this width goes).
        min_mask_area: if given, the object's mask must also have at least this many pixels inside
            the image; an object without a usable outline has none. ``draw`` counts them, which
            costs a part of a millisecond per object.
        drop_empty: whether a sample that loses its last object *here* is dropped. One that came
            without objects passes. This is what mmdet means by ``keep_empty=True``, which says
            the opposite of what it does.

    Raises:
        ValueError: a number is negative.
    """

    min_size: tuple[float, float] = (1.0, 1.0)
    min_mask_area: float | None = None
    drop_empty: bool = True

    def __post_init__(self) -> None:
        if not _lengths(self.min_size):
            raise ValueError(
                f"FilterAnnotations: min_size must be a width and a height in pixels, "
                f"not {self.min_size}"
            )
        if self.min_mask_area is not None and not self.min_mask_area >= 0:
            raise ValueError(
                f"FilterAnnotations: min_mask_area must be a number of pixels or None, "
                f"not {self.min_mask_area}"
            )

    @property
    def reads_objects(self) -> bool:
        """True: ``draw`` looks at the objects."""
        return True

    def draw(self, rng: Generator, info: SampleInfo) -> FilterParams | None:
        """Judge the objects; None if none is left and that is not wanted.

        Raises:
            DataError: mask areas are asked for and an outline cannot be rasterised; the message
                names the annotation.
        """
        notes = info.annotations
        lengths = notes.boxes[:, 2:] - notes.boxes[:, :2]
        keep = np.flatnonzero((lengths > np.array(self.min_size, np.float32)).all(axis=1))
        if self.min_mask_area is not None:
            keep = keep[mask_areas(notes.take(keep), *info.size) >= self.min_mask_area]
        if len(keep) == len(notes):
            return FilterParams(None)
        if self.drop_empty and not len(keep):
            return None
        return FilterParams(tuple(keep.tolist()))

    def output_size(self, info: SampleInfo, params: FilterParams) -> tuple[int, int]:
        """Return the size, which filtering does not change."""
        return info.size

    def annotations_after(self, info: SampleInfo, params: FilterParams) -> Annotations:
        """Leave out what is too small."""
        if params.keep is None:
            return info.annotations
        return info.annotations.take(np.array(params.keep, np.intp))


def _lengths(size: Sequence[float]) -> bool:
    return len(size) == 2 and all(0 <= length < np.inf for length in size)
