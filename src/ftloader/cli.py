"""The command line: ``python -m ftloader COMMAND``; each command lives with what it is about.

Exit codes: 0 done, 1 it failed, 2 the arguments or the input data are no good (one line says
why), 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

from .errors import AuditError, DataError, FtloaderError, PlanError

#: Command, what it does, and the function that does it (``main(argv) -> exit code``).
COMMANDS = {
    "doctor": ("what this interpreter and machine can do", "ftloader.doctor"),
    "synth": ("make a COCO folder of synthetic images", "ftloader.detection.synthetic.cli"),
    "inspect": ("look at a data set, and at what a recipe makes of it", "ftloader.inspect.command"),
    "plan": ("what an epoch's batches will be, before training", "ftloader.planreport.command"),
    "audit": ("whether threads may share a transform", "ftloader.audit.command"),
    "report": ("make a report from result files", "ftloader.lab.report"),
    "lab": ("measure an experiment, yours or one of ours", "ftloader.lab.cli"),
    "profile": ("where a pipeline's time goes", "ftloader.observe.command"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; those of the process by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] == "--version":
        from . import __version__

        print(f"ftloader {__version__}")
        return 0
    if words[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"ftloader: there is no command {words[0]!r}; choose one of {known}", file=sys.stderr)
        return 2
    command: Callable[[Sequence[str]], int]
    command = importlib.import_module(COMMANDS[words[0]][1]).main
    try:
        return command(words[1:])
    except KeyboardInterrupt:
        print("ftloader: interrupted", file=sys.stderr)
        return 130
    except FtloaderError as error:
        print(f"ftloader: {error}", file=sys.stderr)
        return 2 if isinstance(error, (DataError, AuditError, PlanError)) else 1


def usage() -> str:
    """Return the help text."""
    lines = ["usage: python -m ftloader COMMAND [ARGUMENT ...]", "", "commands:"]
    lines += [f"  {name:8} {text}" for name, (text, _) in COMMANDS.items()]
    lines += ["", "COMMAND --help tells more of each."]
    return "\n".join(lines)
