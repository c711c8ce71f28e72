"""Reports from result files alone: ``python -m ftloader report PATH... [--out DIR]``.

``--site [FOLDER]`` makes the site of a whole experiments folder, ``--compare A B`` puts two result
sets beside each other; both are in ``lab.site``.

Each result file gives a folder with ``index.html`` (self-contained: no request leaves it),
``report.md`` with the same numbers, and the plots as SVG files for the Markdown. The same file
gives the same report on any machine. A run that must not be believed gives none.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, MeasurementError
from . import cpus, prose, results, resume
from .analyse import summarise
from .arms import flag_differences, not_comparable
from .comparisons import letters
from .findings import at_a_glance, findings, fit_text, further, rival_text
from .summary import Summary

HTML_NAME, MARKDOWN_NAME = "index.html", "report.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Render reports; returns 0, 1 for a run that must not be believed, 2 for bad arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m ftloader report", description="Render reports from result files."
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH",
        help="a result file, or the folder that holds one; with --site the experiments folder "
        "(default: experiments)")  # fmt: skip
    parser.add_argument("--site", action="store_true",
        help="one site of all result sets, and REPORT.md beside the experiments")  # fmt: skip
    parser.add_argument("--compare", action="store_true",
        help="compare two result sets, the earlier first, by paired ratios")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR",
        help="where to write (default: beside each result file; a site to reports/site, a "
        "comparison to reports/compare)")  # fmt: skip
    try:
        asked = parser.parse_args(argv)
        _require_paths(parser, asked)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        _made(asked)
    except DataError as error:
        return _fail(str(error), 2)
    except MeasurementError as error:
        return _fail(str(error), 1)
    except ImportError as error:
        return _fail(
            f"the report needs {error.name}; install it with the extra ftloader[report]", 1
        )
    return 0


def _require_paths(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> None:
    count = len(asked.paths)
    if asked.site and asked.compare:
        parser.error("give --site or --compare, not both")
    if asked.site and count > 1:
        parser.error("--site takes one experiments folder")
    if asked.compare and count != 2:
        parser.error(f"--compare takes two result sets, not {count}")
    if not asked.site and not count:
        parser.error("give a result file, its folder, or --site")


def _made(asked: argparse.Namespace) -> None:
    """Make what was asked for and say where it is."""
    from .site import command

    if asked.site:
        root = asked.paths[0] if asked.paths else Path("experiments")
        print(f"report: {command.site(root, asked.out)}")
    elif asked.compare:
        before, after = asked.paths
        print(f"report: {command.compared(before, after, asked.out)}")
    else:
        for path in asked.paths:
            source = results.find(path)
            out = _folder(source, asked.out, several=len(asked.paths) > 1)
            print(f"report: {render(source, out)}")


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
    if file.header.get("form") == results.TRIALS:
        from .trials.report import render as render_trials

        return render_trials(file, source, out)
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
    made = template("report.html.j2", fit=fit_text, rival=rival_text).render(**view, plots=inlined)
    page.write_text(made, encoding="utf-8")
    text = template("report.md.j2", fit=fit_text, rival=rival_text).render(**view)
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
        "findings": findings(summary),
        "further": {one.name: further(one, summary) for one in summary.subjects},
        "glance": at_a_glance(summary),
        "letters": prose.join(f"{what} {name}" for name, what in letters(summary.arms).items()),
        "pool_method": prose.pool_method(summary),
        "shows_not": prose.shows_not(summary),
        "assertions": {arm.name: prose.arm_assertion(summary, arm.name) for arm in summary.arms},
        "incomparable": {arm.name: flag_differences(summary.baseline, arm) for arm in summary.arms},
        "unlike": {arm.name: not_comparable(summary.baseline, arm) for arm in summary.arms},
        "build": {record["arm"]: record["provenance"] for record in records},
        **ground(records, source),
    }


def ground(records: Sequence[Mapping[str, Any]], source: Path) -> dict[str, Any]:
    """Return what the reports of all kinds of experiment show of their processes and file."""
    from . import plots

    return {
        "colours": plots.COLOURS,
        "load": load(records),
        "steal": sum(r["after"]["steal_seconds"] - r["before"]["steal_seconds"] for r in records),
        "collections": sum(
            sum(r["after"]["collections"]) - sum(r["before"]["collections"]) for r in records
        ),
        "seconds": sum(record["seconds"] for record in records),
        "packages": packages(records) + peers(records),
        "flags": flags,
        "digest": hashlib.blake2b(source.read_bytes(), digest_size=8).hexdigest(),
        "source": results.FILE_NAME,
        "continued": resume.said(results.read(source)),
    }


def template(name: str, **filters: Callable[..., str]) -> Any:
    """Return one of the laboratory's templates, with its filters and those given."""
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
        pinned=cpus.shown,
    )
    environment.filters.update(filters)
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


def peers(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the versions of the experiment's own packages, each combination once."""
    combinations = (record.get("peers", {}).items() for record in records)
    return sorted(
        {", ".join(f"{name} {version}" for name, version in c) for c in combinations if c}
    )


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
