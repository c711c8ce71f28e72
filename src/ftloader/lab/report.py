"""Reports from result files alone: ``python -m ftloader report PATH... [--out DIR]``.

Each result file gives a folder with ``index.html`` (self-contained: no request leaves it),
``report.md`` with the same numbers, and the plots as SVG files for the Markdown. The same file
gives the same report on any machine. A run that must not be believed gives none.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, MeasurementError
from . import prose, results
from .analyse import summarise
from .arms import flag_differences
from .summary import Summary

HTML_NAME, MARKDOWN_NAME = "index.html", "report.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Render reports; returns 0, 1 for a run that must not be believed, 2 for bad arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m ftloader report", description="Render reports from result files."
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH",
        help="a result file, or the folder that holds one")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR",
        help="where to write (default: beside each result file)")  # fmt: skip
    try:
        asked = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        for path in asked.paths:
            source = results.find(path)
            out = _folder(source, asked.out, several=len(asked.paths) > 1)
            print(f"report: {render(source, out)}")
    except DataError as error:
        return _fail(str(error), 2)
    except MeasurementError as error:
        return _fail(str(error), 1)
    except ImportError as error:
        return _fail(
            f"the report needs {error.name}; install it with the extra ftloader[report]", 1
        )
    return 0


def render(source: Path, out: Path) -> Path:
    """Render one result file into a folder and return the page's path.

    Raises:
        DataError: not a result file of this schema.
        MeasurementError: the run must not be believed.
    """
    from . import plots  # matplotlib: only where a plot is drawn

    file = results.read(source)
    if file.header.get("form") == results.COSTS:
        from .costs.report import render as render_costs

        return render_costs(file, source, out)
    summary = summarise(file)
    drawn = {
        (subject.name, kind): draw(subject, summary)
        for subject in summary.subjects
        for kind, draw in (("throughput", plots.throughput), ("speedup", plots.speedup))
    }
    view = _view(summary, source)
    out.mkdir(parents=True, exist_ok=True)
    for (name, kind), svg in drawn.items():
        (out / f"{name}-{kind}.svg").write_text(plots.standalone(svg), encoding="utf-8")
    inlined = {
        key: plots.inline(svg, f"{key[0]}-{key[1]}", _label(summary, key))
        for key, svg in drawn.items()
    }
    page = out / HTML_NAME
    page.write_text(template("report.html.j2").render(**view, plots=inlined), encoding="utf-8")
    text = template("report.md.j2").render(**view)
    (out / MARKDOWN_NAME).write_text(text, encoding="utf-8")
    return page


def _view(summary: Summary, source: Path) -> dict[str, Any]:
    """Return what both templates show."""
    header = summary.header
    records = summary.processes
    return {
        "summary": summary,
        "header": header,
        "lead": prose.lead(summary),
        "opening": prose.opening(summary),
        "findings": prose.findings(summary),
        "shows_not": prose.shows_not(summary),
        "assertions": {arm.name: prose.arm_assertion(summary, arm.name) for arm in summary.arms},
        "incomparable": {arm.name: flag_differences(summary.baseline, arm) for arm in summary.arms},
        "load": load(records),
        "steal": sum(r["after"]["steal_seconds"] - r["before"]["steal_seconds"] for r in records),
        "collections": sum(
            sum(r["after"]["collections"]) - sum(r["before"]["collections"]) for r in records
        ),
        "seconds": sum(record["seconds"] for record in records),
        "packages": packages(records),
        "build": {record["arm"]: record["provenance"] for record in records},
        "flags": flags,
        "digest": hashlib.blake2b(source.read_bytes(), digest_size=8).hexdigest(),
        "source": results.FILE_NAME,
    }


def template(name: str) -> Any:
    """Return one of the laboratory's templates, with its filters."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ftloader.lab"),
        autoescape=name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        number=lambda value: "\u2013" if value is None else prose.number(value),
        interval=prose.interval,
        point=prose.point_label,
    )
    return environment.get_template(name)


def _label(summary: Summary, key: tuple[str, str]) -> str:
    subject = next(one for one in summary.subjects if one.name == key[0])
    what = f"{subject.unit} per second" if key[1] == "throughput" else "speed-up"
    return html.escape(f"{subject.title}: {what} against threads; the table below has the numbers")


def packages(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the package versions of all processes, each combination once."""
    found = {
        ", ".join(f"{name} {version}" for name, version in r["provenance"]["packages"].items())
        for r in records
    }
    return sorted(found)


def flags(flags: Mapping[str, str]) -> str:
    """Write build flags for people."""
    return ", ".join(
        [
            flags["optimisation"] or "no OPT recorded",
            "PGO" if flags["pgo"] == "true" else "no PGO",
            "LTO" if flags["lto"] == "true" else "no LTO",
            "shared libpython" if flags["shared_library"] == "true" else "static libpython",
        ]
    )


def load(records: Sequence[Mapping[str, Any]]) -> str:
    """Write the range of the load average over all processes."""
    found = [r[moment]["load"] for r in records for moment in ("before", "after")]
    ones = [load[0] for load in found if load]
    return f"{min(ones):.2f} to {max(ones):.2f}" if ones else "not known"


def _folder(source: Path, out: Path | None, several: bool) -> Path:
    if out is None:
        return source.parent
    return out / source.resolve().parent.name if several else out


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
