"""A contact sheet: every sample before and after a recipe, with what was drawn for it.

The same samples give the same pixels, with the same Pillow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from ftloader.inspect.cell import CellLook, draw_cell
from ftloader.inspect.colours import class_colours
from ftloader.inspect.ink import FAINT, PAPER, Fonts, Lines, wrapped
from ftloader.inspect.samples import Shown

_GAP: Final = 28
_MOST_COLUMNS: Final = 3


@dataclass(frozen=True, slots=True)
class SheetLook:
    """How a sheet looks.

    Attributes:
        title: above all samples.
        footer: below them, such as the command that makes the sheet again.
        picture: side of the square that a picture is fitted into, pixels.
        font: a TrueType file for all text; Pillow's own, which has Latin letters only, if empty.
    """

    title: str = ""
    footer: tuple[str, ...] = ()
    picture: int = 460
    font: str = field(default="", kw_only=True)


def draw_sheet(
    shown: Sequence[Shown], names: Sequence[str], look: SheetLook | None = None
) -> Image.Image:
    """Draw the sheet.

    Args:
        shown: what the cells show, in reading order.
        names: class names by label.
        look: title, footer, size.

    Raises:
        OSError: the font cannot be read.
    """
    look = look or SheetLook()
    fonts = Fonts.of(look.font)
    labels = Counter(int(n) for one in shown for sample in one.samples for n in sample.labels)
    cell_look = CellLook(fonts, names, class_colours(len(names), labels), look.picture)
    cells = [draw_cell(one, cell_look) for one in shown]
    columns = min(_MOST_COLUMNS, max(1, math.ceil(len(cells) ** 0.5)))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    width = columns * (cell_look.width + _GAP) + _GAP
    head = [Lines(wrapped(look.title, fonts.title, width - 2 * _GAP), fonts.title)]
    footer = [line for text in look.footer for line in wrapped(text, fonts.text, width - 2 * _GAP)]
    foot = [Lines(footer, fonts.text, FAINT)]
    heights = [max(cell.height for cell in row) for row in rows]
    height = sum(lines.height for lines in head + foot) + sum(heights) + _GAP * (len(rows) + 3)
    sheet = Image.new("RGB", (width, height), PAPER)
    y = _GAP
    for lines in head:
        y = lines.draw(sheet, _GAP, y)
    y += _GAP // 2
    for row, tall in zip(rows, heights, strict=True):
        for place, cell in enumerate(row):
            sheet.paste(cell, (_GAP + place * (cell_look.width + _GAP), y))
        y += tall + _GAP
    for lines in foot:
        y = lines.draw(sheet, _GAP, y)
    return sheet
