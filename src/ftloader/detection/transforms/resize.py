"""Resizing: ``Resize``, ``RandomResize`` and ``RandomChoiceResize``.

Sizes, boxes and masks are those of the classes of the same names in mmcv and mmdet. Pixels go
through a bilinear filter that is widened when shrinking, where mmcv's default (OpenCV's) takes
single pixels: enlarged images differ by at most 1, reduced ones are smoother here. The size that
comes out is exactly the one drawn, whatever size the pixels come in: an image may have been decoded
at reduced scale.

The transforms are thread-safe and deterministic, as ``base.py`` says.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ftloader.detection.annotations import Annotations
from ftloader.detection.geometry import Size, resized
from ftloader.detection.image import fit_within, resize
from ftloader.detection.sample import Image, Sample, SampleInfo
from ftloader.detection.transforms._checks import check_size
from ftloader.detection.transforms.base import Transform


@dataclass(frozen=True, slots=True)
class ResizeParams:
    """The size that the image will have, pixels."""

    width: int
    height: int


class _Resizing(Transform[ResizeParams]):
    """What the three have in common: they differ in how a scale is chosen."""

    __slots__ = ()

    keep_ratio: bool

    @abstractmethod
    def _scale(self, rng: Generator) -> Size:
        """Return the width and height (or the two limits) to resize to, pixels."""

    def draw(self, rng: Generator, info: SampleInfo) -> ResizeParams:
        """Choose the scale, and work out the size."""
        scale = self._scale(rng)
        size = fit_within(*info.size, *scale) if self.keep_ratio else scale
        return ResizeParams(*size)

    def output_size(self, info: SampleInfo, params: ResizeParams) -> tuple[int, int]:
        """Return the size that was drawn."""
        return params.width, params.height

    def annotations_after(self, info: SampleInfo, params: ResizeParams) -> Annotations:
        """Scale boxes and outlines by each axis' own factor; boxes are clipped to the image."""
        return resized(info.annotations, info.size, (params.width, params.height))

    def pixels(self, image: Image, params: ResizeParams) -> Image:
        """Resize the pixels, uint8 or float32."""
        return _resized_pixels(image, (params.width, params.height))


@dataclass(frozen=True, slots=True)
class Resize(_Resizing):
    """Resize to a fixed scale, as mmdet's ``Resize``. Draws nothing.

    Attributes:
        scale: with ``keep_ratio`` the limits of the longer and the shorter side, in either order:
            the image becomes as large as both allow, ``int(side * factor + 0.5)`` pixels. Without,
            the exact width and height. Pixels.
        keep_ratio: whether the image keeps its shape.

    Raises:
        ValueError: the scale is not two whole numbers from 1 on.
    """

    scale: Size
    keep_ratio: bool = True

    def __post_init__(self) -> None:
        check_size("Resize: scale", self.scale)

    def _scale(self, rng: Generator) -> Size:
        return self.scale


@dataclass(frozen=True, slots=True)
class RandomResize(_Resizing):
    """Resize to a scale drawn from a range, as mmcv's ``RandomResize``.

    One of two forms, in pixels:

    * ``RandomResize((1024, 1024), ratio_range=(0.1, 2.0))``: one ratio, uniform in the range, for
      both numbers of the scale, which are then truncated to whole ones (large-scale jitter). One
      float is drawn.
    * ``RandomResize(((1333, 640), (1333, 800)))``: each number on its own, uniform between those
      of the two scales, both included. Two whole numbers are drawn, the first one first.

    Attributes:
        scale: one scale, or two.
        ratio_range: smallest and largest ratio; for one scale only.
        keep_ratio: see :class:`Resize`.

    Raises:
        ValueError: a scale is not two whole numbers from 1 on, the ratios are not in order or would
            let a side vanish, or the settings belong to neither form.
    """

    scale: Size | tuple[Size, Size]
    ratio_range: tuple[float, float] | None = None
    keep_ratio: bool = True

    def __post_init__(self) -> None:
        scales = self._scales()
        for scale in scales:
            check_size("RandomResize: scale", scale)
        if (self.ratio_range is None) != (len(scales) == 2):
            raise ValueError(
                "RandomResize: give either one scale and a ratio_range, or two scales and none, "
                f"not {len(scales)} of {self.scale} with ratio_range={self.ratio_range}"
            )
        if self.ratio_range is not None:
            low, high = self.ratio_range
            if not (0 < low <= high < np.inf and min(scales[0]) * low >= 1):
                raise ValueError(
                    f"RandomResize: ratio_range must be a smallest and a largest ratio that leave "
                    f"{self.scale} at least 1 pixel, not {self.ratio_range}"
                )

    def _scales(self) -> tuple[Size, ...]:
        scale: object = self.scale
        if isinstance(scale, Sequence) and all(isinstance(item, Sequence) for item in scale):
            return tuple(scale)
        return (cast("Size", scale),)

    def _scale(self, rng: Generator) -> Size:
        first, *others = self._scales()
        if self.ratio_range is not None:
            low, high = self.ratio_range
            ratio = low + (high - low) * float(rng.random())
            return int(first[0] * ratio), int(first[1] * ratio)
        (second,) = others
        width, height = (
            int(rng.integers(min(pair), max(pair), endpoint=True))
            for pair in zip(first, second, strict=True)
        )
        return width, height


@dataclass(frozen=True, slots=True)
class RandomChoiceResize(_Resizing):
    """Resize to one of several scales, as mmcv's ``RandomChoiceResize``.

    Draws one whole number: which scale, each with the same probability.

    Attributes:
        scales: the scales to choose from, pixels.
        keep_ratio: see :class:`Resize`.

    Raises:
        ValueError: there is no scale, or one is not two whole numbers from 1 on.
    """

    scales: tuple[Size, ...]
    keep_ratio: bool = True

    def __post_init__(self) -> None:
        if not self.scales:
            raise ValueError("RandomChoiceResize: scales is empty; give at least one scale")
        for scale in self.scales:
            check_size("RandomChoiceResize: scale", scale)

    def _scale(self, rng: Generator) -> Size:
        return self.scales[int(rng.integers(len(self.scales)))]


def resize_to(sample: Sample, size: Size) -> Sample:
    """Return a sample of exactly this width and height, pixels, objects and all.

    For samples that a plan scales down to fit a memory budget. Pure and thread-safe.
    """
    return Resize(size, keep_ratio=False).apply(sample, ResizeParams(*size))


def _resized_pixels(image: Image, size: Size) -> Image:
    if image.dtype == np.uint8:
        return resize(cast("NDArray[np.uint8]", image), size)
    if image.shape[:2] == size[::-1]:
        return image
    # Pillow has floats in one channel only.
    planes = [
        np.asarray(PillowImage.fromarray(plane).resize(size, PillowImage.Resampling.BILINEAR))
        for plane in np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    ]
    return np.stack(planes, axis=2)
