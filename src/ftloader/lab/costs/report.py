"""The report of a cost experiment, from its result file alone: a page, its Markdown twin, plots.

Called by ``python -m ftloader report`` for files whose header says that they compare costs.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..arms import flag_differences
from ..prose import number
from ..report import HTML_NAME, MARKDOWN_NAME, ground, template
from ..results import ResultFile
from . import prose
from .analyse import CostSummary, summarise


def render(file: ResultFile, source: Path, out: Path) -> Path:
    """Render one result file into a folder and return the page's path.

    Args:
        file: what ``source`` holds.
        source: the result file.
        out: the folder; made if it is not there.

    Raises:
        MeasurementError: the run must not be believed.
    """
    from .. import plots as scaling  # matplotlib: only where a plot is drawn
    from . import plots

    summary = summarise(file)
    drawn = {table.name: plots.values(table, summary) for table in summary.tables}
    view = _view(summary, source)
    out.mkdir(parents=True, exist_ok=True)
    inlined = {}
    for table in summary.tables:
        svg = drawn[table.name]
        (out / f"{table.name}.svg").write_text(scaling.standalone(svg), encoding="utf-8")
        label = html.escape(f"{table.title}: {table.unit}; the table below has the numbers")
        inlined[table.name] = scaling.inline(svg, table.name, label)
    page = out / HTML_NAME
    page.write_text(template("costs.html.j2").render(**view, plots=inlined), encoding="utf-8")
    (out / MARKDOWN_NAME).write_text(template("costs.md.j2").render(**view), encoding="utf-8")
    return page


def _view(summary: CostSummary, source: Path) -> dict[str, Any]:
    """Return what both templates show."""
    records = summary.processes
    first: Mapping[str, Any] = records[0]["provenance"]
    return {
        "summary": summary,
        "header": summary.header,
        "lead": prose.lead(summary),
        "opening": prose.opening(summary),
        "limit": prose.limit,
        "shows_not": prose.shows_not(summary),
        "judged": {arm.name: sum(r["arm"] == arm.name for r in records) for arm in summary.arms},
        "differ": flag_differences,
        "method": prose.method(summary),
        "source_digest": first["source_digest"],
        "number": number,
        **ground(records, source),
    }
