"""Everything that a report on a plan says, and the report as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from ftloader.batching import EpochPlan
from ftloader.planreport.figures import LISTED, Budget, Figures
from ftloader.planreport.options import Options, PolicyName

#: Name and version of the JSON; the version grows when a field changes its meaning or goes.
SCHEMA: Final = ("ftloader.plan", 1)


@dataclass(frozen=True, slots=True)
class Compared:
    """A policy beside others; without figures where it makes no step."""

    policy: PolicyName
    figures: Figures | None


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A plan, its figures, and what they were made from.

    Attributes:
        title: what to call the data.
        made_by: what becomes of the images, in words.
        options: what was asked for.
        names: of the samples.
        plan: of the epoch.
        budget: what batches are held against.
        figures: of the plan.
        compared: the plans of all policies, if that was asked for.
    """

    title: str
    made_by: str
    options: Options
    names: Sequence[str]
    plan: EpochPlan
    budget: Budget
    figures: Figures
    compared: tuple[Compared, ...]


def document(report: Report) -> dict[str, Any]:
    """Return a report as docs/planning.md describes it: plain values, ready for JSON."""
    options, plan, budget = report.options, report.plan, report.budget
    return {
        "schema": SCHEMA[0],
        "version": SCHEMA[1],
        "data": options.data,
        "split": options.split or None,
        "recipe": report.made_by,
        "seed": options.seed,
        "epoch": options.epoch,
        "policy": {"name": options.policy, "settings": repr(plan.policy)},
        "budget": {
            "amount": budget.amount,
            "unit": budget.model.unit,
            "origin": budget.origin,
            "counts": budget.counts,
            "cost_model": repr(budget.model),
        },
        "digest": plan.digest(),
        "figures": _figures(report.figures, report.names),
        "oversized": [
            {
                "name": report.names[one.sample],
                "sample": one.sample,
                "size": list(one.size),
                "cost": one.cost,
                "action": one.action,
                "planned": None if one.planned is None else list(one.planned),
            }
            for one in plan.oversized
        ],
        "compared": [
            {
                "policy": one.policy,
                "figures": None if one.figures is None else _figures(one.figures, report.names),
            }
            for one in report.compared
        ],
    }


def _figures(figures: Figures, names: Sequence[str]) -> dict[str, Any]:
    plain = asdict(figures)
    plain["costliest"]["names"] = [names[sample] for sample in figures.costliest.samples]
    return plain


def listed(report: Report) -> tuple[list[str], int]:
    """Return the first oversized samples in words, and how many more there are."""
    lines = []
    for one in report.plan.oversized[:LISTED]:
        width, height = one.size
        done = "left out"
        if one.planned is not None:
            done = f"planned at {one.planned[0]} x {one.planned[1]}"
        lines.append(f"{report.names[one.sample]}, {width} x {height}: {done}")
    return lines, len(report.plan.oversized) - len(lines)
