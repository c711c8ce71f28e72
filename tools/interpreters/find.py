"""Looks for an interpreter where one may lie already; installs nothing.

Order: the environment variable, PATH, uv's folder, pyenv's versions (its shims may fail where the
interpreter behind them is sound), our own cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from . import cache, probe
from .table import Interpreter, InterpreterError


def find(wanted: Interpreter, tried: List[str]) -> Optional[probe.Found]:
    """Return the first interpreter that is ``wanted``, or ``None``.

    Args:
        wanted: what to look for.
        tried: gets a line for each place looked at in vain.

    Raises:
        InterpreterError: the environment variable names something that is not ``wanted``.
    """
    named = os.environ.get(wanted.variable)
    if named:
        found = probe.ask(named, wanted.variable)
        why = found if isinstance(found, str) else probe.mismatch(found, wanted)
        if why is not None or isinstance(found, str):
            raise InterpreterError(
                f"{wanted.variable}={named} {why}: set it to a CPython "
                f"{wanted.release if wanted.exact else wanted.name} or unset it"
            )
        return found
    return next(_search(wanted, tried), None)


def beside(wanted: Interpreter, twin: probe.Found, tried: List[str]) -> Optional[probe.Found]:
    """Return an interpreter to be measured beside ``twin``: of its release, or ``None``.

    One with the twin's flags is preferred; where there is none, one with other flags is returned,
    which the laboratory marks as not comparable.

    Args:
        wanted: what to look for; see :attr:`Interpreter.twin`.
        twin: what it is measured beside.
        tried: gets a line for each place looked at in vain.

    Raises:
        InterpreterError: the environment variable names something else.
    """
    exact = wanted.pinned(twin.number)
    if os.environ.get(wanted.variable):
        return find(exact, tried)
    found = list(_search(exact, tried))
    alike = [one for one in found if not probe.differing_flags(one, twin)]
    return next(iter(alike or found), None)


def _search(wanted: Interpreter, tried: List[str]) -> Iterator[probe.Found]:
    """Yield every interpreter that is ``wanted``, in the order of the places."""
    for origin, candidates in _places(wanted):
        reasons = []
        for candidate in candidates:
            found = probe.ask(candidate, origin)
            why = found if isinstance(found, str) else probe.mismatch(found, wanted)
            if why is None and isinstance(found, probe.Found):
                yield found
            else:
                reasons.append(f"{candidate} {why}")
        tried.append(f"{origin}: " + ("; ".join(reasons) or "none"))


def uv_command() -> Optional[str]:
    """Return the path of uv: the one beside the running Python's packages, else PATH's."""
    try:
        from uv import find_uv_bin

        return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def _places(wanted: Interpreter) -> Iterator[Tuple[str, Iterator[str]]]:
    yield "PATH", _on_path(wanted)
    yield "uv's folder", _below(_uv_folder(), "*/bin", wanted)
    yield "pyenv's versions", _below(_pyenv_folder(), "*/bin", wanted)
    yield "ftloader's cache", _in_cache(wanted)


def _on_path(wanted: Interpreter) -> Iterator[str]:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    # /bin is often /usr/bin; a folder counts once.
    distinct = {os.path.realpath(folder): folder for folder in reversed(folders) if folder}
    for command in wanted.commands:
        for folder in reversed(list(distinct.values())):
            candidate = os.path.join(folder, command)
            if _runnable(candidate):
                yield candidate


def _below(folder: Optional[Path], pattern: str, wanted: Interpreter) -> Iterator[str]:
    if folder is None:
        return
    prefix = "{}.{}.".format(*wanted.version)
    bins = [p for p in folder.glob(pattern) if prefix in p.parent.name]
    for found in sorted(bins, key=lambda p: cache.version_key(p.parent.name), reverse=True):
        for command in wanted.commands[:-2]:
            if _runnable(found / command):
                yield str(found / command)
                break


def _in_cache(wanted: Interpreter) -> Iterator[str]:
    for prefix in cache.built():
        yield from _below(prefix.parent, f"{prefix.name}/bin", wanted)


def _uv_folder() -> Optional[Path]:
    uv = uv_command()
    if uv is not None:
        try:
            answer = subprocess.run(
                [uv, "python", "dir"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=probe.TIMEOUT_S,
                check=False,
            )
            text = answer.stdout.decode("utf-8", "replace").strip()
            if answer.returncode == 0 and text:
                return Path(text)
        except (OSError, subprocess.TimeoutExpired):
            pass
    return None


def _pyenv_folder() -> Path:
    root = os.environ.get("PYENV_ROOT", "")
    return (Path(root) if root else Path.home() / ".pyenv") / "versions"


def _runnable(path: "str | os.PathLike[str]") -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
