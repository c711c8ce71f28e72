"""The Markdown that is committed beside the experiments: ``REPORT.md`` and a folder ``report``.

The README links to it. It is generated: a test compares it with what the result files give.
"""

from __future__ import annotations

import re
from pathlib import Path

from .. import plots
from . import pages
from .pages import Whole
from .places import Committed, pair_name

NAME, FOLDER = "REPORT.md", "report"


def files(whole: Whole) -> dict[str, str]:
    """Return what is to be written, by path below the experiments folder."""
    found = {NAME: pages.overview_text(whole, Committed())}
    for name, (svg, _) in whole.pictures.items():
        found[f"{FOLDER}/{name}.svg"] = plots.standalone(svg)
    for compared in whole.pairs.values():
        for one in compared:
            name = f"{one.before.experiment}--{pair_name(one.before, one.after)}"
            found[f"{FOLDER}/{name}.md"] = pages.comparison_text(one)
    return found


def write(whole: Whole, root: Path) -> Path:
    """Write them and return the path of the overview; what is no longer made is removed."""
    wanted = files(whole)
    (root / FOLDER).mkdir(exist_ok=True)
    for old in (root / FOLDER).iterdir():
        if old.suffix in (".md", ".svg") and f"{FOLDER}/{old.name}" not in wanted:
            old.unlink()
    for name, text in wanted.items():
        pages.save(root / name, text)
    return root / NAME


def words(svg: str) -> list[str]:
    """Return the texts of an SVG: what it says, without how this version of a library draws it."""
    return re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)
