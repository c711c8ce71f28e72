"""One cell of a contact sheet: the sample before, after, and what was drawn for it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from ftloader.detection.sample import Sample
from ftloader.inspect.colours import Colour
from ftloader.inspect.drawing import draw_sample
from ftloader.inspect.ink import ALARM, FAINT, INK, PAPER, Fonts, Lines, line_height, wrapped
from ftloader.inspect.layout import plural
from ftloader.inspect.samples import Shown

_GAP: Final = 12
_SIDE: Final = 200
_FRAME: Final[Colour] = (150, 150, 150)
_EMPTY: Final[Colour] = (238, 238, 238)


@dataclass(frozen=True, slots=True)
class CellLook:
    """What all cells of a sheet share.

    Attributes:
        fonts: for all text.
        names: class names by label.
        colours: colours by label, for all labels on the sheet.
        picture: side of the square that the large picture is fitted into, pixels.
    """

    fonts: Fonts
    names: Sequence[str]
    colours: Mapping[int, Colour]
    picture: int

    @property
    def width(self) -> int:
        """Width of a cell, pixels."""
        return _SIDE + _GAP + self.picture


def draw_cell(shown: Shown, look: CellLook) -> Image.Image:
    """Draw a cell: facts and the small picture before on the left, the large one after beside it.

    Args:
        shown: what to draw.
        look: shared by all cells.

    Returns:
        RGB, as wide as the look says and as high as it needs to be.
    """
    fonts, width = look.fonts, look.width
    main = shown.after if shown.after is not None or shown.failure else shown.before
    picture, notes = _main_picture(main, shown.failure, look)
    side = _side(shown, main, look)
    texts = [line for text in shown.caption for line in wrapped(text, fonts.text, width)]
    asides = [line for text in notes for line in wrapped(fonts.writable(text), fonts.text, width)]
    caption, remarks = Lines(texts, fonts.text), Lines(asides, fonts.text, FAINT)
    top = max(picture.height, side.height)
    height = top + _GAP // 2 + caption.height + remarks.height
    cell = Image.new("RGB", (width, height), PAPER)
    cell.paste(side, (0, 0))
    cell.paste(picture, (_SIDE + _GAP, 0))
    y = caption.draw(cell, 0, top + _GAP // 2)
    remarks.draw(cell, 0, y)
    return cell


def _main_picture(
    sample: Sample | None, failure: str, look: CellLook
) -> tuple[Image.Image, Sequence[str]]:
    if sample is not None:
        names = [look.fonts.writable(name) for name in look.names]
        room = (look.picture - 2, look.picture - 2)
        drawn = draw_sample(sample, names, look.colours, room, look.fonts.tag)
        return _framed(drawn.image), drawn.notes
    picture = Image.new("RGB", (look.picture, look.picture // 2), _EMPTY)
    font = look.fonts.text
    texts = wrapped(look.fonts.writable(failure), font, look.picture - 2 * _GAP)
    Lines(texts, font, ALARM).draw(picture, _GAP, _GAP)
    return picture, ()


def _side(shown: Shown, main: Sample | None, look: CellLook) -> Image.Image:
    """Draw the left column: facts, the picture before, a legend."""
    fonts = look.fonts
    texts = map(fonts.writable, _facts(shown))
    facts = [line for text in texts for line in wrapped(text, fonts.text, _SIDE)]
    head = Lines(facts, fonts.text)
    small = None
    if shown.before is not None and main is not shown.before:
        drawn = draw_sample(shown.before, look.names, look.colours, (_SIDE - 2, _SIDE - 2), None)
        small = _framed(drawn.image)
    row = line_height(fonts.text)
    room = look.picture - head.height - (small.height if small else 0) - 2 * _GAP
    legend = [] if main is None else _legend(main, look, max(room // row, 3))
    height = head.height + (small.height + _GAP if small else 0) + row * len(legend) + _GAP // 2
    side = Image.new("RGB", (_SIDE, height), PAPER)
    y = head.draw(side, 0, 0) + _GAP // 2
    if small is not None:
        side.paste(small, (0, y))
        y += small.height + _GAP // 2
    draw = ImageDraw.Draw(side)
    for colour, text in legend:
        if colour is not None:
            draw.rectangle((0, y + 2, row - 5, y + row - 4), fill=colour, outline=(0, 0, 0))
        draw.text((row + 2, y), text, fill=INK, font=fonts.text)
        y += row
    return side


def _facts(shown: Shown) -> list[str]:
    head = f"image {shown.index}"
    if shown.epoch is not None:
        head += f", epoch {shown.epoch}"
    if shown.before is None:
        return [head]
    info = shown.before.info
    facts = [head, info.file_name, f"{info.width} x {info.height}, {_objects(shown.before)}"]
    if shown.after is not None:
        after = shown.after.info
        facts.append(f"-> {after.width} x {after.height}, {_objects(shown.after)}")
    return facts


def _objects(sample: Sample) -> str:
    crowd = int(sample.crowd.sum())
    text = plural(len(sample.labels) - crowd, "object")
    return f"{text}, {crowd} crowd" if crowd else text


def _legend(sample: Sample, look: CellLook, most: int) -> list[tuple[Colour | None, str]]:
    """Return colour and text of a sample's classes, the most frequent first, on so many lines."""
    counts = Counter(int(label) for label in sample.labels).most_common()
    shown = counts if len(counts) <= most else counts[: most - 1]
    lines: list[tuple[Colour | None, str]] = [
        (look.colours[label], f"{count} {look.fonts.writable(look.names[label])}")
        for label, count in shown
    ]
    if left := counts[len(shown) :]:
        rest = sum(count for _, count in left)
        lines.append((None, f"{rest} of {plural(len(left), 'more class', 'more classes')}"))
    return lines


def _framed(image: Image.Image) -> Image.Image:
    framed = Image.new("RGB", (image.width + 2, image.height + 2), _FRAME)
    framed.paste(image, (1, 1))
    return framed
