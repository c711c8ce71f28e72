"""Changing colours: ``PhotoMetricDistortion``.

Thread-safe and deterministic, as ``base.py`` says; the arithmetic is that of
:mod:`ftloader.detection.colour`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ftloader.detection.colour import Channels, recoloured
from ftloader.detection.sample import Image, SampleInfo
from ftloader.detection.transforms.base import Transform

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PhotoMetricParams:
    """What happens to the colours; the defaults change nothing.

    Attributes:
        brightness: what is added to every channel, in units of 0 to 255.
        contrast: factor of every channel.
        saturation: factor of HSV's S, which is cut at 1 if the factor is above 1.
        hue: what is added to HSV's H, degrees.
        channels: channel i of the result is channel ``channels[i]`` of the image, both RGB.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    channels: Channels = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class PhotoMetricDistortion(Transform[PhotoMetricParams]):
    """Change brightness, contrast, saturation, hue and the order of channels, each half the time.

    mmdet's ``PhotoMetricDistortion``, which comes from SSD (Liu et al., ECCV 2016, section 3.6), on
    RGB instead of BGR. mmdet's result is float32 and keeps what is below 0 or above 255; a uint8
    image stays uint8 here: the same values, rounded half up and clipped. :func:`distorted` gives
    the floats. mmdet draws whether contrast comes before or after saturation and hue; the result is
    the same (to rounding), so this is not drawn.

    mmdet turns every image to HSV and back. That mirrors a pixel whose channels a negative
    brightness made all negative: black that is tinted comes back a little brighter, in the
    complementary colour. This is reproduced.

    Drawn: five flags, then every one of the five changes, used or not.

    Attributes:
        brightness_delta: greatest brightness added or taken away, in units of 0 to 255.
        contrast_range: least and greatest factor.
        saturation_range: least and greatest factor.
        hue_delta: greatest turn of the hue to either side, degrees.

    Raises:
        ValueError: a number is negative or not finite, or a range is upside down.
    """

    brightness_delta: float = 32.0
    contrast_range: Range = (0.5, 1.5)
    saturation_range: Range = (0.5, 1.5)
    hue_delta: float = 18.0

    def __post_init__(self) -> None:
        for name in ("brightness_delta", "hue_delta"):
            delta = getattr(self, name)
            if not 0 <= delta < float("inf"):
                raise ValueError(
                    f"PhotoMetricDistortion: {name} must be a number of at least 0, not {delta}"
                )
        for name in ("contrast_range", "saturation_range"):
            bounds = getattr(self, name)
            if len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1] < float("inf"):
                raise ValueError(
                    f"PhotoMetricDistortion: {name} must be two numbers of at least 0, the lesser "
                    f"one first, not {bounds}"
                )

    def draw(self, rng: Generator, info: SampleInfo) -> PhotoMetricParams:
        """Choose which of the changes are made, and how large they are."""
        flags = rng.random(5) < 0.5
        brightness = float(rng.uniform(-self.brightness_delta, self.brightness_delta))
        contrast = float(rng.uniform(*self.contrast_range))
        saturation = float(rng.uniform(*self.saturation_range))
        hue = float(rng.uniform(-self.hue_delta, self.hue_delta))
        first, second, third = rng.permutation(3).tolist()
        return PhotoMetricParams(
            brightness=brightness if flags[0] else 0.0,
            contrast=contrast if flags[1] else 1.0,
            saturation=saturation if flags[2] else 1.0,
            hue=hue if flags[3] else 0.0,
            channels=(first, second, third) if flags[4] else (0, 1, 2),
        )

    def output_size(self, info: SampleInfo, params: PhotoMetricParams) -> tuple[int, int]:
        """Return the size, which colours do not change."""
        return info.size

    def pixels(self, image: Image, params: PhotoMetricParams) -> Image:
        """Change the colours: uint8 stays uint8, float32 stays float32 and is not clipped."""
        return recoloured(
            image,
            brightness=params.brightness,
            contrast=params.contrast,
            saturation=params.saturation,
            hue=params.hue,
            channels=params.channels,
        )


def distorted(image: Image, params: PhotoMetricParams) -> NDArray[np.float32]:
    """Return what mmdet's transform returns: float32, neither rounded nor clipped.

    Within 1e-3 of mmdet's with OpenCV, for either of its orders. mmdet's permutation p of BGR is
    ``channels[i] = 2 - p[2 - i]``.

    Args:
        image: RGB, (H, W, 3), uint8 or float32 of 0 to 255.
        params: what to do.
    """
    result = PhotoMetricDistortion().pixels(image.astype(np.float32), params)
    return cast("NDArray[np.float32]", result)
