"""Pieces of terminal text that fit a width: tables, bars, wrapped lists.

Pure: the text depends on the arguments alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Where a number cannot be told.
NONE: Final = "–"
_PARTS: Final = "▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Style:
    """How wide text may get, in columns, and whether terminal colours may be used."""

    width: int = 80
    colour: bool = False

    def heading(self, text: str) -> str:
        """Return a heading."""
        return self._in(text, "1")

    def dim(self, text: str) -> str:
        """Return text that stands back."""
        return self._in(text, "2")

    def alarm(self, text: str) -> str:
        """Return text that stands out."""
        return self._in(text, "1;31")

    def wrap(self, text: str, indent: int = 2, hanging: int = 0) -> list[str]:
        """Return text as indented lines, those after the first by ``hanging`` columns more."""
        lines = textwrap.wrap(
            text.replace(" %", "\0%").replace(" x ", "\0x\0"),  # "640 x 480" stays together
            max(self.width, 40),
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hanging),
            break_on_hyphens=False,
        )
        return [line.replace("\0", " ") for line in lines]

    def _in(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


def table(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Return rows as aligned lines, the first column to the left, the others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        (" " * gap)
        .join(
            cell.rjust(space) if place else cell.ljust(space)
            for place, (cell, space) in enumerate(zip(row, widths, strict=True))
        )
        .rstrip()
        for row in rows
    ]


def bars(rows: Sequence[tuple[str, int]], total: int, width: int) -> list[str]:
    """Return a line per count: label, count, per cent of a total, and a bar.

    Args:
        rows: labels and counts.
        total: what 100 per cent are.
        width: columns to fit into.
    """
    if not rows:
        return []
    lines = table([(label, f"{n:,}", percent(n, total)) for label, n in rows])
    column = max(map(len, lines)) + 2
    room = min(max(width - column, 0), 40)
    most = max(n for _, n in rows)
    return [
        f"{line:{column}}{bar(n / most if most else 0, room)}".rstrip()
        for line, (_, n) in zip(lines, rows, strict=True)
    ]


def bar(share: float, room: int) -> str:
    """Return a bar for a share (0 to 1) of so many columns, in steps of an eighth of one."""
    eighths = round(share * room * 8)
    if share > 0 and room:
        eighths = max(eighths, 1)  # what is there can be seen
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_PARTS[rest - 1] if rest else "")


def percent(part: int, whole: int) -> str:
    """Return a share in per cent as text; what is there is never nothing."""
    if not whole:
        return NONE
    share = 100 * part / whole
    if 0 < share < 0.095:
        return "< 0.1 %"
    return f"{share:.1f} %" if 0 < share < 9.95 else f"{share:.0f} %"


def number(value: float) -> str:
    """Return a measurement as text with about three digits."""
    if abs(value) >= 1e7:
        return f"{value / 1e6:,.0f}M"
    if abs(value) >= 1e5:
        return f"{value / 1e3:,.0f}k"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def plural(count: int, noun: str, several: str = "") -> str:
    """Return a count and its noun."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"
