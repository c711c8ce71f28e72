"""A colour per class, and ink that can be read on it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

Colour = tuple[int, int, int]

#: Up to so many classes, every class has a colour of its own on every sheet.
FEW_CLASSES: Final = 20
# Lightness levels of OKLCH, in the order in which neighbours get them, and the chroma of each.
_LEVELS: Final = ((0.80, 0.155), (0.60, 0.19), (0.70, 0.17))
# Degrees. Steps of the golden angle come closer to no earlier one than they must.
_FIRST_HUE, _GOLDEN_ANGLE = 25.0, 137.50776405


def class_colours(classes: int, shown: Mapping[int, int]) -> dict[int, Colour]:
    """Choose colours that tell the classes on one sheet apart.

    Args:
        classes: how many classes the data set has.
        shown: labels on the sheet, and how often each is there.

    Returns:
        Label to RGB. With at most ``FEW_CLASSES`` classes a label always has the same colour; with
        more, the colours that are farthest apart go to the classes that are seen most.
    """
    labels = sorted(shown, key=lambda label: (-shown[label], label))
    if classes <= FEW_CLASSES:
        labels = list(range(classes))
    return {label: _colour(place) for place, label in enumerate(labels)}


def _colour(place: int) -> Colour:
    """Return a colour of a sequence; the hues of its first ones are always spread well."""
    lightness, chroma = _LEVELS[place % len(_LEVELS)]
    return _oklch(lightness, chroma, _FIRST_HUE + _GOLDEN_ANGLE * place)


def ink_on(colour: Colour) -> Colour:
    """Return black or white, whichever has more contrast on a colour (WCAG luminance)."""
    red, green, blue = (_linear(value / 255) for value in colour)
    return (0, 0, 0) if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else (255, 255, 255)


def _oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """Return a colour of Ottosson's OKLCH (2020) in sRGB; what sRGB cannot show is cut off."""
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return _srgb(red), _srgb(green), _srgb(blue)


def _srgb(linear: float) -> int:
    value = min(max(linear, 0.0), 1.0)
    encoded = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255 * encoded)


def _linear(encoded: float) -> float:
    return encoded / 12.92 if encoded <= 0.04045 else float(((encoded + 0.055) / 1.055) ** 2.4)
