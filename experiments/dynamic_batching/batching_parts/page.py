"""Makes ``report.md`` and ``report.html`` of a result file, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from batching_parts import plots
from batching_parts.summary import (
    CASES,
    MEASURED_TITLES,
    TITLES,
    Record,
    Spread,
    Summary,
    claims,
    died,
)
from ftloader.lab.statistics import estimate, what_blocks_allow

HERE = Path(__file__).resolve().parents[1]
MIB = 2**20
#: What the scales of the planned part mean.
SCALES = {
    "fixed": "1333 × 800",
    "multi-scale": "short side 480, 512 … 800, long side up to 1333",
    "jitter": "ratio 0.1 to 2.0 of 1024, crop of 1024",
}


def write(folder: Path) -> None:
    """Write both reports beside a result file.

    Raises:
        DataError: there is none, or it is of another schema.
    """
    summary = Summary.read(folder)
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    facts = facts_of(summary)
    for name in ("report.md", "report.html"):
        template = templates.get_template(f"{name}.j2")
        template.environment.autoescape = name.endswith("html")
        (folder / name).write_text(template.render(facts), encoding="utf-8")


def facts_of(summary: Summary) -> dict[str, Any]:
    """Return everything that the templates say."""
    header = summary.header
    measured = bool(summary.of("measured"))
    pictures = {"shares": plots.shares(summary)}
    if measured:
        pictures |= {name: getattr(plots, name)(summary) for name in ("rates", "foretold")}
    if summary.of("limited"):
        pictures["limits"] = plots.limits(summary)
    style = (files("ftloader.lab") / "templates" / "style.css").read_text(encoding="utf-8")
    return {
        "header": header,
        "complete": summary.complete,
        "blocks": what_blocks_allow(header["blocks"]),
        "lead": lead(summary),
        "scales": [
            (scale, SCALES[scale], list(planned(summary, scale))) for scale in summary.scales
        ],
        "planning": list(planning(summary)),
        "calibration": summary.calibration,
        "measured": list(trained(summary)) if measured else [],
        "limited": list(limited(summary)),
        "claims": claims(summary) if summary.complete else [],
        "plots": pictures,
        "style": style,
    }


def lead(summary: Summary) -> list[str]:
    """Return the answer in a few sentences, each from the figures."""
    lines = []
    for scale in summary.scales:
        ours = {name: summary.spread(scale, "ours", name).middle for name in FIELDS}
        theirs = {name: summary.spread(scale, "detectron2", name).middle for name in FIELDS}
        gain = ours["images_per_batch"] / theirs["images_per_batch"] - 1
        lines.append(
            f"Planned, {scale}: at the peak memory of two aspect groups of 8, MemoryBudget puts "
            f"{ours['images_per_batch']:.1f} images into a batch ({gain:+.0%}), "
            f"{ours['efficiency']:.1%} of the pixels are real (two groups: "
            f"{theirs['efficiency']:.1%}), and eight ranks work {ours['balance']:.1%} of the time "
            f"({theirs['balance']:.1%})."
        )
    if summary.of("measured"):
        groups, others = (summary.faster("ours", than) for than in ("groups", "random"))
        worst = max(abs(one) for name in MEASURED_TITLES for one in summary.errors(name))
        lines.append(
            f"Measured, under one memory budget: {groups.value:.2f} times the images/s of two "
            f"aspect groups and {others.value:.2f} times those of random batches; peak memory "
            f"was within {worst:.1%} of what had been predicted."
        )
    dead = [run for run in summary.of("limited") if died(run)]
    if runs := summary.of("limited"):
        names = sorted({CASES[run["case"]] for run in dead})
        lines.append(
            f"Under a memory limit made from the prediction, {len(dead)} of {len(runs)} runs died: "
            f"{'; '.join(names) or 'none'}."
        )
    return lines


FIELDS = ("efficiency", "images_per_batch", "balance")
COLUMNS = (*FIELDS, "over", "batches", "worst", "shapes", "shapes_n", "steps", "missing", "again")


def said(spread: Spread, form: str) -> str:
    """Return a median, and the range where the shuffles differ in what is shown."""
    middle, low, high = (form.format(one) for one in (spread.middle, spread.low, spread.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def planned(summary: Summary, scale: str) -> Iterable[dict[str, str]]:
    """Yield a row per policy."""
    for name, title in TITLES.items():
        found = {field: summary.spread(scale, name, field) for field in COLUMNS}
        yield {
            "title": title,
            "ours": "ours" if name == "ours" else "",
            "efficiency": said(found["efficiency"], "{:.3f}"),
            "images": said(found["images_per_batch"], "{:.1f}"),
            "over": f"{found['over'].middle:.0f} of {found['batches'].middle:.0f}",
            "worst": said(found["worst"], "{:.2f}"),
            "balance": said(found["balance"], "{:.3f}"),
            "shapes": f"{found['shapes'].middle:.0f} / {found['shapes_n'].middle:.0f}",
            "steps": said(found["steps"], "{:.0f}"),
            "missing": f"{found['missing'].middle:.0f} / {found['again'].middle:.0f}",
        }


def planning(summary: Summary) -> Iterable[dict[str, str]]:
    """Yield a row per policy and scale."""
    for record in summary.of("planning"):
        spread = Spread.of(record["plan_seconds"])
        yield {
            "scale": record["scale"],
            "title": TITLES[record["policy"]],
            "images": f"{record['images']:,}",
            "sizes": f"{record['sizes_seconds']:.1f}",
            "seconds": said(spread, "{:.2f}"),
            "bytes": f"{record['plan_bytes'] / 1e6:.1f}",
            "steps": f"{record['steps']:,}",
        }


def trained(summary: Summary) -> Iterable[dict[str, str]]:
    """Yield a row per measured policy."""
    for name, title in MEASURED_TITLES.items():
        runs = summary.of("measured", policy=name)
        over, count = summary.over_measured(name)
        rate = estimate(list(summary.rates(name).values()))
        ratio = summary.faster(name, "groups")
        errors = summary.errors(name)
        grown = [growth_error(run) for run in runs]
        yield {
            "title": title,
            "size": str(runs[0]["size"] or "–"),
            "images": said(Spread.of(run["images_per_batch"] for run in runs), "{:.1f}"),
            "efficiency": said(Spread.of(run["efficiency"] for run in runs), "{:.3f}"),
            "planned": said(Spread.of(run["predicted_efficiency"] for run in runs), "{:.3f}"),
            "rate": f"{rate.value:.2f} ({rate.low:.2f} to {rate.high:.2f})",
            "ratio": f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
            "predicted": said(Spread.of(run["predicted_peak"] / MIB for run in runs), "{:.0f}"),
            "peak": said(Spread.of(run["peak"] / MIB for run in runs), "{:.0f}"),
            "error": f"{min(errors):+.1%} to {max(errors):+.1%}",
            "growth": f"{min(grown):+.1%} to {max(grown):+.1%}",
            "over": f"{over} of {count}",
            "loss": "finite" if all(run["finite"] for run in runs) else "not finite",
        }


def growth_error(run: Record) -> float:
    """Return by how much the peak missed the prediction, static part left out of both."""
    expected = run["predicted_growth"] + run["predicted_host"]
    return float((run["peak"] - run["static"]) / expected - 1)


def limited(summary: Summary) -> Iterable[dict[str, str]]:
    """Yield a row per run under the limit."""
    for run in summary.of("limited"):
        dead = died(run)
        done = sum(step["step"][0] for step in run["steps"])
        ended = (
            f"{run.get('died', 'exit')} (exit {run['exit']}): {run.get('message', run['stderr'])}"
        )
        allowed = run["limit"] - run["data_bytes"] if "limit" in run else 0
        yield {
            "case": CASES[run["case"]],
            "seed": str(run["seed"]),
            "size": str(run["size"])
            if run["size"]
            else f"{run['images_per_batch']:.1f} in the mean",
            "needs": f"{run['predicted_growth'] / MIB:.0f}",
            "allowed": f"{allowed / MIB:.0f}",
            "done": str(done),
            "ended": ended if dead else "finished the epoch",
            "state": "dead" if dead else "alive",
            "expected": "yes" if dead is not run["expected_to_survive"] else "no",
        }
