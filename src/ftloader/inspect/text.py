"""The figures and problems of a data set as terminal text.

Width-aware from 60 columns on; without colour it is plain text for a log. Pure: the text depends
on the arguments alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftloader.inspect.layout import NONE, Style, bars, number, percent, plural, table
from ftloader.inspect.problems import Problem
from ftloader.inspect.statistics import (
    ClassesFigures,
    ImageFigures,
    ObjectFigures,
    Spread,
    Statistics,
)

# Columns of a table of spreads: heading and attribute; narrow terminals get the shorter list.
_WIDE = {"min": "min", "5 %": "p5", "25 %": "p25", "median": "p50", "75 %": "p75", "95 %": "p95",
         "max": "max", "mean": "mean"}  # fmt: skip
_NARROW = {"min": "min", "5 %": "p5", "median": "p50", "95 %": "p95", "max": "max"}
# Objects in an image, as the bars group them: from, to.
_GROUPS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 127))
_CLASSES_LISTED, _CLASSES_RARE = 12, 5
_EXAMPLES_SHOWN = 3
_MARKS = {"wrong": "!", "skipped": "-", "unusual": "?"}


def as_text(title: str, figures: Statistics, found: Sequence[Problem], style: Style) -> str:
    """Return everything known of a data set.

    Args:
        title: what to call it.
        figures: its statistics.
        found: its problems.
        style: width and colour.
    """
    objects, classes = figures.objects, figures.classes
    head = (
        f"{title}: {plural(figures.images.count, 'image')}, {plural(objects.count, 'object')} of "
        f"{plural(classes.count, 'class', 'classes')}, {plural(objects.crowd, 'crowd region')}"
    )
    blocks = [
        [style.heading(line) for line in style.wrap(head, 0)],
        spreads(figures, style),
        _images(figures.images, style),
        _objects(objects, style),
        _classes(classes, objects.count, style),
        problems(found, style),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def spreads(figures: Statistics, style: Style) -> list[str]:
    """Return the table of how sizes, shapes and counts are spread."""
    images, objects = figures.images, figures.objects
    rows = {
        "image width, px": images.width,
        "image height, px": images.height,
        "image w/h": images.aspect,
        "objects per image": objects.per_image,
        "classes per image": figures.classes.per_image,
        "object area, px²": objects.area,
        "box width, px": objects.box_width,
        "box height, px": objects.box_height,
        "box w/h": objects.box_aspect,
        "√(box/image area)": objects.box_scale,
    }
    return spread_table(rows, style)


def spread_table(rows: dict[str, Spread | None], style: Style) -> list[str]:
    """Return spreads as a table, a row each; those of nothing are dashes."""
    columns = _WIDE if style.width >= 80 else _NARROW
    cells = [["", *columns]]
    for label, spread in rows.items():
        values = [number(getattr(spread, a)) if spread else NONE for a in columns.values()]
        cells.append([label, *values])
    lines = table(cells)
    return [style.dim(lines[0]), *lines[1:]]


def _images(images: ImageFigures, style: Style) -> list[str]:
    if not images.count:
        return []
    shapes = ", ".join(
        f"{percent(count, images.count)} {name}"
        for name, count in (
            ("landscape", images.landscape),
            ("portrait", images.portrait),
            ("square", images.square),
        )
    )
    sizes = ", ".join(
        f"{size.width} x {size.height} ({percent(size.images, images.count)})"
        for size in images.sizes[:5]
    )
    there_are = plural(len(images.sizes), "size")
    return [
        style.heading("Images"),
        *style.wrap(f"{shapes}; {there_are}, most often {sizes}"),
    ]


def _objects(objects: ObjectFigures, style: Style) -> list[str]:
    counts = objects.images_by_count
    grouped = [
        (str(low) if low == high else f"{low}-{high}", sum(counts[low : high + 1]))
        for low, high in _GROUPS
        if low < len(counts)
    ]
    if len(counts) > 128:
        grouped.append(("128 and more", sum(counts[128:])))
    sizes = [
        ("small  (area < 32²)", objects.small),
        ("medium", objects.medium),
        ("large  (area > 96²)", objects.large),
    ]
    outlines = [
        f"{percent(count, objects.count)} {name}"
        for name, count in (
            ("polygons", objects.with_polygons),
            ("run lengths", objects.with_rle),
            ("no outline", objects.without_outline),
        )
        if count
    ]
    lines: list[str] = []
    if counts:
        lines += [style.heading("Objects in an image, and how many images have so many")]
        lines += _indented(bars(grouped, sum(counts), style.width - 2))
    if objects.count:
        lines += ["", style.heading("Sizes of objects, after COCO")]
        lines += _indented(bars(sizes, objects.count, style.width - 2))
        lines += style.wrap(f"outlines: {', '.join(outlines)}")
    return lines


def _classes(classes: ClassesFigures, total: int, style: Style) -> list[str]:
    used = [row for row in classes.table if row.objects]
    used.sort(key=lambda row: -row.objects)
    head = "Classes"
    if used:
        half = "one class holds" if classes.half_in == 1 else f"{classes.half_in} classes hold"
        head += f": {half} half of the objects"
        if classes.imbalance is not None and len(used) > 1:
            head += f", the most frequent has {number(classes.imbalance)} times the rarest"
    all_of_them = len(used) <= _CLASSES_LISTED + _CLASSES_RARE + 3
    shown = used if all_of_them else used[:_CLASSES_LISTED] + used[-_CLASSES_RARE:]
    room = max(style.width // 3, 12)
    names = [row.name if len(row.name) <= room else f"{row.name[: room - 1]}…" for row in shown]
    lines = bars(
        [(name, row.objects) for name, row in zip(names, shown, strict=True)],
        total,
        style.width - 2,
    )
    if not all_of_them:
        left_out = len(used) - len(shown)
        lines.insert(_CLASSES_LISTED, style.dim(f"… {left_out} more; the rarest:"))
    return [*(style.heading(line) for line in style.wrap(head, 0)), *_indented(lines)]


def problems(found: Sequence[Problem], style: Style) -> list[str]:
    """Return the problems, each with its first examples and the images to look at."""
    if not found:
        return [style.heading("Problems"), "  none found"]
    legend = "! wrong   - skipped, as training does   ? unusual"
    lines = [f"{style.heading('Problems')}   {style.dim(legend)}"]
    room = max(len(f"{problem.count:,}") for problem in found)
    for problem in found:
        mark = _MARKS[problem.level]
        mark = style.alarm(mark) if problem.level == "wrong" else mark
        head = style.wrap(f"{problem.count:>{room},}  {problem.what}", 4, room + 2)
        lines += [f"  {mark} {head[0].lstrip().rjust(len(head[0]) - 4)}", *head[1:]]
        lines += map(style.dim, _examples(problem, style, indent=room + 6))
    return lines


def _examples(problem: Problem, style: Style, indent: int) -> list[str]:
    """Return the first examples of a problem: a line each, or names on one line."""
    names = [example.file_name for example in problem.examples if example.index is None]
    if names:
        more = [f"… {problem.count - len(names):,} more"] if problem.count > len(names) else []
        return style.wrap(", ".join([*names, *more]), indent, 2)
    lines = []
    for example in problem.examples[:_EXAMPLES_SHOWN]:
        note = f", annotation {example.annotation_id}" if example.annotation_id is not None else ""
        what = f"image {example.index}, {example.file_name}{note}: {example.detail}"
        lines += style.wrap(what, indent, 2)
    if problem.examples and problem.count > _EXAMPLES_SHOWN:
        lines.append(f"{'':{indent}}… {problem.count - _EXAMPLES_SHOWN:,} more")
    return lines


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
