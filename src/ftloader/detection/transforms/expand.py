"""Placing an image on a larger canvas: ``Expand``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ftloader.detection.annotations import Annotations
from ftloader.detection.geometry import place, windowed
from ftloader.detection.sample import Image, SampleInfo
from ftloader.detection.transforms.base import Transform


@dataclass(frozen=True, slots=True)
class ExpandParams:
    """The canvas, and where on it the image goes, pixels.

    Attributes:
        width: of the canvas; the image's own where nothing is done.
        height: of the canvas.
        x: of the image's left edge on the canvas.
        y: of the image's upper edge on the canvas.
    """

    width: int
    height: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Expand(Transform[ExpandParams]):
    """Place the image anywhere on a larger canvas of one colour, as mmdet's ``Expand``.

    The zoom-out of SSD (Liu et al., ECCV 2016): objects become small. For an image of w × h pixels
    and a ratio r the canvas has ``int(w * r)`` × ``int(h * r)``. It takes up to the square of the
    greatest ratio times the image's memory.

    Polygons that reach out of the image show on the canvas, as their boxes do; ``Rasterize`` before
    this cuts them at the image's edge, as mmdet does.

    Drawn: whether at all, and only then the ratio, x and y.

    Attributes:
        mean: the canvas's colour in RGB, 0 to 255. On uint8 images fractions are cut off, as in
            mmdet: 123.675 becomes 123.
        ratio_range: least and greatest ratio, at least 1.
        probability: of doing anything.

    Raises:
        ValueError: a number is out of its range.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ratio_range: tuple[float, float] = (1.0, 4.0)
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not _colour(self.mean):
            raise ValueError(f"Expand: mean must be three numbers from 0 to 255, not {self.mean}")
        if not _ratios(self.ratio_range):
            raise ValueError(
                f"Expand: ratio_range must be two numbers of at least 1, the lesser one first, "
                f"not {self.ratio_range}"
            )
        if not 0 <= self.probability <= 1:
            raise ValueError(f"Expand: probability must be between 0 and 1, not {self.probability}")

    def draw(self, rng: Generator, info: SampleInfo) -> ExpandParams:
        """Choose the canvas and the place on it."""
        if rng.random() >= self.probability:
            return ExpandParams(*info.size, 0, 0)
        least, greatest = self.ratio_range
        ratio = least + (greatest - least) * float(rng.random())
        width, height = int(info.width * ratio), int(info.height * ratio)
        x = int((info.width * ratio - info.width) * float(rng.random()))
        y = int((info.height * ratio - info.height) * float(rng.random()))
        return ExpandParams(width, height, x, y)

    def output_size(self, info: SampleInfo, params: ExpandParams) -> tuple[int, int]:
        """Return the size of the canvas."""
        return params.width, params.height

    def annotations_after(self, info: SampleInfo, params: ExpandParams) -> Annotations:
        """Move boxes and outlines with the image; boxes are not clipped."""
        size = self.output_size(info, params)
        if size == info.size:
            return info.annotations
        return windowed(info.annotations, info.size, (-params.x, -params.y), size)

    def pixels(self, image: Image, params: ExpandParams) -> Image:
        """Fill a canvas and copy the image onto it."""
        if (params.height, params.width) == image.shape[:2]:
            return image
        canvas = np.empty((params.height, params.width, 3), image.dtype)
        # Row by row is a memcpy; pixel by pixel takes several times as long.
        row = np.empty((params.width, 3), image.dtype)
        row[:] = np.asarray(self.mean).astype(image.dtype)
        canvas[:] = row
        place(canvas, image, (params.x, params.y))
        return canvas


def _colour(mean: Sequence[float]) -> bool:
    return len(mean) == 3 and all(0 <= value <= 255 for value in mean)


def _ratios(bounds: Sequence[float]) -> bool:
    return len(bounds) == 2 and 1 <= bounds[0] <= bounds[1] < float("inf")
