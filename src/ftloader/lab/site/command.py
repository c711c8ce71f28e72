"""``python -m ftloader report --site`` and ``--compare``: folders in, pages out."""

from __future__ import annotations

from pathlib import Path

from ...errors import DataError
from .. import results
from . import find, phrases
from .find import ResultSet

#: Where things go unless ``--out`` says otherwise; the first is not committed.
SITE, COMPARED = Path("reports/site"), Path("reports/compare")


def site(root: Path, out: Path | None) -> Path:
    """Write the site of an experiments folder and return its overview.

    Without ``out`` the Markdown overview beside the experiments is written as well.

    Raises:
        DataError: the folder holds nothing that a report can be made of.
        MeasurementError: a run must not be believed.
    """
    from . import committed, pages  # matplotlib and jinja2: only where something is drawn

    whole = pages.Whole(find.experiments(root))
    page = pages.write(whole, out or SITE)
    if out is None:
        print(f"report: {committed.write(whole, root)}")
    return page


def compared(before: Path, after: Path, out: Path | None) -> Path:
    """Write the comparison of two result sets, say what came of it, and return its page.

    Raises:
        DataError: one of them is no result set, or they cannot be compared.
    """
    from . import compare, pages

    found = compare.compare(_set(before), _set(after))
    print(phrases.summary(found))
    for one in found.changes:
        if one.verdict in (compare.REGRESSED, compare.IMPROVED):
            change = f"{one.change.value:.3f} ({one.change.low:.3f} to {one.change.high:.3f})"
            print(f"  {one.verdict}: {one.ratio.panel}, {one.ratio.line}: {change}")
    return pages.comparison(found, out or COMPARED)


def _set(path: Path) -> ResultSet:
    """Return the result set that a path names: its folder, or the result file in it."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir() or (path.is_file() and path.name != results.FILE_NAME):
        raise DataError(f"{path}: give the folder of a result set, or its {results.FILE_NAME}")
    return find.result_set(folder.resolve())
