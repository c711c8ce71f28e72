"""Padding: ``Pad``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ftloader.detection.annotations import Annotations
from ftloader.detection.geometry import Size, windowed
from ftloader.detection.sample import Image, SampleInfo
from ftloader.detection.transforms._checks import check_size
from ftloader.detection.transforms.base import Transform


@dataclass(frozen=True, slots=True)
class PadParams:
    """The size that the image will have, pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pad(Transform[PadParams]):
    """Add pixels at the right and at the bottom, as mmdet's ``Pad``. Draws nothing.

    The padded size becomes the size of the image, masks are padded with 0, and boxes and polygons
    stay as they are. Nothing is ever cut off: a side that is larger than asked for stays as it is.

    Attributes:
        divisor: pad each side to a multiple of this, pixels.
        size: pad to this width and height, pixels.
        square: pad to a square of the longer side; with ``divisor``, of a multiple of it.
        value: what to pad with, 0 to 255: one number, or one each for red, green and blue.

    Raises:
        ValueError: none or more than one of ``divisor`` (or ``square``) and ``size`` are given, or
            one of the settings is out of range.
    """

    divisor: int | None = None
    size: Size | None = None
    square: bool = False
    value: int | tuple[int, int, int] = 0

    def __post_init__(self) -> None:
        if (self.size is not None) == (self.divisor is not None or self.square):
            raise ValueError(
                "Pad: give either size, or divisor and square (one of them or both), "
                f"not size={self.size}, divisor={self.divisor}, square={self.square}"
            )
        if self.size is not None:
            check_size("Pad: size", self.size)
        divisor: object = 1 if self.divisor is None else self.divisor
        if not isinstance(divisor, int) or divisor < 1:
            raise ValueError(f"Pad: divisor must be a whole number from 1 on, not {divisor!r}")
        values = np.ravel(self.value)
        if (
            len(values) not in (1, 3)
            or values.dtype.kind not in "iu"
            or not (values % 256 == values).all()
        ):
            raise ValueError(
                "Pad: value must be a whole number from 0 to 255, or three of them, "
                f"not {self.value}"
            )

    def draw(self, rng: Generator, info: SampleInfo) -> PadParams:
        """Work out the padded size."""
        width, height = info.size
        if self.size is not None:
            return PadParams(max(width, self.size[0]), max(height, self.size[1]))
        if self.square:
            width = height = max(width, height)
        step = self.divisor or 1
        return PadParams(-(-width // step) * step, -(-height // step) * step)

    def output_size(self, info: SampleInfo, params: PadParams) -> tuple[int, int]:
        """Return the padded size."""
        return params.width, params.height

    def annotations_after(self, info: SampleInfo, params: PadParams) -> Annotations:
        """Pad the masks."""
        return windowed(info.annotations, info.size, (0, 0), (params.width, params.height))

    def pixels(self, image: Image, params: PadParams) -> Image:
        """Pad the pixels; an image that has the size already is returned as it is."""
        height, width = image.shape[:2]
        if (width, height) == (params.width, params.height):
            return image
        padded = np.empty((params.height, params.width, 3), image.dtype)
        padded[:height, :width] = image
        # Copying a row is fast, setting pixels of three numbers one by one is not.
        row = np.empty((params.width, 3), image.dtype)
        row[:] = self.value
        padded[:height, width:] = row[width:]
        padded[height:] = row
        return padded
