"""Asks a candidate what it is, by running it; nothing is believed from a file's name.

A candidate can be a pyenv shim that exits with 127, another version, another implementation, or a
script that never answers. Each becomes a reason in one line; none of them raises or hangs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple, Union

from .table import Interpreter

TIMEOUT_S = 10.0

_MARK = "ftloader-probe:"
_QUESTION = """
import json, sys, sysconfig
base = sys.executable
if sys.prefix != sys.base_prefix:
    base = getattr(sys, "_base_executable", base)
print("ftloader-probe:" + json.dumps({
    "executable": base,
    "version": list(sys.version_info[:3]),
    "level": sys.version_info[3],
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "implementation": sys.implementation.name,
    "flags": {
        "compiler options": sysconfig.get_config_var("OPT") or "",
        "PGO": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "LTO": "--with-lto" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "shared libpython": bool(sysconfig.get_config_var("Py_ENABLE_SHARED")),
    },
}))
"""


@dataclass(frozen=True)
class Found:
    """A candidate that answered.

    Attributes:
        path: the interpreter itself (of a virtual environment: the one it was made from).
        version: major, minor, micro.
        free_threaded: whether it was built with ``--disable-gil``.
        release: false for alphas, betas and release candidates.
        implementation: ``"cpython"``, or another.
        origin: where it was found, in words.
        flags: the build settings that change speed, by name; the laboratory compares the same
            ones (``ftloader.runtime.build_flags``), but only once packages are installed.
    """

    path: str
    version: Tuple[int, int, int]
    free_threaded: bool
    release: bool
    implementation: str
    origin: str
    flags: Tuple[Tuple[str, object], ...] = ()

    @property
    def number(self) -> str:
        """Version without a suffix, such as ``"3.13.5"``."""
        return ".".join(map(str, self.version))

    @property
    def full_version(self) -> str:
        """Version with the ``t`` of a free-threaded build, such as ``"3.13.5t"``."""
        return self.number + ("t" if self.free_threaded else "")


def clean_environment() -> Dict[str, str]:
    """Return the environment without what would change which Python answers, or how."""
    dropped = ("PYTHONHOME", "PYTHONPATH", "PYTHON_GIL", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
    return {key: value for key, value in os.environ.items() if key not in dropped}


def ask(path: str, origin: str, timeout: float = TIMEOUT_S) -> Union[Found, str]:
    """Run one candidate and return what it is, or the reason why it is none."""
    try:
        status, text = _run([path, "-I", "-c", _QUESTION], timeout)
    except OSError as error:
        return error.strerror or "does not start"
    if status is None:
        return f"no answer within {timeout:g} s"
    line = next((line for line in text.splitlines() if line.startswith(_MARK)), None)
    if status != 0 or line is None:
        return f"fails with exit {status}" if status else "does not answer as Python does"
    facts = json.loads(line[len(_MARK) :])
    return Found(
        path=facts["executable"],
        version=tuple(facts["version"]),
        free_threaded=facts["free_threaded"],
        release=facts["level"] == "final",
        implementation=facts["implementation"],
        origin=origin,
        flags=tuple(sorted(facts["flags"].items())),
    )


def mismatch(found: Found, wanted: Interpreter) -> Optional[str]:
    """Return why ``found`` is not ``wanted``, or ``None`` where it is."""
    if found.implementation != "cpython":
        return f"is {found.implementation}, not CPython"
    if found.version[:2] != wanted.version or found.free_threaded != wanted.free_threaded:
        return f"is {found.full_version}"
    if not found.release:
        return f"is a pre-release of {found.full_version}"
    if wanted.exact and found.number != wanted.release:
        return f"is {found.full_version}, not {wanted.release}"
    return None


def differing_flags(one: Found, other: Found) -> str:
    """Name the build settings in which two differ, or return an empty string."""
    its = dict(other.flags)
    return ", ".join(name for name, value in one.flags if its.get(name) != value)


def _run(command: List[str], timeout: float) -> Tuple[Optional[int], str]:
    """Run a command in a group of its own, so that a time-out ends its children too."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
