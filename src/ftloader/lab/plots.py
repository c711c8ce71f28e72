"""Scaling plots as SVG: every observation as a point, medians as a line, intervals as bars.

Colours are the colour-blind safe Okabe-Ito ones, and every arm also has its own marker and dash,
so a plot reads in grey print. Text stays text. A plot is drawn once with placeholder colours;
:func:`inline` turns them into the page's CSS variables, :func:`standalone` into fixed ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

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
}
_MARKS = (("o", "-"), ("s", "-"), ("^", "--"), ("D", "-."), ("v", ":"))
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
    dash: str


def look(place: int) -> Look:
    """Return the look of the arm at a place in the list of arms."""
    marker, dash = _MARKS[place % len(_MARKS)]
    return Look(list(_COLOURS)[2 + place % 5], marker, dash)


def throughput(subject: Subject, summary: Summary) -> str:
    """Draw throughput against threads; returns SVG with placeholder colours."""

    def extra(axes: Any) -> None:
        axes.set_ylabel(f"{subject.unit}/s")

    return _draw(subject, summary, lambda p: p.throughput, extra, scatter=True)


def speedup(subject: Subject, summary: Summary) -> str:
    """Draw the speed-up over one thread of the same arm, with the ideal and the ceiling."""

    def extra(axes: Any) -> None:
        axes.set_ylabel("speed-up over own one thread")
        most = max(summary.threads)
        axes.plot([1, most], [1, most], color=INK, linewidth=0.8, dashes=(1, 2), zorder=1)
        half = (1 + most) / 2
        axes.annotate("ideal", (half, half), (-5, 3), textcoords="offset points", ha="right")
        axes.axhline(1, color=RULE, linewidth=0.8, zorder=0)
        ceilings = [
            (one.threads, one.ratio.value)
            for one in summary.controls
            if one.name == "ceiling" and one.ratio and one.arm.endswith("off")
        ]
        if ceilings:
            xs, ys = zip(*ceilings, strict=True)
            axes.plot(xs, ys, "_", color=INK, markersize=18, markeredgewidth=1.4, zorder=2)
            axes.annotate(
                "ceiling", (xs[-1], ys[-1]), (12, -3), textcoords="offset points", fontsize=8.5
            )

    return _draw(subject, summary, lambda p: p.speedup, extra, scatter=False)


def _draw(
    subject: Subject,
    summary: Summary,
    pick: Callable[[Point], Estimate | None],
    extra: Callable[[Any], None],
    scatter: bool,
) -> str:
    # A fixed salt: the same numbers give the same bytes.
    with mpl.rc_context({**RC, "svg.hashsalt": subject.name}):
        figure = Figure(figsize=(5.2, 3.3), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        ends = []
        for place, series in enumerate(subject.series):
            own = look(place)
            points = [(point, found) for point in series.points if (found := pick(point))]
            if points:
                _series(axes, points, own, scatter, shift=(place - 1) * 0.02)
                ends.append((points[-1][0].threads, points[-1][1].value, series.arm.name, own))
        extra(axes)
        _frame(axes, subject, summary)
        _labels(axes, ends)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def _series(
    axes: Any, points: Sequence[tuple[Point, Estimate]], look: Look, scatter: bool, shift: float
) -> None:
    xs = [point.threads * (1 + shift) for point, _ in points]
    ys = [found.value for _, found in points]
    inside = [place for place, (point, _) in enumerate(points) if not point.oversubscribed]
    solid = {"color": look.colour, "linewidth": 1.6, "linestyle": look.dash, "zorder": 3}
    axes.plot([xs[i] for i in inside], [ys[i] for i in inside], **solid)
    for x, (point, found) in zip(xs, points, strict=True):
        if scatter:
            every = list(point.by_block.values())
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
    if counts[-1] > 8:
        axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("threads")
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    axes.grid(axis="y", color=RULE, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.margins(x=0.08)
    if counts[-1] > max(summary.threads):
        axes.annotate("more threads\nthan cores", (counts[-1], 0), (0, 5), ha="center",
            textcoords="offset points", fontsize=8, linespacing=1.1)  # fmt: skip


def _labels(axes: Any, ends: Sequence[tuple[int, float, str, Look]]) -> None:
    """Write each arm's name beside its last point, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap = 0.075 * (high - low)
    floor = float("-inf")
    for x, y, name, look in sorted(ends, key=lambda end: end[1]):
        height = max(y, floor + gap)
        floor = height
        axes.annotate(name, (x, height), (12, -3), textcoords="offset points",
            color=look.colour, annotation_clip=False)  # fmt: skip


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
