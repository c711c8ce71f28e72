"""Pixels that cost a JPEG codec what a photograph costs it.

Natural images have spectra that fall as a power of frequency; noise with such a spectrum
compresses and decodes like them, which uniform noise and flat colour do not. Objects are tinted by
category, so that a person can see whether boxes and masks still fit after a transform.

Pure functions; NumPy's FFT and Pillow's encoder release the GIL where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ftloader.detection.synthetic.objects import ImagePlan, SyntheticObject
from ftloader.detection.synthetic.spec import SyntheticSpec
from ftloader.rng import sample_rng

# The fields are periodic, so a crop may start anywhere; larger than any image, and quick to FFT.
_FIELD_SIDE = 768
_LUMA_CONTRAST = 50.0
_CHROMA_CONTRAST = 0.35 * _LUMA_CONTRAST
_TINT = 30.0

Planes = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class NoiseField:
    """A periodic colour texture: luma and two chroma planes, float32 (3, S, S), mean 0."""

    planes: Planes


def make_field(spec: SyntheticSpec, number: int) -> NoiseField:
    """Synthesise one noise field; its roughness differs from field to field."""
    rng = sample_rng(spec.seed, 1, number)
    # Roughness decides bits per pixel: this spread gives COCO's (see the tests).
    exponent = float(np.clip(rng.normal(1.38, 0.16), 1.1, 1.9))
    frequency_y = np.fft.fftfreq(_FIELD_SIDE)[:, None] * _FIELD_SIDE
    frequency_x = np.fft.rfftfreq(_FIELD_SIDE)[None, :] * _FIELD_SIDE
    frequency = np.hypot(frequency_y, frequency_x)
    frequency[0, 0] = np.inf  # no constant part
    planes = np.empty((3, _FIELD_SIDE, _FIELD_SIDE), np.float32)
    for plane, steeper, contrast in zip(
        planes, (0.0, 0.3, 0.3), (_LUMA_CONTRAST, _CHROMA_CONTRAST, _CHROMA_CONTRAST), strict=True
    ):
        shape = (*frequency.shape, 2)
        white = rng.standard_normal(shape, np.float32).view(np.complex64)[..., 0]
        falling = (frequency ** -(exponent + steeper)).astype(np.float32)
        plane[:] = np.fft.irfft2(white * falling, s=plane.shape)
        plane *= contrast / plane.std()
    return NoiseField(planes)


def render(spec: SyntheticSpec, plan: ImagePlan, field: NoiseField) -> bytes:
    """Return the image of a plan as a baseline JPEG without chroma subsampling or EXIF."""
    rng = sample_rng(spec.seed, 0, plan.index, 2)
    rows = (np.arange(plan.height) + rng.integers(_FIELD_SIDE)) % _FIELD_SIDE
    columns = (np.arange(plan.width) + rng.integers(_FIELD_SIDE)) % _FIELD_SIDE
    if rng.random() < 0.5:
        columns = columns[::-1]
    contrast = np.float32(rng.lognormal(0.0, 0.2))
    planes = field.planes[:, rows[:, None], columns] * contrast
    # Large objects first, so that small ones stay visible.
    for thing in sorted(plan.objects, key=_box_area, reverse=True):
        _tint(planes, thing)
    pixels = np.clip(np.rint(planes + 128), 0, 255).astype(np.uint8)
    image = Image.merge("YCbCr", [Image.fromarray(plane) for plane in pixels])
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=plan.quality, subsampling=0)
    return buffer.getvalue()


def _tint(planes: Planes, thing: SyntheticObject) -> None:
    """Shift the colour inside an object's polygons, in place."""
    hue = 2 * np.pi * ((thing.category_id * 0.618034) % 1.0)
    shift = np.array([0.6 * np.cos(3 * hue), np.cos(hue), np.sin(hue)], np.float32) * _TINT
    for part in thing.parts:
        points = part.reshape(-1, 2)
        x, y = np.floor(points.min(axis=0)).astype(int).tolist()
        width, height = (np.ceil(points.max(axis=0)).astype(int) - [x, y]).tolist()
        stencil = Image.new("1", (max(1, width), max(1, height)))
        ImageDraw.Draw(stencil).polygon((points - [x, y]).ravel().tolist(), fill=1)
        region = planes[:, y : y + stencil.height, x : x + stencil.width]
        inside = np.asarray(stencil)[: region.shape[1], : region.shape[2]]
        region += shift[:, None, None] * inside


def _box_area(thing: SyntheticObject) -> float:
    points = np.concatenate([part.reshape(-1, 2) for part in thing.parts])
    return float(np.prod(points.max(axis=0) - points.min(axis=0)))
