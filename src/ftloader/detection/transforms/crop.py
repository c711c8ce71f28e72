"""Cutting a random piece out of an image: ``RandomCrop``.

What comes out is a copy, so that the rest of the image can be freed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ftloader.detection._extents import tight_boxes
from ftloader.detection.annotations import Annotations, has_outline
from ftloader.detection.geometry import Boxes, clipped, touching, windowed
from ftloader.detection.sample import Image, SampleInfo
from ftloader.detection.transforms.base import Transform

CropMode = Literal["absolute", "absolute_range", "relative", "relative_range"]

_MODES: Final = get_args(CropMode)


@dataclass(frozen=True, slots=True)
class CropParams:
    """Which rectangle of the image to keep, pixels: it lies inside the image.

    Attributes:
        x: of its left edge.
        y: of its upper edge.
        width: of the rectangle, at least 1.
        height: of the rectangle, at least 1.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def corner(self) -> tuple[int, int]:
        """The upper left corner, x and y."""
        return self.x, self.y

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


@dataclass(frozen=True, slots=True)
class RandomCrop(Transform[CropParams]):
    """Keep a random rectangle of the image, as mmdet's ``RandomCrop``.

    The size W × H of the rectangle, for an image of w × h pixels (``R`` an integer, ``U`` a real
    number, both uniform; ``round`` takes halves up, and no side is shorter than one pixel):

    ==================  ========================================================
    mode                W (and H likewise, from ``size[1]`` and h)
    ==================  ========================================================
    ``absolute``        ``min(w, size[0])``
    ``absolute_range``  ``R(min(w, size[0]), min(w, size[1]))``, and H from
                        ``R(min(h, size[0]), min(h, size[1]))``
    ``relative``        ``round(w * size[0])``
    ``relative_range``  ``round(w * U(size[0], 1))``
    ==================  ========================================================

    Its corner is uniform over all places. Boxes that do not overlap the rectangle go, with their
    objects; those that only touch its edge do not overlap it. What stays can be a sliver:
    ``FilterAnnotations`` behind a crop removes it. File areas stay those of the original image.

    Unlike mmdet, ``relative_range`` takes width before height as well (mmdet swaps them in this
    mode), and a rectangle that rounds to nothing is one pixel wide (mmdet fails).

    Drawn: width and height if the mode is a range, then x and y.

    Attributes:
        size: width and height, pixels or fractions of the image's; with ``absolute_range``
            instead the least and the greatest length of either side.
        mode: how the size is meant.
        allow_negative_crop: whether a sample may lose its last object, or arrive without any;
            otherwise it is dropped.
        recompute_boxes: whether boxes are fitted anew to what the rectangle shows of the outlines;
            (0, 0, 0, 0) where that is nothing, as in mmdet. An object without an outline keeps its
            box, where mmdet knows only data sets with masks and data sets without.
        clip_boxes: whether boxes are cut at the rectangle's edges.

    Raises:
        ValueError: the size does not fit the mode, or there is no such mode.
    """

    size: tuple[float, float]
    mode: CropMode = "absolute"
    allow_negative_crop: bool = False
    recompute_boxes: bool = False
    clip_boxes: bool = True

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ValueError(
                f"RandomCrop: mode must be one of {', '.join(_MODES)}, not {self.mode!r}"
            )
        absolute = self.mode.startswith("absolute")
        if not _possible(self.size, absolute):
            meaning = (
                "two whole numbers of pixels" if absolute else "two fractions above 0, up to 1"
            )
            raise ValueError(
                f"RandomCrop: with mode {self.mode!r}, size must be {meaning}, not {self.size}"
            )
        if self.mode == "absolute_range" and self.size[0] > self.size[1]:
            raise ValueError(
                f"RandomCrop: with mode 'absolute_range', size is the least and the greatest "
                f"length of a side, in this order, not {self.size}"
            )

    @property
    def reads_objects(self) -> bool:
        """Whether ``draw`` looks at the objects: to drop a sample that loses them all."""
        return not self.allow_negative_crop

    def draw(self, rng: Generator, info: SampleInfo) -> CropParams | None:
        """Choose size and place; None if no object would be left and that is not allowed."""
        width = self._length(rng, info.width, 0)
        height = self._length(rng, info.height, 1)
        x = int(rng.integers(info.width - width, endpoint=True))
        y = int(rng.integers(info.height - height, endpoint=True))
        params = CropParams(x, y, width, height)
        if not self.allow_negative_crop and not _shown(info.annotations.boxes, params).any():
            return None
        return params

    def output_size(self, info: SampleInfo, params: CropParams) -> tuple[int, int]:
        """Return the size of the rectangle."""
        return params.size

    def annotations_after(self, info: SampleInfo, params: CropParams) -> Annotations:
        """Move boxes and outlines; leave out the objects that the rectangle does not show.

        Raises:
            DataError: boxes are recomputed and an outline cannot be rasterised; the message names
                the annotation.
        """
        seen = info.annotations.take(_shown(info.annotations.boxes, params))
        notes = windowed(seen, info.size, params.corner, params.size)
        if self.clip_boxes:
            notes = replace(notes, boxes=clipped(notes.boxes, params.size))
        if self.recompute_boxes:
            notes = replace(notes, boxes=_fitted(notes, params.size))
        return notes

    def pixels(self, image: Image, params: CropParams) -> Image:
        """Copy the rectangle."""
        return cut(image, params)

    def _length(self, rng: Generator, length: int, axis: int) -> int:
        wanted = self.size[axis]
        match self.mode:
            case "absolute":
                return min(length, int(wanted))
            case "absolute_range":
                least, greatest = (min(length, int(bound)) for bound in self.size)
                return int(rng.integers(least, greatest, endpoint=True))
            case "relative":
                fraction = wanted
            case "relative_range":
                fraction = wanted + (1 - wanted) * float(rng.random())
        return max(int(length * fraction + 0.5), 1)


def cut(image: Image, params: CropParams) -> Image:
    """Return a copy of the rectangle; the image itself if that is all of it."""
    if params.size == (image.shape[1], image.shape[0]):
        return image
    x, y = params.corner
    return image[y : y + params.height, x : x + params.width].copy()


def _possible(size: Sequence[float], absolute: bool) -> bool:
    if absolute:
        return len(size) == 2 and all(side >= 1 and float(side).is_integer() for side in size)
    return len(size) == 2 and all(0 < side <= 1 for side in size)


def _shown(boxes: Boxes, params: CropParams) -> NDArray[np.bool_]:
    return touching(boxes - np.array(params.corner * 2, np.float32), params.size)


def _fitted(annotations: Annotations, size: tuple[int, int]) -> Boxes:
    """Return boxes fitted to the masks; objects without an outline keep theirs."""
    outlined = [has_outline(outline) for outline in annotations.segmentations]
    tight = tight_boxes(annotations, *size)
    return np.where(np.array(outlined, bool)[:, None], tight, annotations.boxes)
