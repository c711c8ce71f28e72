"""The interpreters that the project knows. Adding one is one line in ``INTERPRETERS``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Tuple


class InterpreterError(Exception):
    """An interpreter that cannot be had; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Interpreter:
    """One interpreter that the sessions run on.

    Attributes:
        name: its short name, such as ``"3.12"`` or ``"3.13t"`` (``t`` for free-threaded).
        required: a session on it fails when it cannot be had; otherwise the session is skipped.
        release: the CPython release that is built when none is found, or ``""`` for never.
        debian: Debian's source package of that version, or ``""`` where there is none to be had.
        twin: the interpreter that this one is measured beside: built from the same source with
            the same flags. Such a one is for measuring only: no other release than its twin's
            will do, no test runs on it unasked, and nothing makes it unasked.
        exact: whether ``release`` is the only one that will do.
    """

    name: str
    required: bool
    release: str = ""
    debian: str = ""
    twin: str = ""
    exact: bool = False

    def pinned(self, release: str) -> "Interpreter":
        """Return this interpreter with ``release`` as the only one that will do."""
        return replace(self, release=release, exact=True)

    @property
    def version(self) -> Tuple[int, int]:
        """Major and minor version."""
        major, minor = self.name.rstrip("t").split(".")
        return int(major), int(minor)

    @property
    def free_threaded(self) -> bool:
        """Whether this is the build with ``--disable-gil``."""
        return self.name.endswith("t")

    @property
    def commands(self) -> Tuple[str, ...]:
        """The command names under which it may lie on PATH, most exact first."""
        plain = "python{}.{}".format(*self.version)
        exact = (plain + "t", plain) if self.free_threaded else (plain,)
        return (*exact, "python3", "python")

    @property
    def variable(self) -> str:
        """The environment variable that names one outright, such as FTLOADER_PYTHON_3_13T."""
        return "FTLOADER_PYTHON_" + self.name.replace(".", "_").upper()


INTERPRETERS = {
    interpreter.name: interpreter
    for interpreter in (
        Interpreter("3.12", required=True, release="3.12.12"),
        Interpreter("3.13", required=False, debian="python3.13", twin="3.13t"),
        Interpreter("3.13t", required=True, release="3.13.15", debian="python3.13"),
        Interpreter("3.14t", required=False),
    )
}


def get(name: str) -> Interpreter:
    """Return the interpreter called ``name``.

    Raises:
        InterpreterError: there is none of that name; the message lists those there are.
    """
    if name not in INTERPRETERS:
        raise InterpreterError(f"unknown interpreter {name!r}: choose {', '.join(INTERPRETERS)}")
    return INTERPRETERS[name]
