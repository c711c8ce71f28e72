"""The command line: ``python tools/interpreters list`` and ``... ensure 3.13t``."""

from __future__ import annotations

import argparse
from typing import List, Optional

from . import ensure, find, probe, talk
from .table import INTERPRETERS, Interpreter, InterpreterError, get


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code; paths go to stdout, talk to stderr."""
    parser = argparse.ArgumentParser(
        prog="python tools/interpreters",
        description="Finds or makes the interpreters that the sessions run on.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show which are there; makes none")
    one = commands.add_parser("ensure", help="print the path of one; makes it if needed")
    one.add_argument("name", help="such as 3.13t")
    options = parser.parse_args(arguments)
    try:
        if options.command == "list":
            print(table())
        else:
            print(ensure.ensure(get(options.name)).path)
    except InterpreterError as error:
        talk.say(str(error))
        return 1
    except KeyboardInterrupt:
        talk.say("interrupted; the next call goes on from here")
        return 130
    return 0


def table() -> str:
    """Return a table of all interpreters, found or not."""
    rows = [("name", "version", "from", "path")]
    for wanted in INTERPRETERS.values():
        try:
            found = _look(wanted)
        except InterpreterError as error:
            rows.append((wanted.name, "-", wanted.variable, str(error)))
            continue
        if found is not None:
            rows.append((wanted.name, found.full_version, found.origin, found.path))
        else:
            rows.append((wanted.name, "-", "-", _missing(wanted.name)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]) for row in rows
    )


def _look(wanted: Interpreter) -> Optional[probe.Found]:
    if not wanted.twin:
        return find.find(wanted, [])
    twin = find.find(get(wanted.twin), [])
    return None if twin is None else find.beside(wanted, twin, [])


def _missing(name: str) -> str:
    wanted = INTERPRETERS[name]
    if wanted.twin:
        return f"not found; for measuring beside {wanted.twin}; ensure builds it"
    if wanted.debian:
        return "not found; ensure downloads or builds it"
    return "not found; ensure downloads it where it can" + (
        "" if wanted.required else "; its sessions are skipped otherwise"
    )
