"""One plot per cell: a line for each contender, a mark for each arm, intervals as bars."""

from __future__ import annotations

from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..plots import INK, RC, RULE, look
from .analyse import CostSummary, Table

# Wider than this, and a linear axis would squeeze the small values into one place.
_LOGARITHMIC_FROM = 8.0


def values(table: Table, summary: CostSummary) -> str:
    """Draw a cell's values; returns SVG with the placeholder colours of ``lab.plots``."""
    rows = list(reversed(table.rows))
    # A fixed salt: the same numbers give the same bytes.
    with mpl.rc_context({**RC, "svg.hashsalt": table.name}):
        figure = Figure(figsize=(7.6, 0.9 + 0.34 * len(rows)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        found = [one.value for row in rows for one in row.values if one is not None]
        for height, row in enumerate(rows):
            for place, one in enumerate(row.values):
                if one is None:
                    continue
                own, y = look(place), height + 0.2 * ((len(summary.arms) - 1) / 2 - place)
                axes.plot([one.low, one.high], [y, y], color=own.colour, linewidth=1.4, zorder=3)
                axes.plot([one.value], [y], own.marker, color=own.colour, markersize=5.5, zorder=4)
        _frame(axes, table, [_short(row.title) for row in rows], found)
        _key(axes, summary)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def _frame(axes: Any, table: Table, names: list[str], found: list[float]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    positive = [value for value in found if value > 0]
    if len(positive) == len(found) > 0 and max(found) / min(found) > _LOGARITHMIC_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_xlim(left=min(0.0, *found) if found else 0.0)
    axes.set_xlabel(f"{table.unit} ({table.better} is better)")
    axes.grid(axis="x", color=RULE, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both")
    for height in range(len(names) - 1):
        axes.axhline(height + 0.5, color=RULE, linewidth=0.4, alpha=0.5)


def _key(axes: Any, summary: CostSummary) -> None:
    """Name the arms above the plot, each in its colour and with its mark."""
    marks = [
        mpl.lines.Line2D([], [], color=own.colour, marker=own.marker, linestyle="", label=arm.name)
        for arm, own in zip(summary.arms, map(look, range(len(summary.arms))), strict=True)
    ]
    axes.legend(handles=marks, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(marks),
        frameon=False, borderaxespad=0.1, handletextpad=0.1, labelcolor=INK)  # fmt: skip


def _short(title: str, width: int = 44) -> str:
    return title if len(title) <= width else title[: width - 1].rstrip(" ,:") + "…"
