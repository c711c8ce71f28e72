"""The report's plots, as SVG with the page's colours."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from batching_parts.accounts import BIN, BINS
from batching_parts.summary import CASES, MEASURED_TITLES, TITLES, Summary, died, growth
from ftloader.lab.plots import INK, RC, RULE, inline, look

#: Shares above this many times the budget are counted into the last bin shown.
SHOWN = 1.75
WITHIN, OVER = look(1).colour, look(2).colour
LOOKS = {"random": look(2), "groups": look(0), "ours": look(1)}
MIB = 2**20


def drawn(
    name: str, label: str, size: tuple[float, float], columns: int, draw: Callable[[Any], None]
) -> str:
    """Return a plot as part of a page."""
    with mpl.rc_context({**RC, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots(1, columns, sharey=columns > 1))
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return inline(text.getvalue(), name, label)


def shares(summary: Summary) -> str:
    """Draw how full batches are, for each policy and scale: batches over their cost by budget."""
    scales, names = summary.scales, list(TITLES)[::-1]

    def draw(axes: Any) -> None:
        for axis, scale in zip(axes, scales, strict=True):
            for row, name in enumerate(names):
                _ridge(axis, row, summary.of("planned", scale=scale, policy=name))
            axis.axvline(1, color=INK, linewidth=0.9)
            axis.set_title(scale, fontsize=10, loc="left")
            axis.set_xlim(0, SHOWN)
            axis.set_xlabel("padded pixels of a batch, by budget")
            axis.tick_params(length=0)
            axis.spines["left"].set_visible(False)
        axes[0].set_yticks([row + 0.3 for row in range(len(names))], [TITLES[n] for n in names])
        axes[0].set_ylim(-0.15, len(names))

    label = "Histograms of the cost of batches by the budget, for every policy and scale"
    return drawn("shares", label, (11.5, 4.6), len(scales), draw)


def _ridge(axis: Any, row: int, records: Any) -> None:
    totals = [sum(record["shares"][place] for record in records) for place in range(BINS)]
    last = round(SHOWN / BIN)
    shown = [*totals[: last - 1], sum(totals[last - 1 :])]
    scale = 0.85 / max(shown)
    for place, count in enumerate(shown):
        if count:
            axis.bar(place * BIN, count * scale, BIN * 0.92, bottom=row, align="edge", linewidth=0,
                color=OVER if place * BIN >= 1 - 1e-9 else WITHIN)  # fmt: skip
    axis.axhline(row, color=RULE, linewidth=0.6, zorder=0)


def rates(summary: Summary) -> str:
    """Draw images per second, a point per block."""
    names = list(MEASURED_TITLES)

    def draw(axes: Any) -> None:
        for row, name in enumerate(names[::-1]):
            values = list(summary.rates(name).values())
            middle = sorted(values)[len(values) // 2]
            own = LOOKS[name]
            axes.plot(values, [row] * len(values), own.marker, color=own.colour, alpha=0.5,
                markersize=6)  # fmt: skip
            axes.plot([middle], [row], "|", color=own.colour, markersize=22, markeredgewidth=2)
            axes.annotate(f"{middle:.2f}", (middle, row), (0, 14), textcoords="offset points",
                ha="center", color=own.colour)  # fmt: skip
        axes.set_yticks(range(len(names)), [MEASURED_TITLES[name] for name in names[::-1]])
        axes.set_ylim(-0.5, len(names) - 0.3)
        axes.set_xlim(0, None)
        axes.set_xlabel("images/s")
        axes.tick_params(length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)

    return drawn("rates", "Images per second of each policy and block", (5.2, 2.6), 1, draw)


def foretold(summary: Summary) -> str:
    """Draw what each step took against what was predicted for it."""
    budget = (summary.calibration or {})["budget"] / MIB

    def draw(axes: Any) -> None:
        most = budget * 1.05
        axes.plot([0, most], [0, most], color=INK, linewidth=0.8, dashes=(1, 2))
        axes.axhline(budget, color=OVER, linewidth=0.9)
        axes.annotate("budget", (0, budget), (4, 3), textcoords="offset points", color=OVER)
        for name, own in LOOKS.items():
            points = [
                (step["predicted"] + run["predicted_host"], growth(run, step))
                for run in summary.of("measured", policy=name)
                for step in run["steps"]
            ]
            xs, ys = [x / MIB for x, _ in points], [y / MIB for _, y in points]
            axes.plot(xs, ys, own.marker, color=own.colour, alpha=0.45, markersize=3.5,
                markeredgewidth=0, label=MEASURED_TITLES[name])  # fmt: skip
        axes.set_xlim(0, most)
        axes.set_ylim(0, most * 1.06)
        axes.set_xlabel("predicted, MiB above static memory")
        axes.set_ylabel("measured peak of the step, MiB above static memory")
        axes.legend(frameon=False, loc="lower right", fontsize=8.5)
        axes.tick_params(length=0)

    label = "Measured against predicted peak of resident memory, a point per step"
    return drawn("foretold", label, (5.2, 4.2), 1, draw)


def limits(summary: Summary) -> str:
    """Draw the memory of each step under the limit, up to where a run died."""
    seed = summary.of("limited")[0]["seed"]
    runs = summary.of("limited", seed=seed)
    budget = (summary.calibration or {})["budget"] / MIB

    def draw(axes: Any) -> None:
        axes.axhline(budget, color=INK, linewidth=0.9)
        axes.annotate("budget", (0, budget), (4, 3), textcoords="offset points")
        for place, run in enumerate(runs):
            own, images = look((1, 0, 2, 4)[place]), 0
            xs, ys = [], []
            for step in run["steps"]:
                images += step["step"][0]
                xs.append(images)
                ys.append(growth(run, step) / MIB)
            axes.plot(xs, ys, own.dash, marker=own.marker, color=own.colour, markersize=3.5,
                linewidth=1, label=CASES[run["case"]])  # fmt: skip
            if died(run):
                # There is no peak of a step that was not survived: above the line, no height meant.
                at = (images + run["size"], budget * (1.12 + 0.1 * (place == 3)))
                axes.plot(*at, "X", color=own.colour, markersize=9)
                axes.annotate(f"out of memory after {images} images", at, (9, -3),
                    textcoords="offset points", color=own.colour)  # fmt: skip
        axes.set_ylim(0, budget * 1.32)
        axes.set_xlim(0, None)
        axes.set_xlabel("images trained on")
        axes.set_ylabel("peak of the step above\nstatic memory, MiB")
        axes.legend(frameon=False, loc="lower left", fontsize=8.5)
        axes.tick_params(length=0)

    return drawn("limits", "Memory of each step under the limit", (8.6, 3.6), 1, draw)
