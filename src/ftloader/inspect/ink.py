"""Text on a sheet: fonts, wrapping by pixels, colours of paper and ink. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from ftloader.inspect.colours import Colour

#: What Pillow loads; without FreeType its own font is a bitmap.
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER: Final[Colour] = (255, 255, 255)
INK: Final[Colour] = (20, 20, 20)
FAINT: Final[Colour] = (96, 96, 96)
ALARM: Final[Colour] = (176, 0, 32)


@dataclass(frozen=True, slots=True)
class Fonts:
    """The fonts of a sheet.

    Attributes:
        title: the largest.
        text: captions.
        tag: class names on pictures.
        any_letter: whether it is a font of the user's, who knows what letters it has.
    """

    title: Font
    text: Font
    tag: Font
    any_letter: bool = False

    @classmethod
    def of(cls, path: str = "") -> Fonts:
        """Load the fonts.

        Args:
            path: a TrueType file; Pillow's own font if empty.

        Raises:
            OSError: the file cannot be read, or is no font.
        """
        title, text, tag = (
            ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
            for size in (20, 14, 12)
        )
        return cls(title, text, tag, any_letter=bool(path))

    def writable(self, text: str) -> str:
        """Return text without the letters that Pillow's own font would draw as boxes."""
        if self.any_letter or text.isascii():
            return text
        letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        return "".join(letter if letter.isascii() else "?" for letter in letters)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of text that will be drawn."""

    texts: Sequence[str]
    font: Font
    colour: Colour = INK

    @property
    def height(self) -> int:
        """Pixels that they take."""
        return len(self.texts) * line_height(self.font)

    def draw(self, image: Image.Image, x: int, y: int) -> int:
        """Draw them; returns where the next line goes."""
        draw = ImageDraw.Draw(image)
        for text in self.texts:
            draw.text((x, y), text, fill=self.colour, font=self.font)
            y += line_height(self.font)
        return y


def line_height(font: Font) -> int:
    """Return the distance between two lines, pixels."""
    return int(font.getbbox("Ag")[3] * 1.25) + 1


def wrapped(text: str, font: Font, width: int, hanging: str = "    ") -> list[str]:
    """Break text into lines that fit a width.

    Args:
        text: what to break, at its spaces or, where a word is too long, anywhere.
        font: what it will be drawn in.
        width: pixels.
        hanging: put before every line but the first.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line.strip() else line + word
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line.strip():
            lines.append(line)
            line = hanging
        for letter in word:
            if font.getlength(line + letter) > width and line.strip():
                lines.append(line)
                line = hanging
            line += letter
    return [*lines, line] if line.strip() else lines
