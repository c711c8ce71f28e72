"""The command line of ``python -m ftloader audit``."""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ..errors import AuditError
from ..safety import ThreadSafety
from .verdict import DETECTORS

_EPILOG: Final = """
detectors, in the order in which they run:
{detectors}

exit codes: 0 safe, 1 not safe, 2 bad arguments or a transform that cannot be had or called.

examples:
  python -m ftloader audit mypackage.transforms:RandomFlip --args '{{"p": 0.5}}'
  python -m ftloader audit mypackage.recipes:training --args '[]' --json verdict.json
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        transform: ``package.module:name``.
        args: what a class or a factory is called with.
        kwargs: the same, by name; None calls no factory.
        samples: where the inputs come from; None has the audit make some.
        style: name of the convention; None has the audit find it.
        threads: thread counts of the hammer.
        seconds: how long the hammer runs.
        detectors: those to run; None runs all.
        json: a file for the verdict, ``"-"`` for stdout instead of the table, or empty.
        colour: auto, always or never.
        allow: classes that are fine although they are not safe.
    """

    transform: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] | None
    samples: str | None
    style: str | None
    threads: tuple[int, ...]
    seconds: float
    detectors: tuple[str, ...] | None
    json: str
    colour: str
    allow: tuple[str, ...]


class _Parser(argparse.ArgumentParser):
    """Raises on bad arguments, where argparse prints the usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise AuditError(f"audit: {message}")


def parse(argv: Sequence[str] | None) -> Options:
    """Read the arguments after ``audit``; by default the process's own.

    Raises:
        AuditError: they are no good.
        SystemExit: help was asked for, and printed.
    """
    widest = max(map(len, DETECTORS))
    listed = "\n".join(f"  {name:{widest}}  {about}" for name, about in DETECTORS.items())
    parser = _Parser(
        prog="ftloader audit",
        description="Tell whether threads may share a transform, by calling it in processes of "
        "its own.",
        epilog=_EPILOG.format(detectors=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("transform", type=_path, metavar="MODULE:NAME", help="a class, an instance or a function")
    add("--args", type=_arguments, default=((), None), metavar="JSON",
        help="what to call a class or a factory with: a list, or an object of keywords; '[]' "
        "makes a factory of a function; a Python literal will do, for tuples")  # fmt: skip
    add("--samples", type=_path, metavar="MODULE:NAME",
        help="inputs: a sequence, or a function that returns one (default: made ones)")  # fmt: skip
    add("--style", metavar="NAME", help="how it is called, such as sample-rng, dict, torchvision, "
        "albumentations, pil, array (default: found out)")  # fmt: skip
    add("--threads", type=_counts, default=(2, 4, 8), metavar="N,N",
        help="thread counts of the hammer (default: 2,4,8)")  # fmt: skip
    add("--seconds", type=_seconds, default=10.0, metavar="S",
        help="how long the hammer runs (default: 10)")  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", type=_detectors, metavar="D,D", help="run these detectors")
    which.add_argument("--skip", type=_detectors, metavar="D,D", help="leave these out")
    add("--allow", type=_classes, default=(), metavar="CLASS",
        help="exit with 0 for this class too, such as order-dependent")  # fmt: skip
    add("--json", default="", metavar="FILE",
        help="write the verdict as JSON; - for stdout, without the table")  # fmt: skip
    add("--color", dest="colour", choices=("auto", "always", "never"), default="auto",
        help="default: auto, which respects NO_COLOR")  # fmt: skip
    words = vars(parser.parse_args(argv))
    args, kwargs = words.pop("args")
    only, skip = words.pop("only"), words.pop("skip") or ()
    detectors = tuple(name for name in only or DETECTORS if name not in skip)
    if not detectors:
        parser.error("every detector is left out")
    chosen = detectors if only or skip else None
    return Options(args=args, kwargs=kwargs, detectors=chosen, **words)


def _path(text: str) -> str:
    module, colon, name = text.partition(":")
    if not (module and colon and name):
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; write package.module:name")
    return text


def _arguments(text: str) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
    try:
        value = json.loads(text)
    except ValueError as error:
        try:
            value = ast.literal_eval(text)  # JSON has no tuples
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {error}") from None
    if isinstance(value, list):
        return tuple(value), {}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return (), value
    raise argparse.ArgumentTypeError(f"a list or an object of keywords is wanted, not {text!r}")


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(int(part) for part in text.split(",") if part.strip())
    if not counts or min(counts) < 2:
        raise argparse.ArgumentTypeError(f"thread counts are 2 or more, not {text!r}")
    return counts


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no time; give seconds above 0")
    return value


def _detectors(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in chosen if name not in DETECTORS]
    if unknown or not chosen:
        known = ", ".join(DETECTORS)
        raise argparse.ArgumentTypeError(f"there is no detector {text!r}; choose from {known}")
    return tuple(name for name in DETECTORS if name in chosen)


def _classes(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    known = [str(safety) for safety in ThreadSafety]
    if not set(chosen) <= set(known):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(known)}")
    return chosen
