"""A report on a plan as one picture: the only module here that imports matplotlib.

Colours are the colour-blind safe Okabe-Ito ones. The same plan gives the same PNG with the same
matplotlib. Thread-safe: no pyplot, no global state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ftloader.inspect.layout import Style
from ftloader.planreport.figures import COST_BINS, Figures
from ftloader.planreport.report import Report
from ftloader.planreport.text import POLICY_NAMES, share, verdict, wrapped
from ftloader.planreport.units import in_units

_BLUE, _ORANGE, _INK, _RULE = "#0072b2", "#d55e00", "#222222", "#cccccc"
#: Letters of the verdict on a line.
_LINE: Final = 145


def draw_report(report: Report, path: Path) -> None:
    """Draw a report into a .png or .svg file.

    Raises:
        OSError: the file cannot be written.
    """
    figure = Figure(figsize=(12, 8.4), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.065, right=0.975, top=0.84, bottom=0.075, hspace=0.36, wspace=0.2)
    figure.text(0.02, 0.965, _plain(_title(report)), fontsize=14, color=_INK, va="center")
    said = wrapped(Style(_LINE), verdict(report.figures, report.budget), 0)
    figure.text(0.02, 0.943, "\n".join(said), fontsize=10, color=_INK, va="top", linespacing=1.4)
    panels = figure.subplots(2, 2)
    _images(panels[0, 0], report.figures)
    _costs(panels[0, 1], report)
    _shapes(panels[1, 0], report.figures)
    _balance(panels[1, 1], report.figures)
    kind = path.suffix.lower().removeprefix(".")
    dated = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(path, format=kind, metadata=dated)


def _title(report: Report) -> str:
    return f"{report.title}, {report.made_by}: {POLICY_NAMES[report.options.policy]}"


def _frame(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_RULE)
    axes.tick_params(length=3, color=_RULE)
    axes.set_axisbelow(True)


def _images(axes: Any, figures: Figures) -> None:
    _frame(axes, "Images in a batch", "images", "batches")
    counts = figures.images_by_count
    least = int(figures.images_per_batch.min)
    places = np.arange(least, len(counts))
    axes.bar(places, counts[least:], width=0.85, color=_BLUE)
    axes.set_xlim(min(least, len(counts) - 4) - 0.8, max(len(counts) - 1, least + 3) + 0.8)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    mean = figures.images_per_batch.mean
    axes.axvline(mean, color=_INK, linewidth=1, linestyle="--")
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    _note(axes, f"mean {mean:.1f}", left=mean > (least + len(counts) - 1) / 2)


def _costs(axes: Any, report: Report) -> None:
    figures, budget = report.figures, report.budget
    _frame(axes, "Cost of a batch", "% of the budget", "batches")
    edges = 100 * np.array(figures.cost_edges)
    within = edges[:-1] < 100
    for chosen, colour in ((within, _BLUE), (~within, _ORANGE)):
        counts = np.array(figures.cost_counts)[chosen]
        axes.bar(edges[:-1][chosen], counts, width=0.92 * 100 / COST_BINS, align="edge",
            color=colour)  # fmt: skip
    axes.axvline(100, color=_INK, linewidth=1.2)
    axes.set_xlim(0, max(106.0, edges[-1] + 3))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    lines = [
        f"budget {in_units(budget.amount, budget.model)}",
        f"peak {share(figures.cost.max / budget.amount)}",
        f"{figures.over_budget:,} of {figures.batches:,} batches above",
    ]
    _note(axes, "\n".join(lines), left=True)


def _shapes(axes: Any, figures: Figures) -> None:
    _frame(axes, "Padded shapes (area of a dot: batches)", "width, px", "height, px")
    shapes = figures.shapes
    counts = np.array([shape.batches for shape in shapes])
    widths, heights = [shape.width for shape in shapes], [shape.height for shape in shapes]
    dots = np.maximum(500 * counts / counts.max(), 10)
    colours = [100 * shape.efficiency for shape in shapes]
    drawn = axes.scatter(widths, heights, s=dots, c=colours, cmap="cividis", vmin=min(50, *colours),
        vmax=100, linewidths=0.4, edgecolors="white")  # fmt: skip
    most = 1.08 * max(widths + heights)
    axes.plot([0, most], [0, most], color=_RULE, linewidth=0.8, zorder=0)
    axes.set(xlim=(0, most), ylim=(0, most))
    axes.figure.colorbar(drawn, ax=axes, label="real pixels, %", pad=0.02)
    _note(axes, f"{len(shapes):,} shapes\n{share(figures.efficiency)} real pixels", left=True)


def _balance(axes: Any, figures: Figures) -> None:
    ranks = figures.world.ranks
    _frame(axes, f"Balance over {ranks} ranks (1: nobody waits)", "step", "mean / most pixels")
    shares = np.array(figures.step_balance)
    steps = np.arange(len(shares))
    axes.plot(steps, shares, ".", color=_BLUE, markersize=5 if len(shares) < 500 else 2.5)
    axes.axhline(figures.world.balance, color=_INK, linewidth=1, linestyle="--")
    axes.set_ylim(min(0.5, 0.95 * float(shares.min())), 1.02)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    axes.text(0.015, 0.05, f"mean {figures.world.balance:.3f}, least {shares.min():.3f}",
        transform=axes.transAxes, fontsize=9, color=_INK)  # fmt: skip


def _note(axes: Any, text: str, *, left: bool = False) -> None:
    axes.text(0.02 if left else 0.985, 0.97, text, transform=axes.transAxes, fontsize=9,
        ha="left" if left else "right", va="top", color=_INK,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8})  # fmt: skip


def _plain(text: str) -> str:
    """Return text that matplotlib takes literally: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")
