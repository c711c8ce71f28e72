"""The figures of a data set as one picture: the only module here that imports matplotlib.

Colours are the colour-blind safe Okabe-Ito ones. The same data give the same bytes with the same
matplotlib. Thread-safe: no pyplot, no global state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ftloader.detection import CocoIndex
from ftloader.inspect.statistics import LARGE, SMALL, Statistics, box_sides, image_of_row

_BLUE, _ORANGE, _GREEN, _INK, _RULE = "#0072b2", "#d55e00", "#009e73", "#222222", "#cccccc"
# Classes whose names still fit below their bars.
_NAMED_CLASSES: Final = 100
# Beyond this many points a scatter plot is a blot, and a density says more.
_MANY_POINTS: Final = 3000


def draw_plots(title: str, index: CocoIndex, figures: Statistics, path: Path) -> None:
    """Draw the figures of a data set into a PNG file.

    Args:
        title: what to call the data set.
        index: its annotations.
        figures: its statistics.
        path: the file to write.

    Raises:
        OSError: the file cannot be written.
    """
    figure = Figure(figsize=(14, 11.5), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(_plain(title), fontsize=14, x=0.01, ha="left")
    # Fixed margins: having matplotlib find them takes as long as drawing, once more.
    figure.subplots_adjust(left=0.05, right=0.98, top=0.93, bottom=0.1, hspace=0.33, wspace=0.2)
    panels = figure.subplot_mosaic(
        [["images", "counts", "places"], ["areas", "boxes", "shapes"], ["classes"] * 3],
        height_ratios=[1, 1, 1.1],
    )
    width, height = box_sides(index.boxes[~index.crowd])
    _image_sizes(panels["images"], figures)
    _counts(panels["counts"], figures)
    _places(panels["places"], index)
    _areas(panels["areas"], index.areas[~index.crowd], figures)
    _boxes(panels["boxes"], width, height)
    _shapes(panels["shapes"], width, height)
    _classes(panels["classes"], figures)
    figure.savefig(path, format="png", metadata={"Software": None})


def _frame(axes: Any, title: str, x: str = "", y: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_RULE)
    axes.tick_params(length=3, color=_RULE)
    axes.set_axisbelow(True)


def _nothing(axes: Any) -> None:
    axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", color=_INK)
    axes.set_xticks([])
    axes.set_yticks([])


def _image_sizes(axes: Any, figures: Statistics) -> None:
    sizes = figures.images.sizes
    _frame(axes, "Image sizes (area of a dot: images)", "width, px", "height, px")
    if not sizes:
        return _nothing(axes)
    counts = np.array([size.images for size in sizes])
    widths, heights = [size.width for size in sizes], [size.height for size in sizes]
    dots = np.maximum(600 * counts / counts.max(), 6)
    axes.scatter(widths, heights, s=dots, color=_BLUE, alpha=0.45, linewidths=0)
    most = 1.08 * max(widths + heights)
    axes.plot([0, most], [0, most], color=_RULE, linewidth=0.8, zorder=0)
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal")
    top = sizes[0]
    axes.text(0.97, 0.04, f"most often {top.width} x {top.height}: {top.images:,}", fontsize=9,
        transform=axes.transAxes, ha="right", color=_INK)  # fmt: skip
    return None


def _counts(axes: Any, figures: Statistics) -> None:
    counts = figures.objects.images_by_count
    _frame(axes, "Objects in an image", "objects", "images")
    if not counts or figures.objects.per_image is None:
        return _nothing(axes)
    cut = max(int(figures.objects.per_image.p99 * 1.25) + 1, 5)
    shown = list(counts[:cut])
    axes.bar(range(len(shown)), shown, width=0.85, color=_BLUE)
    axes.bar(0, shown[0], width=0.85, color=_ORANGE)
    mean = figures.objects.per_image.mean
    axes.axvline(mean, color=_INK, linewidth=1, linestyle="--")
    more = f", {sum(counts[cut:])} images beyond" if sum(counts[cut:]) else ""
    _note(axes, f"mean {mean:.1f}, most {len(counts) - 1}{more}\n{counts[0]:,} without any")
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    return None


def _places(axes: Any, index: CocoIndex) -> None:
    _frame(axes, "Where the centres of the boxes are")
    rows = ~index.crowd
    if not rows.any():
        return _nothing(axes)
    image = image_of_row(index)[rows]
    boxes = index.boxes[rows].astype(np.float64)
    x = (boxes[:, 0] + boxes[:, 2]) / 2 / index.widths[image]
    y = (boxes[:, 1] + boxes[:, 3]) / 2 / index.heights[image]
    cells = int(np.clip(np.sqrt(len(x) / 8), 6, 40))
    density, _, _ = np.histogram2d(y, x, bins=cells, range=((0, 1), (0, 1)))
    picture = axes.imshow(density, extent=(0, 1, 1, 0), cmap="cividis", vmin=0, aspect="auto")
    axes.set(xticks=[0, 1], xticklabels=["left", "right"], yticks=[0, 1])
    axes.set_yticklabels(["top", "bottom"])
    axes.figure.colorbar(picture, ax=axes, shrink=0.8, label="objects")
    return None


def _areas(axes: Any, areas: NDArray[np.float64], figures: Statistics) -> None:
    _frame(axes, "Sizes of objects, after COCO", "√area, px", "objects")
    if not len(areas):
        return _nothing(axes)
    sides = np.sqrt(areas)
    low, high = max(sides.min() / 1.15, 0.5), sides.max() * 1.15
    heights, _, _ = axes.hist(sides, bins=np.geomspace(low, high, 50), color=_BLUE)
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1.25 * heights.max())  # room for the names of the sizes
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    edges = np.clip([low, np.sqrt(SMALL), np.sqrt(LARGE), high], low, high)
    objects = figures.objects
    parts = (("small", objects.small), ("medium", objects.medium), ("large", objects.large))
    for place, (name, count) in enumerate(parts):
        left, right = edges[place], edges[place + 1]
        if right <= left:
            continue
        axes.axvspan(left, right, color=(_ORANGE, _GREEN, _BLUE)[place], alpha=0.08, linewidth=0)
        axes.text(np.sqrt(left * right), 0.985, f"{name}\n{100 * count / len(areas):.0f} %",
            transform=axes.get_xaxis_transform(), ha="center", va="top", fontsize=9)  # fmt: skip
    return None


def _boxes(axes: Any, width: NDArray[np.float64], height: NDArray[np.float64]) -> None:
    _frame(axes, "Boxes", "width, px", "height, px")
    if not len(width):
        return _nothing(axes)
    low = min(width.min(), height.min()) / 1.3
    high = max(width.max(), height.max()) * 1.3
    if len(width) > _MANY_POINTS:
        axes.hexbin(width, height, xscale="log", yscale="log", gridsize=45, bins="log",
            cmap="Blues", mincnt=1, linewidths=0)  # fmt: skip
    else:
        axes.scatter(width, height, s=10, color=_BLUE, alpha=0.35, linewidths=0)
    for name, set_scale in (("x", axes.set_xscale), ("y", axes.set_yscale)):
        set_scale("log", base=2)
        getattr(axes, f"{name}axis").set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.plot([low, high], [low, high], color=_INK, linewidth=0.7, linestyle=":")
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.grid(color=_RULE, linewidth=0.5)
    return None


def _shapes(axes: Any, width: NDArray[np.float64], height: NDArray[np.float64]) -> None:
    _frame(axes, "Shapes of boxes", "width / height", "objects")
    if not len(width):
        return _nothing(axes)
    ratios = width / height
    most = max(float(np.abs(np.log2(ratios)).max()), 1.0) * 1.05
    axes.hist(ratios, bins=np.exp2(np.linspace(-most, most, 51)), color=_BLUE)
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(
        lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}"
    )
    axes.axvline(1, color=_INK, linewidth=0.7, linestyle=":")
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    _note(axes, f"median {np.median(ratios):.2f}")
    return None


def _classes(axes: Any, figures: Statistics) -> None:
    classes = figures.classes
    rows = sorted(classes.table, key=lambda row: -row.objects)
    _frame(axes, "Objects of each class (log scale)", "", "objects")
    if not rows or not rows[0].objects:
        return _nothing(axes)
    counts = [row.objects for row in rows]
    axes.bar(range(len(rows)), counts, width=0.8, color=_BLUE)
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_ylim(0.7, counts[0] * 2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlim(-0.8, len(rows) - 0.2)
    if len(rows) <= _NAMED_CLASSES:
        names = [_plain(row.name[:24]) for row in rows]
        size = 9 if len(rows) <= 50 else 7.5
        axes.set_xticks(range(len(rows)), names, rotation=90, fontsize=size)
    else:
        axes.set_xlabel("rank of the class")
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    _note(axes, f"{classes.half_in} of {classes.count} hold half of the objects; "
        f"{classes.unused} unused")  # fmt: skip
    return None


def _note(axes: Any, text: str) -> None:
    axes.text(0.985, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=9,
        color=_INK, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8})  # fmt: skip


def _plain(text: str) -> str:
    """Return text that matplotlib takes literally: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")
