"""Finds an interpreter or makes one: the order in which everything is tried."""

from __future__ import annotations

import signal
import subprocess
from typing import Dict, List, Optional

from . import build, find, probe, talk
from .table import Interpreter, InterpreterError, get

UV_TIMEOUT_S = 600.0

_known: Dict[str, probe.Found] = {}


def ensure(wanted: Interpreter) -> probe.Found:
    """Return an interpreter that is ``wanted``, found or made; remembered within this process.

    Raises:
        InterpreterError: it cannot be had; the message says what was tried and what to do.
    """
    if wanted.name not in _known:
        _known[wanted.name] = _ensure_beside(wanted) if wanted.twin else _ensure(wanted)
    return _known[wanted.name]


def already(wanted: Interpreter) -> Optional[probe.Found]:
    """Return an interpreter that is for measuring only, if there is one; makes none.

    What is returned is what :func:`ensure` returns from then on. It may have other flags than its
    twin; a line says so.

    Raises:
        InterpreterError: the environment variable names something else, or the twin cannot be had.
    """
    if wanted.name not in _known:
        twin = ensure(get(wanted.twin))
        found = find.beside(wanted, twin, [])
        if found is None:
            return None
        differs = probe.differing_flags(found, twin)
        if differs:
            talk.say(
                f"{wanted.name} ({found.path}) was not built as {wanted.twin} was ({differs}): "
                "reports mark the two as not comparable"
            )
        _known[wanted.name] = found
    return _known[wanted.name]


def _ensure(wanted: Interpreter) -> probe.Found:
    tried: List[str] = []
    found = find.find(wanted, tried)
    if found is None and _uv_install(wanted, tried):
        found = find.find(wanted, [])
    if found is not None:
        return found
    if not wanted.release:
        raise InterpreterError(_in_vain(wanted, tried, f"no CPython {wanted.name} found"))
    try:
        return build.build(wanted, tried)
    except (InterpreterError, OSError) as error:
        # OSError: a cache that cannot be written to, a full disk; its text names the file.
        raise InterpreterError(_in_vain(wanted, tried, str(error))) from error


def _ensure_beside(wanted: Interpreter) -> probe.Found:
    """Find or make an interpreter of its twin's release and flags."""
    twin = ensure(get(wanted.twin))
    exact = wanted.pinned(twin.number)
    tried: List[str] = []
    found = find.beside(wanted, twin, tried)
    if found is not None and found.origin == wanted.variable:
        return found
    # A build here is plain; another kind of twin can only have come from where its like are.
    plain = not any(value is True for _, value in twin.flags)
    if not plain and _differs(found, twin) and _uv_install(exact, tried):
        found = find.beside(wanted, twin, tried)
    if plain and _differs(found, twin):
        try:
            found = build.build(exact, tried)
        except (InterpreterError, OSError) as error:
            raise InterpreterError(_in_vain(exact, tried, str(error))) from error
    if found is None or _differs(found, twin):
        reason = (
            f"no CPython {twin.number} with the GIL and the flags of {wanted.twin} ({twin.path}), "
            "which is not a plain build"
        )
        raise InterpreterError(_in_vain(exact, tried, reason))
    return found


def _differs(found: Optional[probe.Found], twin: probe.Found) -> bool:
    return found is None or probe.differing_flags(found, twin) != ""


def _in_vain(wanted: Interpreter, tried: List[str], reason: str) -> str:
    """Return the one message that ends a search in vain."""
    steps = "\n".join(f"  - {line}" for line in tried)
    version = wanted.release if wanted.exact else wanted.name
    return (
        f"{reason}. Install CPython {version}, or set {wanted.variable} to its path. "
        f"Looked at:\n{steps}"
    )


def _uv_install(wanted: Interpreter, tried: List[str]) -> bool:
    """Let uv download the interpreter into its own folder; tell whether it did."""
    uv = find.uv_command()
    if uv is None:
        tried.append("uv python install: uv is not installed")
        return False
    version = wanted.release if wanted.exact else wanted.name
    talk.say(f"no CPython {version} found; asking uv to download it")
    process = subprocess.Popen(
        [uv, "python", "install", "--no-bin", version],
        # One try: without the network the next source is as good.
        env={**probe.clean_environment(), "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "30"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = process.communicate(timeout=UV_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        tried.append(f"uv python install: not done within {UV_TIMEOUT_S:g} s")
        return False
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        tried.append("uv python install: " + _last_cause(errors.decode("utf-8", "replace")))
        return False
    return True


def _last_cause(errors: str) -> str:
    """Return the root cause from uv's chain of causes, in one line."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    causes = [line for line in lines if line.lower().startswith(("cause:", "caused by:"))]
    return (causes or lines or ["failed"])[-1]
