"""``python -m ftloader inspect``: look at a data set, and at what a recipe makes of it.

Text goes to stdout, pictures and JSON to files. Exit codes are those of ``ftloader.cli``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL

from ftloader import __version__
from ftloader.detection import CocoFolder, open_coco
from ftloader.detection.augment import Augment
from ftloader.errors import DataError, summary
from ftloader.inspect.layout import Style
from ftloader.inspect.options import Options, parse
from ftloader.inspect.outcome import PLANNED, Outcome, outcome, outcome_text
from ftloader.inspect.problems import Problem, find_problems
from ftloader.inspect.recipe import check_name, find_recipe
from ftloader.inspect.samples import Shown, look_at
from ftloader.inspect.sheet import SheetLook, draw_sheet
from ftloader.inspect.statistics import Statistics, statistics
from ftloader.inspect.text import as_text

#: Name and version of the JSON; the version grows when a field changes its meaning or goes.
SCHEMA: Final = ("ftloader.inspect", 1)
_NARROWEST, _WIDEST = 60, 110


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments after ``inspect``; by default the process's own.

    Returns:
        0.

    Raises:
        DataError: arguments or data are no good, or a file cannot be written.
    """
    try:
        options = parse(argv)
    except SystemExit:  # --help
        return 0
    if options.recipe:
        check_name(options.recipe)
    _check_places(options)
    folder = open_coco(options.data, options.split or None)
    picks = options.picks(len(folder))
    augment = None
    if options.recipe:
        recipe = find_recipe(options.recipe, folder)
        augment = Augment(folder, recipe, options.seed, options.epoch)

    style = _style()
    figures, problems = statistics(folder.index), find_problems(folder)
    _say(as_text(_title(options), figures, problems, style))
    result = None
    if augment is not None:
        result = outcome(options.recipe, augment, _spread(len(folder), PLANNED))
        _say("\n" + outcome_text(result, style))

    shown = look_at(folder, picks, augment)
    _say("")
    try:
        _write_pictures(options, folder, figures, shown)
        if options.json is not None:
            document = _document(options, figures, problems, result, shown)
            options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            _say(f"figures: {options.json}")
    except OSError as error:
        raise DataError(f"inspect: cannot write: {summary(error)}") from error
    return 0


def _check_places(options: Options) -> None:
    """Refuse, before the work, places that nothing can be written to, and fonts that are none."""
    for path in (options.json, options.sheet if options.only_sheet else None):
        if path is not None and not path.absolute().parent.is_dir():
            raise DataError(f"inspect: there is no folder {str(path.parent)!r} for {path.name!r}")
    if not options.only_sheet and options.out.exists() and not options.out.is_dir():
        raise DataError(f"inspect: {str(options.out)!r} is neither a folder nor a .png file")
    if options.font:
        from ftloader.inspect.ink import Fonts

        try:
            Fonts.of(options.font)
        except OSError as error:
            raise DataError(f"inspect: font {options.font!r}: {summary(error)}") from error


def _write_pictures(
    options: Options, folder: CocoFolder, figures: Statistics, shown: Sequence[Shown]
) -> None:
    """Write the sheet and the plots, and say where they are.

    Raises:
        OSError: one of them cannot be written.
    """
    if not options.only_sheet:
        options.out.mkdir(parents=True, exist_ok=True)
    for one in shown:
        if one.failure:
            _warn(f"image {one.index}: {one.failure}")
    if shown:
        title = f"{options.recipe or 'as annotated'}: {_title(options)}"
        if options.recipe:
            title += f", seed {options.seed}"
        made_with = f"ftloader {__version__}, NumPy {np.__version__}, Pillow {PIL.__version__}"
        command = options.again([one.index for one in shown])
        look = SheetLook(title, (command, made_with), font=options.font)
        draw_sheet(shown, folder.index.classes, look).save(options.sheet)
        _say(f"sheet: {options.sheet}")
    if options.plots and not options.only_sheet:
        _plot(options, folder, figures)


def _plot(options: Options, folder: CocoFolder, figures: Statistics) -> None:
    try:
        from ftloader.inspect.plots import draw_plots  # matplotlib: only where a plot is drawn
    except ImportError as error:
        _warn(f"no plots without matplotlib, which pip install 'ftloader[report]' adds ({error})")
        return
    path = options.out / "statistics.png"
    draw_plots(_title(options), folder.index, figures, path)
    _say(f"plots: {path}")


def _document(
    options: Options,
    figures: Statistics,
    problems: Sequence[Problem],
    result: Outcome | None,
    shown: Sequence[Shown],
) -> dict[str, Any]:
    """Return everything that was found, as docs/inspect.md describes it."""
    return {
        "schema": SCHEMA[0],
        "version": SCHEMA[1],
        "data": options.data,
        "split": options.split or None,
        "statistics": figures.as_dict(),
        "problems": [problem.as_dict() for problem in problems],
        "recipe": None if result is None else result.as_dict(),
        "samples": [
            {
                "index": one.index,
                "epoch": one.epoch,
                "file_name": None if one.before is None else one.before.info.file_name,
                "drawn": list(one.caption),
                "failure": one.failure or None,
            }
            for one in shown
        ],
    }


def _title(options: Options) -> str:
    name = Path(options.data).absolute().name
    return f"{name}, {options.split}" if options.split else name


def _spread(count: int, wanted: int) -> list[int]:
    """Return at most so many positions, evenly over a data set."""
    if count <= wanted:
        return list(range(count))
    return [i * count // wanted for i in range(wanted)]


def _style() -> Style:
    columns = shutil.get_terminal_size((80, 24)).columns
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return Style(min(max(columns, _NARROWEST), _WIDEST), colour)


def _say(text: str) -> None:
    try:
        print(text)
    except UnicodeEncodeError:  # a terminal or a log that has no bars
        print(text.encode("ascii", "replace").decode())


def _warn(text: str) -> None:
    print(f"ftloader: inspect: {text}", file=sys.stderr)
