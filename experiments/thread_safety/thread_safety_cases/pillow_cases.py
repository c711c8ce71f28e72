"""What people do with Pillow inside a transform."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFile, ImageFont

STYLE = "pil"


def encoded() -> bytes:
    """Return a PNG of 48 x 48."""
    pixels = np.random.default_rng(1).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class Watermark:
    """Pastes an image that was opened once; Pillow decodes it at its first use."""

    def __init__(self, loaded: bool) -> None:
        self.mark = Image.open(io.BytesIO(encoded()))
        if loaded:
            self.mark.load()

    def __deepcopy__(self, memo: dict[int, Any]) -> Watermark:
        return type(self)(loaded=self.mark.fp is None)  # an open image cannot be copied unread

    def __call__(self, image: Image.Image) -> Image.Image:
        result = image.copy()
        result.paste(self.mark, (4, 4))
        return result


class Caption:
    """Writes with a font that all calls share."""

    def __init__(self) -> None:
        self.font = ImageFont.load_default(14)

    def __deepcopy__(self, memo: dict[int, Any]) -> Caption:
        return type(self)()

    def __call__(self, image: Image.Image) -> Image.Image:
        result = image.copy()
        ImageDraw.Draw(result).text((2, 2), f"{image.width} x {image.height}", font=self.font)
        return result


class DrawsOnItsInput:
    """Draws a frame on the image it was given."""

    def __call__(self, image: Image.Image) -> Image.Image:
        ImageDraw.Draw(image).rectangle((2, 2, 20, 20), outline=(255, 0, 0))
        return image


class ForgivesTruncation:
    """Sets the switch of the whole process before it decodes."""

    def __call__(self, image: Image.Image) -> Image.Image:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        return image.rotate(90)


class Canvas:
    """Pastes onto one canvas that it keeps, and returns it."""

    def __init__(self) -> None:
        self.canvas = Image.new("RGB", (1400, 1400))

    def __call__(self, image: Image.Image) -> Image.Image:
        self.canvas.paste(image, (0, 0))
        return self.canvas.crop((0, 0, *image.size))


class Enhances:
    """Makes what it needs anew for each image."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return ImageEnhance.Contrast(image).enhance(1.5).transpose(Image.Transpose.FLIP_LEFT_RIGHT)


CASES: dict[str, Callable[[], Any]] = {
    "a shared image, opened only": lambda: Watermark(loaded=False),
    "a shared image, loaded": lambda: Watermark(loaded=True),
    "a shared font": Caption,
    "drawing on the input": DrawsOnItsInput,
    "LOAD_TRUNCATED_IMAGES per call": ForgivesTruncation,
    "a canvas that is kept": Canvas,
    "enhance and transpose": Enhances,
}
