"""Arms: one interpreter in one GIL mode, and the assertion that a process really runs in it.

An arm is asked for from outside (interpreter path and ``PYTHON_GIL``) and asserted from inside,
before and after the timed part, because one import can turn the GIL on. An arm that is not what
it was asked to be is an error, never a data point.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import runtime
from ..errors import ArmError

# One thread each: native pools under the loader's threads would be measured instead of them.
NATIVE_POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_PROBE = "from ftloader.lab import arms; arms.print_identity()"
_PROBE_SECONDS = 60
_FLAG_LABELS = {
    "optimisation": "compiler options",
    "pgo": "PGO",
    "lto": "LTO",
    "shared_library": "shared libpython",
}
_YES_NO = {"true": "yes", "false": "no", "": "none"}


@dataclass(frozen=True)
class Arm:
    """An interpreter in a GIL mode.

    Attributes:
        name: such as ``"3.12"`` or ``"3.13t GIL off"``.
        version: full version, such as ``"3.13.15"``.
        free_threaded: whether the interpreter was built without the GIL.
        gil: whether the GIL must be on.
        flags: build settings that change speed.
    """

    name: str
    version: str
    free_threaded: bool
    gil: bool
    flags: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the arm as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Arm:
        """Make an arm from what :meth:`to_json` returned."""
        return cls(**{name: record[name] for name in cls.__dataclass_fields__})


def identity() -> dict[str, Any]:
    """Return what this process is: version, build, GIL state now, build flags."""
    return {
        "version": ".".join(str(part) for part in sys.version_info[:3]),
        "free_threaded": runtime.free_threaded_build(),
        "gil": runtime.gil_enabled(),
        "flags": runtime.build_flags(),
    }


def print_identity() -> None:
    """Print :func:`identity` and the interpreter's short name as one line of JSON."""
    print(json.dumps({**identity(), "name": runtime.interpreter_name()}))


def assert_arm(arm: Arm, moment: str, now: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Check that a process is the arm it was asked to be, and return its identity.

    Args:
        arm: what was asked for.
        moment: when this is, for the message: ``"before timing"``, ``"after timing"``.
        now: an identity recorded earlier; this process's by default.

    Raises:
        ArmError: version, build or GIL state differ.
    """
    found = dict(now) if now is not None else identity()
    if bool(found["gil"]) != arm.gil:
        state = "on" if found["gil"] else "off"
        asked = "on" if arm.gil else "off"
        cause = ""
        if found["gil"] and arm.free_threaded:
            cause = "; an imported extension module or PYTHON_GIL turned it on"
        raise ArmError(f"arm {arm.name}: the GIL is {state} {moment}, must be {asked}{cause}")
    for what in ("version", "free_threaded"):
        if found[what] != getattr(arm, what):
            raise ArmError(
                f"arm {arm.name}: {what} is {found[what]} {moment}, must be {getattr(arm, what)}"
            )
    return found


def environment(arm: Arm) -> dict[str, str]:
    """Return the environment of a process in this arm."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
    if arm.free_threaded:
        env["PYTHON_GIL"] = "1" if arm.gil else "0"
    env.update(dict.fromkeys(NATIVE_POOLS, "1"))
    env["PYTHONUNBUFFERED"] = "1"
    return env


def probe(interpreter: Path) -> list[Arm]:
    """Ask an interpreter what it is and return its arms: one with a GIL build, two without.

    Raises:
        ArmError: it does not start, or cannot import ftloader.
    """
    env = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
    try:
        done = subprocess.run(
            [str(interpreter), "-c", _PROBE],
            env=env,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArmError(f"interpreter {interpreter} cannot be run: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ArmError(f"interpreter {interpreter} cannot run ftloader: {last}")
    facts = json.loads(done.stdout)
    name = str(facts["name"])

    def arm(label: str, gil: bool) -> Arm:
        return Arm(label, facts["version"], facts["free_threaded"], gil, facts["flags"])

    if not facts["free_threaded"]:
        return [arm(name, True)]
    return [arm(f"{name} GIL off", False), arm(f"{name} GIL on", True)]


def flag_differences(one: Arm, other: Arm) -> str:
    """Name the build flags in which two arms differ, or return an empty string."""
    parts = []
    for name in sorted(one.flags.keys() | other.flags.keys()):
        mine, its = one.flags.get(name, "unknown"), other.flags.get(name, "unknown")
        if mine != its:
            label = _FLAG_LABELS.get(name, name)
            parts.append(f"{label}: {_YES_NO.get(mine, mine)} / {_YES_NO.get(its, its)}")
    return ", ".join(parts)
