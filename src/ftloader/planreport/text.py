"""A report on a plan as terminal text.

Width-aware from 60 columns on; without colour it is plain text for a log. Pure: the text depends
on the arguments alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from ftloader.inspect.layout import NONE, Style, bars, percent, plural, table
from ftloader.inspect.statistics import Spread
from ftloader.inspect.text import spread_table
from ftloader.planreport.figures import COST_BINS, Budget, Figures
from ftloader.planreport.report import Compared, Report, listed
from ftloader.planreport.units import in_bytes, in_units

#: What the policies are called in a sentence.
POLICY_NAMES: Final = {
    "budget": "memory budget",
    "fixed": "fixed size, shuffled",
    "detectron2": "aspect groups (detectron2)",
    "mmdet": "aspect groups (mmdet)",
    "torchvision": "aspect groups (torchvision)",
}
_SHORT: Final = {"budget": "memory budget", "fixed": "fixed size"}
# The histogram of costs as text: tenths of the budget, and what is above it.
_TENTHS: Final = 10
# Groups of images per batch, where there are too many different numbers for a line each.
_LINES: Final = 12
_NAMED: Final = 4
# Of an amount: :meth:`Style.wrap` does not break lines at NUL.
_UNIT: Final = re.compile(r" (Mpx|px|GiB|MiB|KiB|bytes)\b")
# Columns of the comparison that a narrow terminal goes without, in this order.
_DISPENSABLE: Final = ("left out", "peak", "steps", "balance", "shapes")


def as_text(report: Report, style: Style) -> str:
    """Return the report."""
    blocks = [
        _head(report, style),
        _facts(report, style),
        _spreads(report.figures, report.budget, style),
        _images(report.figures, style),
        _costs(report.figures, style),
        _costliest(report, style),
        _samples(report, style),
        _worlds(report.figures, style),
        _comparison(report.compared, report.budget, style),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def verdict(figures: Figures, budget: Budget) -> str:
    """Return what a reader must know, in a sentence."""
    steps = plural(figures.steps, "step")
    mean = figures.images_per_batch.mean
    of = plural(figures.batches // figures.steps, "batch", "batches")
    over, most = "no batch is over the budget", ""
    if figures.over_budget:
        count = plural(figures.over_budget, "batch", "batches")
        verb = "is" if figures.over_budget == 1 else "are"
        of_all = percent(figures.over_budget, figures.batches)
        over = f"{count} ({of_all}) {verb} over the budget"
        most = f", by up to {in_units(figures.cost.max - budget.amount, budget.model)}"
    limit = in_units(budget.amount, budget.model)
    return (
        f"An epoch takes {steps} of {of} with {mean:.1f} images each on average; "
        f"{share(1 - figures.efficiency)} of the pixels are padding; {over} of {limit}{most}."
    )


def wrapped(style: Style, text: str, indent: int = 2, hanging: int = 0) -> list[str]:
    """Return text as indented lines that keep numbers and their units together."""
    return style.wrap(_UNIT.sub("\0\\1", text), indent, hanging)


def share(value: float) -> str:
    """Return a share of 0 to 1 in per cent."""
    return percent(round(value * 100_000), 100_000)


def _head(report: Report, style: Style) -> list[str]:
    lines = wrapped(style, verdict(report.figures, report.budget), 0)
    alarm = style.alarm if report.figures.over_budget else style.heading
    return [alarm(line) for line in lines]


def _facts(report: Report, style: Style) -> list[str]:
    options, figures, budget = report.options, report.figures, report.budget
    limit = options.max_images if options.policy == "budget" else options.batch_size
    at_most = "at most " if options.policy == "budget" else ""
    peak = figures.cost.max
    rows = {
        "data": f"{report.title}, {report.made_by}; seed {options.seed}, epoch {options.epoch}",
        "policy": f"{POLICY_NAMES[options.policy]}, {at_most}{plural(limit, 'image')} in a batch, "
        f"sides padded to multiples of {options.stride}",
        "budget": f"{in_units(budget.amount, budget.model)} per batch, {budget.origin}",
        "cost": budget.counts,
        "peak": f"{in_units(peak, budget.model)}, {share(peak / budget.amount)} of the budget; "
        f"{in_bytes(figures.host_bytes)} of host memory as uint8",
        "shapes": f"{len(figures.shapes):,} padded shapes, {figures.shapes_with_images:,} counting "
        f"the number of images too",
        "digest": report.plan.digest(),
    }
    room = max(map(len, rows)) + 2
    lines = []
    for name, text in rows.items():
        first, *others = wrapped(style, text, room)
        lines += [f"{style.dim(name)}{first[len(name) :]}", *others]
    return lines


def _spreads(figures: Figures, budget: Budget, style: Style) -> list[str]:
    rows = {
        "images per batch": figures.images_per_batch,
        "images per step": figures.images_per_step,
        "Mpx per batch": scaled(figures.padded, 1e-6),
        "% of the budget": scaled(figures.cost, 100 / budget.amount),
    }
    return spread_table(dict(rows), style)


def scaled(spread: Spread, factor: float) -> Spread:
    """Return a spread in another unit."""
    return Spread(**{name: value * factor for name, value in asdict(spread).items()})


def _images(figures: Figures, style: Style) -> list[str]:
    found = [(count, batches) for count, batches in enumerate(figures.images_by_count) if batches]
    rows = [(str(count), batches) for count, batches in found]
    if len(found) > _LINES:
        least, most = found[0][0], found[-1][0]
        width = -(-(most + 1 - least) // _LINES)
        groups = [(low, min(low + width - 1, most)) for low in range(least, most + 1, width)]
        rows = [
            (
                str(low) if low == high else f"{low}-{high}",
                sum(n for c, n in found if low <= c <= high),
            )
            for low, high in groups
        ]
    lines = bars([row for row in rows if row[1]], sum(n for _, n in found), style.width - 2)
    return [style.heading("Images in a batch, and how many batches have so many"), *_indent(lines)]


def _costs(figures: Figures, style: Style) -> list[str]:
    step = COST_BINS // _TENTHS
    rows = [
        (
            f"{100 * tenth // _TENTHS}-{100 * (tenth + 1) // _TENTHS} %",
            sum(figures.cost_counts[tenth * step : (tenth + 1) * step]),
        )
        for tenth in range(_TENTHS)
    ]
    rows.append(("above", figures.over_budget))
    lines = bars([row for row in rows if row[1]], figures.batches, style.width - 2)
    heading = "Cost of a batch as a share of the budget, and how many batches cost so much"
    return [*(style.heading(line) for line in wrapped(style, heading, 0)), *_indent(lines)]


def _costliest(report: Report, style: Style) -> list[str]:
    batch = report.figures.costliest
    head = (
        f"Costliest batch: {in_units(batch.cost, report.budget.model)}, step {batch.step}, rank "
        f"{batch.rank}: {plural(batch.images, 'image')} padded to {batch.width} x {batch.height}"
    )
    if batch.boxes:
        head += f", {plural(batch.boxes, 'object')}"
    members = zip(batch.samples[:_NAMED], batch.sizes, strict=False)
    parts = [f"{report.names[sample]} ({w} x {h})" for sample, (w, h) in members]
    if batch.images > _NAMED:
        parts.append(f"… {batch.images - _NAMED} more")
    return [
        *(style.heading(line) for line in wrapped(style, head, 0)),
        *wrapped(style, ", ".join(parts)),
    ]


def _samples(report: Report, style: Style) -> list[str]:
    served = report.figures.served
    parts = [f"{served.entries:,} in the epoch, {plural(served.images, 'image')} served"]
    for count, text in (
        (served.dropped_by_recipe, "dropped by the recipe"),
        (served.dropped, "dropped because no whole batch or step was left for them"),
        (served.repeated, "served again to fill batches"),
        (served.skipped, "over the budget by themselves and left out"),
        (served.downscaled, "over the budget by themselves and planned smaller"),
    ):
        if count:
            parts.append(f"{count:,} {text}")
    if not (served.dropped_by_recipe or served.dropped or served.repeated or served.skipped):
        parts.append("each once")
    lines, more = listed(report)
    names = [line for text in lines for line in wrapped(style, text, 4, 2)]
    if more:
        names.append(f"    … {more:,} more")
    return [*wrapped(style, f"Samples: {'; '.join(parts)}", 0, 2), *names]


def _worlds(figures: Figures, style: Style) -> list[str]:
    rows = [["ranks", "steps", "batches", "micro-batches", "balance", "weight 0"]]
    rows += [
        [
            str(world.ranks),
            f"{world.steps:,}",
            f"{world.batches:,}",
            str(world.micro_batches),
            f"{world.balance:.3f}",
            f"{world.fillers:,}",
        ]
        for world in figures.worlds
    ]
    lines = table(rows)
    note = (
        "Balance: the ranks' mean padded pixels by those of the busiest, mean over the steps. "
        "Micro-batches: of a rank in a step. Weight 0: batches that only fill a place."
    )
    return [
        style.heading("The same steps on different numbers of ranks"),
        f"  {style.dim(lines[0])}",
        *_indent(lines[1:]),
        *map(style.dim, wrapped(style, note)),
    ]


def _comparison(compared: Sequence[Compared], budget: Budget, style: Style) -> list[str]:
    if not compared:
        return []
    head = ["policy", "steps", "images/batch", "real pixels", "over budget", "balance", "shapes",
            "peak", "left out"]  # fmt: skip
    rows = [
        head,
        *(
            [_SHORT.get(one.policy, one.policy), *_compared(one.figures, budget)]
            for one in compared
        ),
    ]
    lines = table(rows)
    for name in _DISPENSABLE:
        if max(map(len, lines)) + 2 > style.width:
            place = rows[0].index(name)
            rows = [row[:place] + row[place + 1 :] for row in rows]
            lines = table(rows)
    heading = f"The policies beside each other, at {in_units(budget.amount, budget.model)}"
    return [style.heading(heading), f"  {style.dim(lines[0])}", *_indent(lines[1:])]


def _compared(figures: Figures | None, budget: Budget) -> list[str]:
    if figures is None:
        return ["0", *[NONE] * 7]
    served = figures.served
    return [
        f"{figures.steps:,}",
        f"{figures.images_per_batch.mean:.1f}",
        share(figures.efficiency),
        percent(figures.over_budget, figures.batches) if figures.over_budget else "0",
        f"{figures.world.balance:.3f}",
        f"{len(figures.shapes):,}",
        in_units(figures.cost.max, budget.model),
        f"{served.dropped + served.skipped:,}",
    ]


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
