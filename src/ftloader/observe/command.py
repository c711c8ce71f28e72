"""``python -m ftloader profile module:pipeline``: where a pipeline's time goes."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..engine import ENGINES
from ..errors import DataError, PipelineError, summary
from ..pipeline import Pipeline
from .profile import Profile, profile
from .table import wants_colour


class _Unusable(DataError):
    """The arguments are no good."""


class _Parser(argparse.ArgumentParser):
    """Raises on bad arguments, where argparse prints the usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise _Unusable(f"profile: {message}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments after ``profile``; by default the process's own.

    Returns:
        0 when the profile was printed, 130 if Ctrl-C ended the measurement.

    Raises:
        DataError: the arguments are no good.
        FtloaderError: the pipeline failed.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit:  # --help
        return 0
    for path in (options.trace, options.json):
        if path is not None and not path.absolute().parent.is_dir():
            raise _Unusable(f"profile: there is no folder {str(path.parent)!r} for {path.name!r}")
    pipeline = find_pipeline(options.target)
    print(
        f"profiling {options.target} for up to {options.seconds:g} s; Ctrl-C ends it sooner",
        file=sys.stderr,
    )
    try:
        result = profile(
            pipeline,
            seconds=options.seconds,
            items=options.items,
            engine=options.engine,
            trace=options.trace is not None,
        )
    except PipelineError as error:
        raise _Unusable(str(error)) from error
    print(result.text(colour=wants_colour(sys.stdout)))
    _save(result, options.trace, options.json)
    return 130 if result.ended == "interrupted" else 0


def find_pipeline(target: str) -> Pipeline[Any]:
    """Return the pipeline that ``module:attribute`` names, as seen from the current folder.

    Args:
        target: module and attribute; the attribute is a pipeline, or a callable without arguments
            that returns one, and may be dotted.

    Raises:
        DataError: it names no pipeline; the message says why.
    """
    module_name, colon, attribute = target.partition(":")
    if not (module_name and colon and attribute):
        raise _Unusable(f"profile: {target!r} is not of the form module:pipeline")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may even exit
        raise _Unusable(
            f"profile: module {module_name!r} cannot be imported: {summary(error)}"
        ) from error
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise _Unusable(f"profile: {summary(error)}") from error
    if not isinstance(found, Pipeline) and callable(found):
        try:
            found = found()
        except Exception as error:
            raise _Unusable(f"profile: {target}() failed: {summary(error)}") from error
    if not isinstance(found, Pipeline):
        raise _Unusable(f"profile: {target} is {type(found).__name__}, not a Pipeline")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ftloader profile",
        description="Run a pipeline, drop what it gives, and say where the time goes.",
    )
    parser.add_argument(
        "target",
        metavar="module:pipeline",
        help="a pipeline, or a function without arguments that returns one",
    )
    parser.add_argument("--seconds", type=_positive_float, default=10.0, help="(default: 10)")
    parser.add_argument("--items", type=_positive_int, help="read at most so many items")
    parser.add_argument("--engine", choices=ENGINES, default="threads", help="(default: threads)")
    parser.add_argument("--trace", type=Path, metavar="F", help="write a trace for Perfetto")
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures as JSON")
    return parser


def _positive_float(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ValueError
    return value


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _save(result: Profile, trace: Path | None, figures: Path | None) -> None:
    try:
        if trace is not None:
            result.save_trace(trace)
        if figures is not None:
            figures.write_text(json.dumps(result.as_dict(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise _Unusable(f"profile: cannot write: {summary(error)}") from error
