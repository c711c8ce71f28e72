"""The site's own pictures as SVG: intervals in rows, shares in bars, ratios over commits.

Drawn with the placeholder colours of ``lab.plots``. Every row carries its name and its numbers as
text, so that nothing rests on colour, and a picture is narrow enough for a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from .. import prose
from ..plots import INK, RC, RULE, Look, look
from ..statistics import Estimate
from .answer_safety import KINDS, Library
from .history import Panel

# Inches; on a phone a point of type is then a little more than a pixel.
_WIDTH = 4.2
# Wider than this, and a linear axis would squeeze the small values into one place.
_LOGARITHMIC_FROM = 8.0
# Further from 1 than this, and a line at 1 would only flatten the rest.
_NEAR = 3.0
#: The look of each kind of verdict: safe, order-dependent, unsafe.
_KIND_LOOKS = (3, 1, 2)


@dataclass(frozen=True)
class Bar:
    """One row of a picture of intervals."""

    title: str
    found: Estimate


def forest(bars: Sequence[Bar], axis: str, salt: str) -> str:
    """Draw ratios with their intervals, a row each, and a line at 1."""

    def draw(axes: Any) -> None:
        own = look(1)
        for height, bar in enumerate(reversed(bars)):
            one = bar.found
            # In pieces: a line from top to bottom would run through the names.
            axes.plot([1, 1], [height - 0.2, height + 0.2], color=INK, linewidth=1.1, zorder=2)
            axes.plot([one.low, one.high], [height] * 2, color=own.colour, linewidth=2.2, zorder=3)
            axes.plot([one.value], [height], own.marker, color=own.colour, markersize=7, zorder=4)
            _row(axes, height, bar.title, prose.interval(one))
        every = [end for bar in bars for end in (bar.found.low, bar.found.high)]
        room = 0.06 * (max(1.0, *every) - min(1.0, *every))
        axes.set_xlim(min(1.0, *every) - room, max(1.0, *every) + room)
        axes.set_xlabel(axis)

    return _picture(draw, len(bars), salt)


def shares(found: Sequence[Library], salt: str) -> str:
    """Draw how many transforms of each library are safe, order-dependent and unsafe."""

    def draw(axes: Any) -> None:
        for height, one in enumerate(reversed(found)):
            left = 0.0
            for kind, place in zip(KINDS, _KIND_LOOKS, strict=True):
                share = one.counts[kind] / one.total
                # A gap of paper between two kinds: they differ in more than colour.
                axes.barh([height], [max(share - 0.006, 0)], left=left, height=0.3,
                    color=look(place).colour, zorder=3)  # fmt: skip
                left += share
            counts = " · ".join(f"{one.counts[kind]} {kind}" for kind in KINDS if one.counts[kind])
            _row(axes, height, f"{one.title}{f', {one.arm}' if one.arm else ''}", counts)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "half", "all"])
        axes.set_xlabel("share of the transforms that have a verdict")

    return _picture(draw, len(found), salt)


def _row(axes: Any, height: float, title: str, numbers: str) -> None:
    """Write a row's name at the left and its numbers at the right, above what is drawn."""
    across = axes.get_yaxis_transform()
    axes.text(0, height + 0.26, title, transform=across, ha="left", va="bottom")
    axes.text(1, height + 0.26, numbers, transform=across, ha="right", va="bottom", fontsize=9.2)


def _picture(draw: Any, rows: int, salt: str) -> str:
    # A fixed salt: the same numbers give the same bytes.
    with mpl.rc_context({**RC, "svg.hashsalt": salt}):
        figure = Figure(figsize=(_WIDTH, 0.62 + 0.5 * rows), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_yticks([])
        axes.set_ylim(-0.4, rows - 0.25)
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.6, alpha=0.6)
        axes.set_axisbelow(True)
        draw(axes)
        return _svg(figure)


def course(panel: Panel, salt: str) -> str:
    """Draw the ratios of a panel over the sets, each with its interval."""
    with mpl.rc_context({**RC, "svg.hashsalt": salt}):
        columns = len(panel.lines) if sum(len(one.name) + 8 for one in panel.lines) < 54 else 1
        tall = 2.5 + 0.18 * len(panel.lines) / columns
        figure = Figure(figsize=(_WIDTH, tall), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        marks = []
        for place, line in enumerate(panel.lines):
            own = look(place)
            _line(axes, line.points, own, (place - (len(panel.lines) - 1) / 2) * 0.05)
            dash: Any = own.dash
            marks.append(mpl.lines.Line2D([], [], color=own.colour, marker=own.marker,
                linestyle=dash, label=line.name))  # fmt: skip
        every = [end for line in panel.lines for one in line.points if one
            for end in (one.low, one.high)]  # fmt: skip
        _frame(axes, panel.ticks, every)
        axes.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1), frameon=False,
            ncols=columns, borderaxespad=0.2, labelcolor=INK, handlelength=2.2, fontsize=9.2,
            columnspacing=1.1)  # fmt: skip
        return _svg(figure)


def _line(axes: Any, points: Sequence[Estimate | None], own: Look, shift: float) -> None:
    there = [(place + shift, one) for place, one in enumerate(points) if one is not None]
    for x, one in there:
        axes.plot([x, x], [one.low, one.high], color=own.colour, linewidth=1.4, zorder=3)
    axes.plot([x for x, _ in there], [one.value for _, one in there], color=own.colour,
        marker=own.marker, linestyle=own.dash, markersize=6, zorder=4)  # fmt: skip


def _frame(axes: Any, ticks: Sequence[str], every: Sequence[float]) -> None:
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_xlim(-0.4, len(ticks) - 0.6)
    low, high = min(every), max(every)
    if low / _NEAR < 1 < high * _NEAR:  # 1 is near enough to be shown
        low, high = min(1.0, low), max(1.0, high)
        axes.axhline(1, color=INK, linewidth=0.9, dashes=(1, 2), zorder=2)
    if high / low > _LOGARITHMIC_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    else:
        room = 0.08 * max(high - low, 0.2 * low)
        axes.set_ylim(low - room, high + room)
    axes.grid(axis="y", color=RULE, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both")


def _svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()
