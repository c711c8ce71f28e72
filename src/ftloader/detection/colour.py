"""Brightness, contrast, saturation and hue of an image, in one go.

The result is that of a float conversion to HSV by OpenCV's formulas (H in degrees, S from 0 to 1,
V from 0 to 255) and back, with the changes made in between; but neither H nor S is ever computed.
Let V be the largest channel of a pixel and D the largest minus the smallest.

* HSV sees a channel x as ``w = (V - x) / D``, from 0 for the largest to 1 for the smallest, and
  brings it back as ``V - S V w``, where ``S V = D``. So a saturation factor k makes x into
  ``V - k D w``, with ``k D = V`` where S is cut at 1.
* A hue that turns on by d times 60 degrees, d from 0 to 1, makes red's ``D w`` into
  ``clip(g - r + e, 0, D)``, where e is ``d D`` if ``g >= b`` and ``D - d D`` otherwise. Green and
  blue follow by rotation; a turn back exchanges green and blue; a turn by 120 degrees moves every
  channel one on.
* Brightness and contrast are equal for all channels: ``D w`` is taken from the integers that come
  in, and contrast may come before or after the rest.

Pure and thread-safe: no state, inputs are never written. The work goes in blocks that fit the
second-level cache of a core; NumPy releases the GIL in each step where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ftloader.detection.sample import Image

Channels = tuple[int, int, int]
Plane = NDArray[np.float32]
Planes = NDArray[Any]  # (3, n), of the image's dtype

_BLOCK: Final = 1 << 15  # pixels: a megabyte of planes
# What OpenCV adds to V before dividing by it: C's FLT_EPSILON.
_EPSILON: Final = np.finfo(np.float32).eps
# A grey pixel has D = 0: this divides V without overflow.
_TINY: Final = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class _Change:
    """What happens to the pixels; ``turn`` is that of the hue, in units of 60 degrees, -1 to 1."""

    brightness: float
    contrast: float
    saturation: float
    turn: float


def recoloured(
    image: Image,
    *,
    brightness: float = 0.0,
    contrast: float = 1.0,
    saturation: float = 1.0,
    hue: float = 0.0,
    channels: Channels = (0, 1, 2),
) -> Image:
    """Return an image in other colours.

    In this order: ``brightness`` is added, ``contrast`` multiplied; the saturation is multiplied,
    and cut at 1 if its factor is above 1; the hue is turned; the channels change places.

    A negative brightness can make all channels of a pixel negative. OpenCV's formulas, and so this
    function, mirror such a pixel at its largest channel V: x becomes ``2 V - x`` even where neither
    saturation nor hue changes.

    Args:
        image: RGB, (H, W, 3), uint8, or float32 in the same units.
        brightness: what is added to each channel, in units of 0 to 255.
        contrast: factor of all channels, not negative.
        saturation: factor of HSV's S, not negative.
        hue: what is added to HSV's H, degrees.
        channels: channel i of the result is what has become of channel ``channels[i]``.

    Returns:
        (H, W, 3). A float32 image gives float32, neither clipped nor rounded: at most 1e-3 from
        OpenCV's. A uint8 image gives uint8: the same, rounded half up and clipped to 0 to 255.
        What is not changed at all is returned as it is.

    Raises:
        ValueError: a factor is negative or not a number, or ``channels`` is not an order of 0, 1
            and 2.
    """
    if not (contrast >= 0 and saturation >= 0):
        raise ValueError(
            f"contrast {contrast} and saturation {saturation} must not be negative: 1 leaves them"
        )
    if sorted(channels) != [0, 1, 2]:
        raise ValueError(f"channels must be 0, 1 and 2 in some order, not {channels}")
    # A negative brightness needs V all the same, for the pixels that are mirrored.
    if saturation == 1 and hue == 0 and brightness >= 0:
        return _reordered(_scaled(image, brightness, contrast), channels)
    thirds = round(hue / 120)
    first, second, third = ((channel - thirds) % 3 for channel in channels)
    change = _Change(brightness, contrast, saturation, turn=hue / 60 - 2 * thirds)
    return _by_blocks(image, change, (first, second, third))


def _scaled(image: Image, brightness: float, contrast: float) -> Image:
    """Return ``contrast * (x + brightness)`` for every channel; neither is negative."""
    if brightness == 0 and contrast == 1:
        return image
    values = np.ascontiguousarray(image).reshape(-1)
    result = np.empty_like(values)
    scratch = np.empty(min(2 * _BLOCK, values.size), np.float32)
    for start in range(0, values.size, len(scratch)):
        block = values[start : start + len(scratch)]
        work = scratch[: len(block)]
        work[...] = block
        work *= np.float32(contrast)
        work += np.float32(contrast * brightness + _half(image))
        _store(work, result[start : start + len(block)])
    return result.reshape(image.shape)


def _reordered(image: Image, channels: Channels) -> Image:
    if channels == (0, 1, 2):
        return image
    result = np.empty(image.shape, image.dtype)
    # Three strided copies take a quarter of the time of one index with a list.
    for target, source in enumerate(channels):
        result[..., target] = image[..., source]
    return result


def _by_blocks(image: Image, change: _Change, sources: Channels) -> Image:
    """Change all pixels; channel i of the result is what has become of ``sources[i]``."""
    pixels = np.ascontiguousarray(image).reshape(-1, 3)
    result = np.empty_like(pixels)
    length = min(_BLOCK, len(pixels))
    planes = np.empty((2, 3, length), image.dtype)
    scratch = np.empty((6, length), np.float32)
    for start in range(0, len(pixels), length):
        block = pixels[start : start + length]
        before, after = planes[..., : len(block)]
        before[...] = block.T
        _change_block(before, after, change, scratch[:, : len(block)])
        for target, source in enumerate(sources):
            result[start : start + len(block), target] = after[source]
    return result.reshape(image.shape)


def _change_block(before: Planes, after: Planes, change: _Change, scratch: Plane) -> None:
    """Change the pixels of one block.

    Args:
        before: (3, n), red, green and blue.
        after: (3, n), written to.
        change: what to do.
        scratch: float32 (6, n), written to.
    """
    value, spread, scale, part, work, other = scratch
    top = np.maximum(np.maximum(before[0], before[1]), before[2])
    gap = top - np.minimum(np.minimum(before[0], before[1]), before[2])
    value[...] = top
    value += np.float32(change.brightness)
    spread[...] = gap
    factor = _factor(value, spread, change, scale, other)
    value *= np.float32(change.contrast)
    value += np.float32(_half(before))
    np.multiply(spread, np.float32(abs(change.turn)), out=part)
    for channel in range(3):
        if change.turn == 0:
            work[...] = top - before[channel]
        else:
            _turn(before, channel, change.turn, gap, spread, part, work)
        work *= factor
        np.subtract(value, work, out=work)
        _store(work, after[channel])


def _turn(
    before: Planes,
    channel: int,
    turn: float,
    gap: NDArray[Any],
    spread: Plane,
    part: Plane,
    out: Plane,
) -> None:
    """Write what a channel's ``D w`` is after the hue has turned, by the module's formula.

    Args:
        before: (3, n), red, green and blue.
        channel: which of them.
        turn: by how much, in units of 60 degrees, from -1 to 1.
        gap: D, of the image's dtype.
        spread: D.
        part: ``abs(turn) * D``.
        out: where to.
    """
    step = 1 if turn > 0 else 2
    following, preceding = before[(channel + step) % 3], before[(channel - step) % 3]
    # A product of integers: where() and copying with a mask take five times as long here.
    upper = gap * (following < preceding).view(np.uint8)
    np.multiply(upper, np.float32(1 - 2 * abs(turn)), out=out)
    out += part
    out += following
    out -= before[channel]
    np.maximum(out, 0, out=out)
    np.minimum(out, spread, out=out)


def _factor(
    value: Plane, spread: Plane, change: _Change, out: Plane, other: Plane
) -> Plane | np.float32:
    """Return k times the contrast: a plane where k differs from pixel to pixel.

    Args:
        value: V after the brightness.
        spread: D.
        change: what to do.
        out: where to.
        other: scratch.
    """
    cut = change.saturation > 1
    mirrored = change.brightness < 0 and bool(value.min() <= 0)
    if not (cut or mirrored):
        return np.float32(change.contrast * change.saturation)
    out[...] = change.saturation
    if cut:
        np.maximum(spread, _TINY, out=other)
        np.divide(np.abs(value), other, out=other)
        np.minimum(out, other, out=out)
    if mirrored:
        np.abs(value, out=other)
        other += _EPSILON
        np.divide(value, other, out=other)  # 1, -1, or 0 where V is 0
        out *= other
    out *= np.float32(change.contrast)
    return out


def _half(pixels: NDArray[Any]) -> float:
    """Return what makes cutting off a fraction a rounding: nothing for floats."""
    return 0.5 if pixels.dtype == np.uint8 else 0.0


def _store(values: Plane, target: NDArray[Any]) -> None:
    """Write values, to which :func:`_half` has been added, in the target's dtype."""
    if target.dtype == np.uint8:
        np.clip(values, 0, 255, out=values)
    np.copyto(target, values, casting="unsafe")
