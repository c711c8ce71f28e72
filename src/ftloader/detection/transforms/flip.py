"""Mirroring: ``RandomFlip``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from ftloader.detection.annotations import Annotations
from ftloader.detection.geometry import Direction, flipped
from ftloader.detection.sample import Image, SampleInfo
from ftloader.detection.transforms.base import Transform

_BACK: Final = slice(None, None, -1)
_SLICES: Final[dict[Direction, tuple[slice, slice]]] = {
    "horizontal": (slice(None), _BACK),
    "vertical": (_BACK, slice(None)),
    "diagonal": (_BACK, _BACK),
}


@dataclass(frozen=True, slots=True)
class FlipParams:
    """Which way to mirror; None leaves the image as it is."""

    direction: Direction | None


@dataclass(frozen=True, slots=True)
class RandomFlip(Transform[FlipParams]):
    """Mirror image, boxes and masks with some probability, as mmdet's ``RandomFlip``.

    Attributes:
        horizontal: probability of swapping left and right.
        vertical: probability of swapping top and bottom.
        diagonal: probability of both; the three together are at most 1.

    Raises:
        ValueError: the probabilities are not between 0 and 1, or add up to more than 1.
    """

    horizontal: float = 0.5
    vertical: float = 0.0
    diagonal: float = 0.0

    def __post_init__(self) -> None:
        chances = (self.horizontal, self.vertical, self.diagonal)
        if min(chances) < 0 or not sum(chances) <= 1:
            raise ValueError(
                f"RandomFlip: probabilities must be between 0 and 1 and add up to at most 1, "
                f"not {chances}"
            )

    def draw(self, rng: Generator, info: SampleInfo) -> FlipParams:
        """Choose a direction, or none."""
        at = float(rng.random())
        if at < self.horizontal:
            return FlipParams("horizontal")
        if at < self.horizontal + self.vertical:
            return FlipParams("vertical")
        if at < self.horizontal + self.vertical + self.diagonal:
            return FlipParams("diagonal")
        return FlipParams(None)

    def output_size(self, info: SampleInfo, params: FlipParams) -> tuple[int, int]:
        """Return the size, which mirroring does not change."""
        return info.size

    def annotations_after(self, info: SampleInfo, params: FlipParams) -> Annotations:
        """Mirror boxes and outlines."""
        if params.direction is None:
            return info.annotations
        return flipped(info.annotations, info.size, params.direction)

    def pixels(self, image: Image, params: FlipParams) -> Image:
        """Mirror the pixels."""
        if params.direction is None:
            return image
        if params.direction == "vertical":  # whole rows
            return np.ascontiguousarray(image[_SLICES[params.direction]])
        mirrored = np.empty_like(image, order="C")
        for channel in range(image.shape[2]):  # a third of the time of all channels at once
            mirrored[..., channel] = image[(*_SLICES[params.direction], channel)]
        return mirrored
