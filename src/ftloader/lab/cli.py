"""``python -m ftloader.lab COMMAND``: experiments of any form, wherever they are described.

Exit codes: 0 done; 1 the measurement must not be believed; 2 bad arguments or unreadable data;
130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import FtloaderError
from . import where
from .command import fail
from .costs.describe import CostExperiment
from .experiment import Experiment
from .trials.describe import TrialExperiment

_RUN = "run"
#: Command, what it does, and the module whose ``main(argv)`` does it.
COMMANDS = {
    _RUN: ("measure an experiment: run path/to/run.py or run module:attribute", "ftloader.lab.cli"),
    "report": ("make reports or a site from result files, or compare two", "ftloader.lab.report"),
    "guard": ("has ftloader become slower than an earlier commit?", "ftloader.lab.guard.main"),
}
#: The forms of experiment, and the module that measures each.
_FORMS: dict[type[Any], str] = {
    Experiment: "ftloader.lab.main",
    CostExperiment: "ftloader.lab.costs.main",
    TrialExperiment: "ftloader.lab.trials.main",
}
_RUN_USAGE = """\
usage: python -m ftloader.lab run EXPERIMENT [OPTION ...]

EXPERIMENT is a script (path/to/run.py) or module:attribute; EXPERIMENT --help tells its options."""


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
    if words[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        return fail(f"there is no command {words[0]!r}; choose one of {known}", 2)
    if words[0] == _RUN:
        return run(words[1:])
    command: Callable[[Sequence[str]], int]
    command = importlib.import_module(COMMANDS[words[0]][1]).main
    return command(words[1:])


def usage() -> str:
    """Return the help text."""
    lines = ["usage: python -m ftloader.lab COMMAND [ARGUMENT ...]", "", "commands:"]
    lines += [f"  {name:8} {text}" for name, (text, _) in COMMANDS.items()]
    lines += [
        "",
        "run EXPERIMENT --help tells the options of one. An experiment about a pipeline of yours",
        "takes a few lines: docs/laboratory.md.",
    ]
    return "\n".join(lines)


def run(words: Sequence[str]) -> int:
    """Measure the experiment that the first word names; the others are its options."""
    if not words or words[0].startswith("-"):
        print(_RUN_USAGE)
        return 0 if words and words[0] in ("-h", "--help") else 2
    try:
        described = where.load(words[0])
    except FtloaderError as error:
        return fail(str(error), 2)
    for form, module in _FORMS.items():
        if isinstance(described, form):
            measure: Callable[[Any, str, Sequence[str]], int]
            measure = importlib.import_module(module).main
            return measure(described, words[0], words[1:])
    forms = ", ".join(form.__name__ for form in _FORMS)
    found = type(described).__name__
    return fail(f"{words[0]} is no experiment ({forms}) but of type {found}", 2)
