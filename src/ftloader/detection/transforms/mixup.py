"""Blending two images: ``MixUp``. Thread-safe and deterministic, as ``base.py`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.random import Generator

from ftloader.detection.annotations import Annotations, concatenate
from ftloader.detection.geometry import Size, clipped, flipped, place, resized, windowed
from ftloader.detection.image import RgbImage, resize
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms.base import NO_PARTNERS, Partners, Transform
from ftloader.detection.transforms.mosaic import (
    InfoSource,
    check_mixing,
    fitted,
    inside,
    partner,
    uint8_pixels,
)


@dataclass(frozen=True, slots=True)
class MixUpParams:
    """Which image is blended in, and how.

    Attributes:
        partner: its index; None where nothing is done.
        factor: by which it is resized once more after it was fitted into the size.
        flip: whether left and right are swapped.
        x: of the window that is cut from it, pixels.
        y: of that window.
    """

    partner: int | None
    factor: float
    flip: bool
    x: int
    y: int


_NOTHING: Final = MixUpParams(None, 1.0, False, 0, 0)


@dataclass(frozen=True, slots=True)
class MixUp(Transform[MixUpParams]):
    """Blend the image with another one, half and half, as mmdet's ``MixUp``.

    The form of YOLOX (Ge et al., 2021) of mixup (Zhang et al., ICLR 2018). The other image is
    fitted into a grey canvas of ``size``, at the upper left; the canvas is resized by a factor,
    flipped or not, and cut at a random place, or continued in the grey to the right and below, to
    the size of the image. The result is the mean of both, fractions cut off. The objects are those
    of both: the other image's boxes are clipped; boxes outside, of either, are dropped.

    Where mmdet has no masks here, outlines are moved with their image; as in :class:`Mosaic`, they
    may be up to a pixel from the boxes, and once more times the factor.

    mmdet flips where a number from 0 to 1 is *above* its ``flip_ratio``: with probability
    ``1 - flip_ratio``. Here the argument is the probability.

    Drawn: indices until one has objects, at most ``max_tries``; then the factor, the flip, x and y.
    If none of them has objects, the sample stays as it is, as in mmdet.

    Attributes:
        dataset: where the other image comes from.
        size: width and height of the canvas that it is fitted into, pixels.
        ratio_range: least and greatest factor.
        flip_probability: of swapping left and right of the other image.
        fill: grey of the canvas, 0 to 255.
        max_tries: how many indices are drawn.

    Raises:
        ValueError: a number is out of its range, or the data set is empty.
    """

    dataset: InfoSource = field(repr=False)
    size: Size = (640, 640)
    ratio_range: tuple[float, float] = (0.5, 1.5)
    flip_probability: float = 0.5
    fill: int = 114
    max_tries: int = 15

    def __post_init__(self) -> None:
        check_mixing("MixUp", self.dataset, self.size, self.fill)
        bounds: Sequence[float] = self.ratio_range
        if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1] < float("inf"):
            raise ValueError(
                f"MixUp: ratio_range must be two positive numbers, the lesser one first, "
                f"not {bounds}"
            )
        if not 0 <= self.flip_probability <= 1:
            raise ValueError(
                f"MixUp: flip_probability must be between 0 and 1, not {self.flip_probability}"
            )
        if self.max_tries < 1:
            raise ValueError(f"MixUp: max_tries must be at least 1, not {self.max_tries}")

    def draw(self, rng: Generator, info: SampleInfo) -> MixUpParams:
        """Choose the other image, and what is done to it."""
        for _ in range(self.max_tries):
            index = int(rng.integers(len(self.dataset)))
            if len(self.dataset.sample_info(index).annotations):
                break
        else:
            return _NOTHING
        factor = float(rng.uniform(*self.ratio_range))
        flip = bool(rng.random() < self.flip_probability)
        width, height = self._canvas(factor)
        # As in mmdet, the last place that would fit is not drawn.
        x = int(rng.integers(max(1, width - info.width)))
        y = int(rng.integers(max(1, height - info.height)))
        return MixUpParams(index, factor, flip, x, y)

    def partners(self, params: MixUpParams) -> tuple[int, ...]:
        """Return the index of the other image."""
        return () if params.partner is None else (params.partner,)

    def output_size(self, info: SampleInfo, params: MixUpParams) -> Size:
        """Return the size, which mixing does not change."""
        return info.size

    def annotations_after(self, info: SampleInfo, params: MixUpParams) -> Annotations:
        """Return the objects of both images."""
        if params.partner is None:
            return info.annotations
        return self._objects(info, self.dataset.sample_info(params.partner), params)

    def apply(
        self, sample: Sample, params: MixUpParams, partners: Partners = NO_PARTNERS
    ) -> Sample:
        """Return the mean of both images.

        Raises:
            ValueError: the partner is missing, or an image is not uint8.
            DataError: a mask is not of its image's size, or damaged.
        """
        if params.partner is None:
            return sample
        other = partner("MixUp", sample, params.partner, partners)
        image = uint8_pixels("MixUp", sample)
        layer = self._layer(uint8_pixels("MixUp", other), other.info.size, image, params)
        notes = self._objects(sample.info, other.info, params)
        return Sample(_mean(image, layer), replace(sample.info, annotations=notes))

    def _canvas(self, factor: float) -> Size:
        return max(1, int(self.size[0] * factor)), max(1, int(self.size[1] * factor))

    def _layer(self, other: RgbImage, size: Size, image: RgbImage, params: MixUpParams) -> RgbImage:
        """Return the pixels of the other image as they are blended in, of the image's size."""
        canvas = np.full((self.size[1], self.size[0], 3), self.fill, np.uint8)
        place(canvas, resize(other, fitted(size, self.size)[0]), (0, 0))
        canvas = resize(canvas, self._canvas(params.factor))
        layer = np.full_like(image, self.fill)
        place(layer, canvas[:, ::-1] if params.flip else canvas, (-params.x, -params.y))
        return layer

    def _objects(self, info: SampleInfo, other: SampleInfo, params: MixUpParams) -> Annotations:
        small, factor = fitted(other.size, self.size)
        canvas = self._canvas(params.factor)
        notes = resized(other.annotations, other.size, small)
        notes = resized(windowed(notes, small, (0, 0), self.size), self.size, canvas)
        boxes = other.annotations.boxes * np.float32(factor * params.factor)
        notes = replace(notes, boxes=clipped(boxes, canvas))
        if params.flip:
            notes = flipped(notes, canvas, "horizontal")
        notes = windowed(notes, canvas, (params.x, params.y), info.size)
        return inside(
            concatenate([info.annotations, notes]),
            info.size,
            clip=slice(len(info.annotations), None),
        )


def _mean(first: RgbImage, second: RgbImage) -> RgbImage:
    """Return the mean of two images, rounded down."""
    # What both have, and half of what only one has: no sum, which would not fit a byte.
    result = first ^ second
    result >>= 1
    result += first & second
    return result
