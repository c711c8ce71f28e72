"""Writes the site: a folder per page with ``index.html`` and its Markdown twin ``report.md``.

Pages carry their style and pictures; they ask for nothing, from a network or from each other, and
hold no script. The same experiments folder gives the same site.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import plots, report
from ..report import HTML_NAME, MARKDOWN_NAME
from . import drawings, history, marks, pairs, phrases, pictures
from .compare import MARGIN, Comparison
from .find import Experiment, ResultSet
from .overview import Overview, overview
from .places import PICTURES, Committed, Site, pair_name
from .rows import Sentence, spans


@dataclass(frozen=True)
class Whole:
    """All that is shown, worked out once for HTML and Markdown."""

    experiments: Sequence[Experiment]

    @cached_property
    def view(self) -> Overview:
        """The overview."""
        return overview(self.experiments)

    @cached_property
    def pairs(self) -> dict[str, list[Comparison]]:
        """The comparisons of each experiment."""
        return {one.name: pairs.of(one) for one in self.experiments}

    @cached_property
    def panels(self) -> dict[str, list[history.Panel]]:
        """The courses over commits of each experiment."""
        return {one.name: history.panels(one.sets) for one in self.experiments}

    @cached_property
    def pictures(self) -> dict[str, tuple[str, str]]:
        """The picture of each headline that has one, as drawn, and what it shows."""
        found = {one.name: pictures.of(one) for one in self.view.headlines}
        return {name: picture for name, picture in found.items() if picture}

    def lead(self, experiment: Experiment) -> Sentence | None:
        """Return what the overview says of an experiment."""
        return next(one.lead for one in self.view.lines if one.experiment is experiment)


def write(whole: Whole, out: Path) -> Path:
    """Write the site and return the path of its overview.

    Args:
        whole: what is shown.
        out: the folder; made if it is not there.

    Raises:
        DataError: a result set has no report that could be shown.
        MeasurementError: a run must not be believed.
    """
    _overview(whole, out)
    for experiment in whole.experiments:
        _experiment(whole, experiment, out / experiment.name)
        for one in experiment.sets:
            _result_set(experiment, one, out / experiment.name / one.name)
        for found in whole.pairs[experiment.name]:
            folder = out / experiment.name / pair_name(found.before, found.after)
            comparison(found, folder, crumbs(Site(2), experiment, "Comparison"))
    return out / HTML_NAME


def crumbs(places: Site, experiment: Experiment, here: str = "") -> str:
    """Return the way back to the overview, as HTML."""
    way = [f'<a href="{places.overview()}">All experiments</a>']
    title = html.escape(experiment.title)
    way.append(f'<a href="{places.experiment(experiment)}">{title}</a>' if here else title)
    way += [html.escape(here)] if here else []
    return f'<nav class="crumbs" aria-label="Where you are">{"<span>/</span>".join(way)}</nav>'


def _common(whole: Whole) -> dict[str, Any]:
    return {
        "view": whole.view,
        "pairs": whole.pairs,
        "title": phrases.TITLE,
        "memory": phrases.memory,
        "others": phrases.others,
        "spans": spans,
        "inline": marks.inline,
        "twin": MARKDOWN_NAME,
        "crumbs": "",
    }


def overview_text(whole: Whole, places: Site | Committed) -> str:
    """Return the overview as Markdown, its links leading to places."""
    facts = _common(whole) | {"places": places, "pictures": whole.pictures}
    return str(report.template("site_overview.md.j2").render(facts))


def _overview(whole: Whole, out: Path) -> None:
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    inlined = {}
    for name, (svg, words) in whole.pictures.items():
        save(out / PICTURES / f"{name}.svg", plots.standalone(svg))
        inlined[name] = (plots.inline(svg, name, html.escape(words)), words)
    facts = _common(whole) | {"places": Site(), "pictures": inlined}
    save(out / HTML_NAME, report.template("site_overview.html.j2").render(facts))
    save(out / MARKDOWN_NAME, overview_text(whole, Site(0, MARKDOWN_NAME)))


def _experiment(whole: Whole, experiment: Experiment, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    places, panels = Site(1), whole.panels[experiment.name]
    drawn = [drawings.course(one, f"{experiment.name}{n}") for n, one in enumerate(panels)]
    for number, svg in enumerate(drawn):
        save(folder / f"course-{number}.svg", plots.standalone(svg))
    links = {
        f"results/{one.name}/{MARKDOWN_NAME}": places.result_set(one) for one in experiment.sets
    }
    readme = (experiment.folder / "README.md").read_text(encoding="utf-8")
    facts = _common(whole) | {
        "title": experiment.title,
        "experiment": experiment,
        "lead": whole.lead(experiment),
        "pairs": whole.pairs[experiment.name],
        "panels": panels,
        "drawn": [
            plots.inline(svg, f"course-{n}", html.escape(panels[n].title))
            for n, svg in enumerate(drawn)
        ],
        "summary": phrases.summary,
    }
    body = marks.page(readme.partition("\n")[2], lambda where: links.get(where), deeper=1)
    page = report.template("site_experiment.html.j2").render(
        facts | {"places": places, "crumbs": crumbs(places, experiment), "readme": body}
    )
    save(folder / HTML_NAME, page)
    twin = report.template("site_experiment.md.j2")
    save(folder / MARKDOWN_NAME, twin.render(facts | {"places": Site(1, MARKDOWN_NAME)}))


def _result_set(experiment: Experiment, one: ResultSet, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    way = crumbs(Site(2), experiment, one.name)
    if not phrases.is_own(one):
        page = report.render(next(one.folder.glob("results.jsonl")), folder)
        save(page, framed(page.read_text(encoding="utf-8"), way))
        return
    made, twin = one.folder / "report.html", one.folder / MARKDOWN_NAME
    if made.is_file():
        text = framed(made.read_text(encoding="utf-8"), way, phrases.provenance(one))
    else:
        text = report.template("site_document.html.j2").render(
            title=f"{experiment.title}, {one.date}",
            paper=True,
            crumbs=way,
            text=marks.page(twin.read_text(encoding="utf-8")),
            provenance=phrases.provenance(one),
        )
    save(folder / HTML_NAME, text)
    shutil.copyfile(twin, folder / MARKDOWN_NAME)


def framed(page: str, way: str, more: str = "") -> str:
    """Put a report that was made as a page of its own into the site: style, way back, what else."""
    css = (Path(report.__file__).parent / "templates" / "site.css").read_text(encoding="utf-8")
    page = page.replace("</head>", f"<style>\n{css}</style>\n</head>", 1)
    page = page.replace("<main>", f"<main>\n{way}", 1)
    return page.replace("</main>", f"{more}\n</main>", 1) if more else page


def comparison(found: Comparison, folder: Path, way: str = "") -> Path:
    """Write the page of a comparison, and its twin; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / HTML_NAME, _compared(found, "html", crumbs=way))
    save(folder / MARKDOWN_NAME, comparison_text(found))
    return folder / HTML_NAME


def comparison_text(found: Comparison) -> str:
    """Return a comparison as Markdown."""
    return _compared(found, "md")


def _compared(found: Comparison, kind: str, **more: Any) -> str:
    facts = {
        "title": f"{found.before.experiment}: two result sets",
        "found": found,
        "tables": phrases.tables(found),
        "caveats": phrases.caveats(found),
        "summary": phrases.summary,
        "p": phrases.p_text,
        "margin": f"{100 * MARGIN:g}",
        "inline": marks.inline,
        "crumbs": "",
    }
    return str(report.template(f"site_compare.{kind}.j2").render(facts | more))


def save(path: Path, text: str) -> None:
    """Write a file; lines end alike everywhere."""
    path.write_text(text, encoding="utf-8", newline="\n")
