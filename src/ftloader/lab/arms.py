"""Arms: one interpreter in one GIL mode with one kind of workers, asserted where it runs.

An arm is asked for from outside (interpreter path and ``PYTHON_GIL``) and asserted from inside,
before and after the timed part, because one import can turn the GIL on. An arm that is not what
it was asked to be is an error, never a data point.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
THREADS, PROCESSES = "threads", "processes"


@dataclass(frozen=True)
class Arm:
    """An interpreter in a GIL mode, and what kind of workers it has.

    Attributes:
        name: such as ``"3.12"`` or ``"3.13t GIL off"``.
        version: full version, such as ``"3.13.15"``.
        free_threaded: whether the interpreter was built without the GIL.
        gil: whether the GIL must be on.
        flags: build settings that change speed.
        workers: ``"threads"`` of one process, or the ``"processes"`` of a pool.
    """

    name: str
    version: str
    free_threaded: bool
    gil: bool
    flags: Mapping[str, str]
    workers: str = THREADS

    @property
    def interpreter(self) -> str:
        """The interpreter's short name, such as ``"3.13t"``."""
        return self.name.split()[0]

    @property
    def threaded(self) -> bool:
        """Whether its workers are threads."""
        return self.workers == THREADS

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, so that versions have an order; empty if it is not numbers."""
        parts = self.version.split(".")
        return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()

    @property
    def one(self) -> str:
        """One of its workers, as a noun."""
        return "thread" if self.threaded else "process"

    def counted(self, count: int) -> str:
        """Return a number of its workers with their noun, such as ``"2 threads"``."""
        return f"{count} {self.one if count == 1 else self.workers}"

    def to_json(self) -> dict[str, Any]:
        """Return the arm as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Arm:
        """Make an arm from what :meth:`to_json` returned; until 1.2 all workers were threads."""
        fields = {"workers": THREADS, **record}
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__})


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


def process_arms(arms: Sequence[Arm], asked: str) -> list[tuple[Arm, Arm]]:
    """Return the process-pool arms that were asked for, each after the arm that it goes with.

    Args:
        arms: those with threads.
        asked: ``"none"``; ``"all"`` interpreters; ``"usual"``, the oldest with a GIL and the oldest
            that can do without; or interpreters by name, such as ``"3.12,3.13t"``.

    Raises:
        ArmError: there is no such interpreter among the arms.
    """
    with_threads: dict[str, Arm] = {}
    for arm in sorted(arms, key=lambda arm: arm.gil):  # without the GIL where there is a choice
        with_threads.setdefault(arm.interpreter, arm)
    if asked == "usual":
        oldest: dict[bool, Arm] = {}
        for arm in sorted(with_threads.values(), key=lambda arm: arm.release):
            oldest.setdefault(arm.free_threaded, arm)
        chosen = [arm for arm in arms if arm in oldest.values()]
    elif asked in ("all", "none"):
        chosen = [arm for arm in arms if asked == "all" and arm in with_threads.values()]
    else:
        names = asked.split(",")
        for name in names:
            if name not in with_threads:
                raise ArmError(
                    f"--processes: no interpreter is called {name!r}; there are "
                    f"{', '.join(with_threads)} (or say all, usual or none)"
                )
        chosen = [arm for arm in arms if arm in with_threads.values() and arm.interpreter in names]
    return [
        (arm, replace(arm, name=f"{arm.name} {PROCESSES}", workers=PROCESSES)) for arm in chosen
    ]


def flag_differences(one: Arm, other: Arm) -> str:
    """Name the build flags in which two arms differ, with both values; empty if they do not."""
    parts = []
    for name, label in _differing(one, other):
        mine, its = one.flags.get(name, "unknown"), other.flags.get(name, "unknown")
        parts.append(f"{label}: {_YES_NO.get(mine, mine)} / {_YES_NO.get(its, its)}")
    return ", ".join(parts)


def not_comparable(one: Arm, other: Arm) -> str:
    """Say in a few words why a ratio of two arms does not compare like with like, or nothing."""
    labels = [label for _, label in _differing(one, other)]
    return f"not comparable: {', '.join(labels)}" if labels else ""


def _differing(one: Arm, other: Arm) -> list[tuple[str, str]]:
    names = sorted(one.flags.keys() | other.flags.keys())
    return [
        (name, _FLAG_LABELS.get(name, name))
        for name in names
        if one.flags.get(name, "unknown") != other.flags.get(name, "unknown")
    ]
