"""Colour normalisation: ``Normalize``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ftloader.detection.sample import Image, SampleInfo
from ftloader.detection.transforms.base import Transform


@dataclass(frozen=True, slots=True)
class NormalizeParams:
    """Nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Normalize(Transform[NormalizeParams]):
    """Return ``(pixels - mean) / std`` in float32, as mmcv's ``Normalize``. Draws nothing.

    The image takes four times the memory afterwards, so this comes last; a consumer that normalises
    by itself, on the GPU for instance, does better without. The defaults are ImageNet's.

    Attributes:
        mean: of red, green and blue, on the scale of the pixels (0 to 255).
        std: the standard deviations of the three.

    Raises:
        ValueError: not three finite numbers each, or a standard deviation that is not positive.
    """

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    def __post_init__(self) -> None:
        if np.shape(self.mean) != (3,) or not np.isfinite(self.mean).all():
            raise ValueError(f"Normalize: mean must be three finite numbers, not {self.mean}")
        if np.shape(self.std) != (3,) or not all(0 < std < np.inf for std in self.std):
            raise ValueError(f"Normalize: std must be three positive numbers, not {self.std}")

    def draw(self, rng: Generator, info: SampleInfo) -> NormalizeParams:
        """Draw nothing."""
        return NormalizeParams()

    def output_size(self, info: SampleInfo, params: NormalizeParams) -> tuple[int, int]:
        """Return the size, which stays as it is."""
        return info.size

    def pixels(self, image: Image, params: NormalizeParams) -> Image:
        """Normalise the pixels, to float32."""
        height, width, _ = image.shape
        # With a row's worth of means NumPy's inner loop is a row long, and not three numbers.
        mean = np.tile(np.array(self.mean, np.float32), width)
        std = np.tile(np.array(self.std, np.float32), width)
        rows = np.subtract(image.reshape(height, width * 3), mean, dtype=np.float32)
        rows /= std
        return rows.reshape(height, width, 3)
