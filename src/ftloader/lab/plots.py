"""Scaling plots as SVG: every observation as a point, medians as a line, intervals as bars.

Colours are the colour-blind safe Okabe-Ito ones, and every arm also has its own marker and dash,
so a plot reads in grey print. Text stays text. A plot is drawn once with placeholder colours;
:func:`inline` turns them into the page's CSS variables, :func:`standalone` into fixed ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from .arms import Arm
from .findings import fit_text
from .statistics import Estimate
from .summary import Point, Subject, Summary

# Placeholder -> (CSS variable, colour on white paper).
INK, RULE = "#010101", "#020202"
_COLOURS = {
    INK: ("var(--ink)", "#222222"),
    RULE: ("var(--rule)", "#cccccc"),
    "#0a0101": ("var(--arm-0)", "#555555"),
    "#0a0202": ("var(--arm-1)", "#0072b2"),
    "#0a0303": ("var(--arm-2)", "#d55e00"),
    "#0a0404": ("var(--arm-3)", "#009e73"),
    "#0a0505": ("var(--arm-4)", "#cc79a7"),
    "#0a0606": ("var(--arm-5)", "#8a6d00"),
    "#0a0707": ("var(--arm-6)", "#6a3d9a"),
}
#: How many colours there are for arms, as ``--arm-0`` and so on in the page.
COLOURS = len(_COLOURS) - 2
_MARKS = (("o", "-"), ("s", "-"), ("^", "--"), ("D", "-."), ("v", ":"), ("<", "-"), (">", "--"))
_POOL = ("X", (0, (1, 1)))
# Beyond this many threads axes are logarithmic: halving the time looks alike everywhere.
_LINEAR_TO = 8
# With more arms a plot is higher.
_FEW = 4
# Arms are drawn beside each other, this share of the thread count apart.
_SHIFT = 0.02
# Between the names of arms, inches.
_LABEL_GAP = 0.25
RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Look:
    """How an arm is drawn."""

    colour: str
    marker: str
    dash: str | tuple[int, tuple[int, int]]


def look(place: int) -> Look:
    """Return the look of the arm at a place in the list of arms."""
    marker, dash = _MARKS[place % len(_MARKS)]
    return Look(list(_COLOURS)[2 + place % COLOURS], marker, dash)


def arm_look(summary: Summary, arm: Arm) -> Look:
    """Return the look of an arm: a process pool has the colour of the arm that it goes with."""
    own = look(summary.colour(arm))
    return own if arm.threaded else Look(own.colour, *_POOL)


def throughput(subject: Subject, summary: Summary) -> str:
    """Draw throughput against threads; returns SVG with placeholder colours."""

    def extra(axes: Any) -> None:
        axes.set_ylabel(f"{subject.unit}/s")

    drawn = _Drawn(lambda p: p.throughput, lambda p: p.by_block)
    return _draw(subject, summary, drawn, extra)


def speedup(subject: Subject, summary: Summary) -> str:
    """Draw the speed-up over one thread of the same arm: ideal, ceiling, fitted laws."""

    def extra(axes: Any) -> None:
        axes.set_ylabel("speed-up over one of its own")
        if max(summary.threads) > _LINEAR_TO:
            axes.set_yscale("log", base=2)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.axhline(1, color=RULE, linewidth=0.8, zorder=0)
        _ideal(axes, max(summary.threads))
        _ceiling(axes, summary)
        _laws(axes, subject, summary)

    drawn = _Drawn(lambda p: p.speedup, lambda p: p.ratios)
    return _draw(subject, summary, drawn, extra)


@dataclass(frozen=True)
class _Drawn:
    """What of a point is drawn: its estimate, and the number of each block."""

    pick: Callable[[Point], Estimate | None]
    every: Callable[[Point], Mapping[int, float]]


def _ideal(axes: Any, most: int) -> None:
    axes.plot([1, most], [1, most], color=INK, linewidth=0.8, dashes=(1, 2), zorder=1)
    # On logarithmic axes the middle is the geometric one.
    middle = (1 + most) / 2 if most <= _LINEAR_TO else most**0.5
    axes.annotate("ideal", (middle, middle), (-5, 3), textcoords="offset points", ha="right")


def _ceiling(axes: Any, summary: Summary) -> None:
    """Draw what the ceiling control reached, as measured in the first arm without the GIL."""
    free = next((arm.name for arm in summary.arms if arm.threaded and not arm.gil), "")
    reached = [
        (one.threads, one.ratio.value)
        for one in summary.controls
        if one.name == "ceiling" and one.ratio and one.arm == free
    ]
    if reached:
        xs, ys = zip(*reached, strict=True)
        axes.plot((1, *xs), (1, *ys), color=INK, linewidth=0.9, linestyle=(0, (6, 2)), zorder=1)
        axes.plot(xs, ys, "_", color=INK, markersize=18, markeredgewidth=1.4, zorder=2)
        axes.annotate(
            "ceiling", (xs[-1], ys[-1]), (12, -3), textcoords="offset points", fontsize=8.5
        )


def _laws(axes: Any, subject: Subject, summary: Summary) -> None:
    """Draw the laws fitted to arms without the GIL over the range they were fitted to."""
    said = []
    for series in (one for one in subject.fitted() if not one.arm.gil and one.arm.threaded):
        first, laws = series.at(1), series.laws
        if first is None or first.throughput is None or laws is None:
            continue
        own = arm_look(summary, series.arm)
        for fit in laws.fits:
            xs = np.linspace(1, max(fit.counts), 200)
            ys = fit.rates(xs) / first.throughput.value
            dash = ":" if not fit.identified else "-" if fit.law == "usl" else (0, (5, 1))
            axes.plot(xs, ys, color=own.colour, linewidth=1.0, linestyle=dash, zorder=2)
            law = {"amdahl": "Amdahl", "usl": "USL"}[fit.law]
            said.append(f"{series.arm.name}, {law}: {fit_text(fit)}")
    if said:
        axes.set_title("\n".join(said), loc="left", fontsize=7.5, linespacing=1.25)


def _draw(subject: Subject, summary: Summary, drawn: _Drawn, extra: Callable[[Any], None]) -> str:
    # A fixed salt: the same numbers give the same bytes.
    with mpl.rc_context({**RC, "svg.hashsalt": subject.name}):
        height = 3.3 if len(subject.series) <= _FEW else 4.2
        figure = Figure(figsize=(5.2, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        ends = []
        centre = (len(subject.series) - 1) / 2
        for place, series in enumerate(subject.series):
            own = arm_look(summary, series.arm)
            points = [(point, found) for point in series.points if (found := drawn.pick(point))]
            if points:
                _series(axes, points, own, drawn, shift=(place - centre) * _SHIFT)
                # Beside the outermost mark, whichever arm's that is.
                last = points[-1][0].threads * (1 + centre * _SHIFT)
                ends.append((last, points[-1][1].value, series.arm.name, own))
        extra(axes)
        _frame(axes, subject, summary)
        _labels(axes, ends)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def _series(
    axes: Any, points: Sequence[tuple[Point, Estimate]], look: Look, drawn: _Drawn, shift: float
) -> None:
    xs = [point.threads * (1 + shift) for point, _ in points]
    ys = [found.value for _, found in points]
    inside = [place for place, (point, _) in enumerate(points) if not point.oversubscribed]
    solid = {"color": look.colour, "linewidth": 1.6, "linestyle": look.dash, "zorder": 3}
    axes.plot([xs[i] for i in inside], [ys[i] for i in inside], **solid)
    for x, (point, found) in zip(xs, points, strict=True):
        every = list(drawn.every(point).values())
        axes.plot([x] * len(every), every, look.marker, color=look.colour, alpha=0.35,
            markersize=3.5, markeredgewidth=0, zorder=2)  # fmt: skip
        axes.plot([x, x], [found.low, found.high], color=look.colour, linewidth=1.2, zorder=3)
        face = "none" if point.oversubscribed else look.colour
        axes.plot([x], [found.value], look.marker, color=look.colour, markerfacecolor=face,
            markersize=6.5, zorder=4)  # fmt: skip
    if inside and len(inside) < len(points):
        faint = {**solid, "linestyle": ":", "linewidth": 1.0}
        axes.plot(xs[inside[-1] :], ys[inside[-1] :], **faint)


def _frame(axes: Any, subject: Subject, summary: Summary) -> None:
    counts = sorted({point.threads for series in subject.series for point in series.points})
    if max(summary.threads) > _LINEAR_TO:
        axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    # Wherever samples were refused: a plot without points has the same frame.
    axes.set_xlim(*_margins(counts, axes.get_xscale() == "log"))
    pools = any(not series.arm.threaded for series in subject.series)
    axes.set_xlabel("threads, or processes of a pool" if pools else "threads")
    if axes.get_yscale() == "linear":
        axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    axes.grid(axis="y", color=RULE, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    if counts[-1] > max(summary.threads):
        axes.annotate("more threads\nthan cores", (counts[-1], 0), (0, 5), ha="center",
            xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=8,
            linespacing=1.1)  # fmt: skip


def _margins(counts: Sequence[int], logarithmic: bool) -> tuple[float, float]:
    """Return the ends of the thread axis, some room beside the first and last count."""
    low, high = counts[0], counts[-1]
    if logarithmic:
        room = (high / low) ** 0.08
        return low / room, high * room
    room = 0.08 * (high - low or 1)
    return low - room, high + room


def _labels(axes: Any, ends: Sequence[tuple[float, float, str, Look]]) -> None:
    """Write each arm's name beside its last point, moved apart where they would touch."""
    heights: list[float] = []
    gap = _LABEL_GAP / axes.figure.get_figheight()
    ordered = sorted(ends, key=lambda end: end[1])
    for x, y, _, _ in ordered:
        at = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[1]
        heights.append(max(at, heights[-1] + gap) if heights else at)
    limit = 1.0
    for place in reversed(range(len(heights))):
        heights[place] = min(heights[place], limit)
        limit = heights[place] - gap
    for (x, _, name, look), height in zip(ordered, heights, strict=True):
        axes.annotate(name, (x, height), (12, -3), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=look.colour, annotation_clip=False)  # fmt: skip


def inline(svg: str, prefix: str, label: str) -> str:
    """Make an SVG part of a page: the page's colours and font, ids of its own, a spoken label.

    Args:
        svg: what a drawing function returned.
        prefix: unique in the page.
        label: what the plot shows, for those who do not see it.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # The page scales it; a fixed size in points would not fit a phone.
    svg = re.sub(r'(<svg [^>]*?)\bwidth="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)\bheight="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    svg = svg.replace("'DejaVu Sans'", "inherit")
    for placeholder, (variable, _) in _COLOURS.items():
        svg = svg.replace(placeholder, variable)
    return svg


def standalone(svg: str) -> str:
    """Make an SVG a file of its own: fixed colours on white."""
    for placeholder, (_, colour) in _COLOURS.items():
        svg = svg.replace(placeholder, colour)
    svg = svg.replace("'DejaVu Sans'", "'DejaVu Sans', sans-serif")
    start = svg.index("<svg")
    end = svg.index(">", start) + 1
    return f'{svg[:end]}\n <rect width="100%" height="100%" fill="#ffffff"/>{svg[end:]}'
