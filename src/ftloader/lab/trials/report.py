"""The report of a trial experiment, from its result file alone: a page, its Markdown twin, plots.

Called by ``python -m ftloader report`` for files whose header says that they hold trials.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..report import HTML_NAME, MARKDOWN_NAME, ground, template
from ..results import ResultFile
from . import prose
from .analyse import summarise
from .summary import Group, Job, Table, TrialSummary


@dataclass(frozen=True)
class Figure:
    """One plot.

    Attributes:
        name: of its file, without the suffix; also what its ids begin with.
        alt: what it shows, for those who do not see it.
        caption: below it; empty for none.
        svg: as drawn, with placeholder colours.
    """

    name: str
    alt: str
    caption: str
    svg: str


def render(file: ResultFile, source: Path, out: Path) -> Path:
    """Render one result file into a folder and return the page's path.

    Args:
        file: what ``source`` holds.
        source: the result file.
        out: the folder; made if it is not there.

    Raises:
        MeasurementError: the run must not be believed.
    """
    from .. import plots as shared  # matplotlib: only where a plot is drawn

    summary = summarise(file)
    figures = {key: found for key, found in _figures(summary) if found}
    view = {**_view(summary, source), "figures": figures}
    out.mkdir(parents=True, exist_ok=True)
    for drawn in figures.values():
        for one in drawn:
            (out / f"{one.name}.svg").write_text(shared.standalone(one.svg), encoding="utf-8")

    def inline(one: Figure) -> str:
        return shared.inline(one.svg, one.name, html.escape(f"{one.alt}; a table has the numbers"))

    filters: dict[str, Callable[..., str]] = {"number": _number, "interval": prose.interval}
    page = out / HTML_NAME
    text = template("trials.html.j2", **filters).render(**view, inline=inline)
    page.write_text(text, encoding="utf-8")
    text = template("trials.md.j2", **filters).render(**view)
    (out / MARKDOWN_NAME).write_text(text, encoding="utf-8")
    return page


def _view(summary: TrialSummary, source: Path) -> dict[str, Any]:
    """Return what both templates show."""
    records = summary.processes
    return {
        "summary": summary,
        "header": summary.header,
        "lead": prose.lead(summary),
        "opening": prose.opening(summary),
        "findings": prose.findings(summary),
        "limit": prose.limit,
        "fate": prose.fate,
        "tally": prose.tally,
        "words": words,
        "shows_not": prose.shows_not(summary),
        "drawn": {job.name for group in summary.groups for job in group.jobs},
        "judged": {arm.name: sum(r["arm"] == arm.name for r in records) for arm in summary.arms},
        "source_digest": records[0]["provenance"]["source_digest"],
        **ground(records, source),
    }


def _figures(summary: TrialSummary) -> Iterator[tuple[tuple[str, ...], list[Figure]]]:
    """Yield the plots, by what they belong to: group and metric, or cell and metric."""
    drawn_together = set()
    for group in summary.groups:
        drawn_together |= {(job.name, one["name"]) for job in group.jobs for one in group.metrics}
        for metric in group.metrics:
            yield ("group", group.name, metric["name"]), _curves(summary, group, metric)
    for job in summary.jobs:
        for table in job.tables:
            name = table.metric["name"]
            if (job.name, name) not in drawn_together:
                yield ("dots", job.name, name), [_dots(summary, job, table)]
            yield ("spread", job.name, name), _spreads(summary, job, table)


def _curves(summary: TrialSummary, group: Group, metric: Mapping[str, Any]) -> list[Figure]:
    from . import plots

    figures = []
    for place, arm in enumerate(summary.arms):
        name = _slug("group", group.name, metric["name"], arm.name)
        alt = f"{metric['title']} against {group.x_title}, {arm.name}"
        figures.append(Figure(name, alt, arm.name, plots.curves(group, metric, place, name)))
    return figures


def _dots(summary: TrialSummary, job: Job, table: Table) -> Figure:
    from . import plots

    name = _slug(job.name, table.metric["name"])
    alt = f"{job.title}: {table.metric['title']}"
    return Figure(name, alt, "", plots.dots(table, summary.arms, name))


def _spreads(summary: TrialSummary, job: Job, table: Table) -> list[Figure]:
    from . import plots

    figures = []
    for place, arm in enumerate(summary.arms):
        if plots.has_spread(table, place):
            name = _slug(job.name, table.metric["name"], "spread", arm.name)
            alt = f"{job.title}: distribution of {table.metric['title']}, {arm.name}"
            figures.append(Figure(name, alt, arm.name, plots.spread(table, place, name)))
    return figures


def words(name: str) -> str:
    """Make a heading of a short name."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _slug(*parts: str) -> str:
    return re.sub(r"[^\w.]+", "-", "-".join(parts))


def _number(value: float | None) -> str:
    return "\u2013" if value is None else prose.number(value)
