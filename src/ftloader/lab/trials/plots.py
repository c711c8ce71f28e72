"""Plots of trials as SVG: every trial as a point, medians, intervals as bars.

Three kinds. *Dots*: one metric of one cell, a line for each contender and a mark for each arm.
*Curves*: one metric of a group of cells in one arm, a line for each contender. *Spread*: what share
of a distribution lies above a value, in one arm. Colours as ``lab.plots`` has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..arms import Arm
from ..plots import COLOURS, INK, RC, RULE, Look, look
from .summary import Entry, Group, Job, Row, Table

# Wider than this, and a linear axis would squeeze the small values into one place.
_LOGARITHMIC_FROM = 8.0
_VERTICES = 150
_Draw = Callable[[Figure], None]


def dots(table: Table, arms: Sequence[Arm], salt: str) -> str:
    """Draw one metric of one cell."""
    rows = [row for row in reversed(table.rows) if any(one.value for one in row.entries)]
    step = 0.8 / max(len(arms), 2)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for height, row in enumerate(rows):
            for place, entry in enumerate(row.entries):
                y = height + step * ((len(arms) - 1) / 2 - place)
                _mark(axes, entry, look(place), y)
        axes.set_yticks(range(len(rows)), [short(row.title) for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        _scale(axes.set_xscale, axes.set_xlim, axes.xaxis, _all(rows))
        axes.set_xlabel(label(table.metric))
        _plain(axes, "x")
        for height in range(len(rows) - 1):
            axes.axhline(height + 0.5, color=RULE, linewidth=0.4, alpha=0.5)
        _key(axes, [(arm.name, look(place)) for place, arm in enumerate(arms)])

    height = 0.9 + max(0.34, 0.13 * len(arms)) * len(rows)
    return _svg(draw, (7.6, height), salt)


def curves(group: Group, metric: Mapping[str, Any], arm: int, salt: str) -> str:
    """Draw one metric of a group of cells in one arm; the scale is that of all arms."""
    tables = {job.x: table for job in group.jobs for table in job.tables if
              table.metric["name"] == metric["name"]}  # fmt: skip
    rows = [row for table in tables.values() for row in table.rows]
    names = {row.name: row for row in sorted(rows, key=lambda row: row.place)}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, one in names.items():
            mine = {x: row.entries[arm] for x, table in tables.items() for row in table.rows
                    if row.name == name}  # fmt: skip
            _curve(axes, mine, contender(one.place), short(one.title, 34))
        xs = sorted(tables)
        if xs[0] > 0 and xs[-1] / xs[0] >= _LOGARITHMIC_FROM:
            axes.set_xscale("log", base=2)
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.minorticks_off()
        axes.margins(x=0.08)
        _scale(axes.set_yscale, axes.set_ylim, axes.yaxis, _all(rows))
        axes.set_xlabel(group.x_title)
        axes.set_title(short(label(metric), 60), loc="left", fontsize=9.5)
        _plain(axes, "y")
        _below(figure, axes)

    return _svg(draw, (5.2, 3.1 + 0.2 * ((len(names) + 1) // 2)), salt)


def spread(table: Table, arm: int, salt: str) -> str:
    """Draw what share of a distribution lies above each value, in one arm."""
    rows = [row for row in table.rows if row.entries[arm].points]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row in rows:
            points = row.entries[arm].points
            above = np.geomspace(1.0, 1.0 / len(points), _VERTICES)
            values = np.quantile(points, 1.0 - above)
            own = contender(row.place)
            axes.plot(values, above, color=own.colour, linestyle=own.dash, linewidth=1.6,
                      label=short(row.title, 34))  # fmt: skip
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:.4g}"))
        axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        _scale(axes.set_xscale, axes.set_xlim, axes.xaxis, _points(table))
        axes.set_xlabel(f"single values, {table.metric['unit']}".rstrip(" ,"))
        axes.set_title("share above", loc="left", fontsize=9.5)
        _plain(axes, "y")
        _below(figure, axes)

    return _svg(draw, (5.2, 3.0 + 0.2 * ((len(rows) + 1) // 2)), salt)


def has_spread(table: Table, arm: int) -> bool:
    """Tell whether a table keeps distributions of an arm."""
    return any(row.entries[arm].points for row in table.rows)


def contender(place: int) -> Look:
    """Return the look of a contender; colours come again with other marks and dashes."""
    other = look(place + 2 * (place // COLOURS))
    return Look(look(place).colour, other.marker, other.dash)


def label(metric: Mapping[str, Any]) -> str:
    """Name a metric on an axis."""
    said = [metric["unit"], f"{metric['better']} is better" if metric["better"] else ""]
    rest = ", ".join(word for word in said if word)
    return f"{metric['title']} ({rest})" if rest else str(metric["title"])


def short(title: str, width: int = 44) -> str:
    """Cut a title."""
    return title if len(title) <= width else title[: width - 1].rstrip(" ,:") + "…"


def _mark(axes: Any, entry: Entry, own: Look, y: float) -> None:
    if entry.value is None:
        return
    every = list(entry.by_block.values())
    faint = {"color": own.colour, "alpha": 0.35, "markersize": 3.5, "markeredgewidth": 0}
    axes.plot(every, [y] * len(every), own.marker, **faint, zorder=2)
    axes.plot([entry.value.low, entry.value.high], [y, y], color=own.colour, linewidth=1.4,
              zorder=3)  # fmt: skip
    axes.plot([entry.value.value], [y], own.marker, color=own.colour, markersize=5.5, zorder=4)


def _curve(axes: Any, entries: Mapping[float, Entry], own: Look, name: str) -> None:
    found = [(x, entry.value, entry) for x, entry in sorted(entries.items()) if entry.value]
    if not found:
        return
    xs = [x for x, _, _ in found]
    axes.plot(xs, [value.value for _, value, _ in found], color=own.colour, marker=own.marker,
              markersize=6, linestyle=own.dash, linewidth=1.6, label=name, zorder=3)  # fmt: skip
    for x, value, entry in found:
        every = list(entry.by_block.values())
        axes.plot([x] * len(every), every, own.marker, color=own.colour, alpha=0.35,
                  markersize=3.5, markeredgewidth=0, zorder=2)  # fmt: skip
        axes.plot([x, x], [value.low, value.high], color=own.colour, linewidth=1.2, zorder=3)


def _all(rows: Iterable[Row]) -> list[float]:
    return [value for row in rows for one in row.entries for value in one.by_block.values()]


def _points(table: Table) -> list[float]:
    return [end for row in table.rows for one in row.entries if one.points
            for end in (one.points[0], one.points[-1])]  # fmt: skip


def _scale(scale: Any, limits: Any, axis: Any, found: Sequence[float]) -> None:
    if not found:
        return
    low, high = min(found), max(found)
    if low > 0 and high / low > _LOGARITHMIC_FROM:
        scale("log")
        axis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5) if high / low < 1e3 else (1,)))
        axis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(mpl.ticker.NullFormatter())
        limits(low / 1.2, high * 1.2)
    else:
        room = 0.06 * (max(high, 0) - min(low, 0)) or 1.0
        limits(min(0.0, low - room) if low < 0 else 0.0, max(high, 0.0) + room)


def _plain(axes: Any, grid: str) -> None:
    axes.grid(axis=grid, color=RULE, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both")


def _key(axes: Any, arms: Sequence[tuple[str, Look]]) -> None:
    """Name the arms above the plot, each in its colour and with its mark."""
    marks = [
        mpl.lines.Line2D([], [], color=own.colour, marker=own.marker, linestyle="", label=name)
        for name, own in arms
    ]
    axes.legend(handles=marks, loc="lower right", bbox_to_anchor=(1, 1), ncols=min(len(marks), 4),
        frameon=False, borderaxespad=0.1, handletextpad=0.1, labelcolor=INK)  # fmt: skip


def _below(figure: Figure, axes: Any) -> None:
    """Name the lines below the plot."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False,
            labelcolor=INK, fontsize=8.5)  # fmt: skip


def _svg(draw: _Draw, size: tuple[float, float], salt: str) -> str:
    # A fixed salt: the same numbers give the same bytes.
    with mpl.rc_context({**RC, "svg.hashsalt": salt}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


__all__ = ["Job", "contender", "curves", "dots", "has_spread", "label", "short", "spread"]
