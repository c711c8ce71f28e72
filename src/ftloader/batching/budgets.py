"""Memory budgets: read from text, or found out from what the host leaves to this process.

A budget from the machine is a number of this moment and this machine: the plan made with it is the
same elsewhere only if the budget is. Put the number into the configuration of a run that must be
repeatable.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final, NamedTuple

from ftloader import runtime
from ftloader.errors import PlanError

_UNITS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        **{f"{p}b": (1000**i, "bytes") for i, p in enumerate(("", "k", "m", "g", "t"))},
        **{f"{p}ib": (1024**i, "bytes") for i, p in enumerate(("k", "m", "g", "t"), 1)},
        **{f"{p}px": (1000**i, "pixels") for i, p in enumerate(("", "k", "m", "g"))},
    }
)
_AMOUNT: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", re.ASCII)
_EXAMPLES: Final = "such as 6GiB, 800MB or 8.6Mpx"


class Amount(NamedTuple):
    """A budget and what it counts.

    Attributes:
        value: at least 1.
        unit: ``"bytes"`` or ``"pixels"``, as cost models name it.
    """

    value: int
    unit: str


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget that was found out, and where it comes from.

    Attributes:
        bytes: of this process.
        source: which limit was the tightest, and what was taken of it; for people.
        candidates: every limit found -> bytes it leaves, all processes of the machine together.
    """

    bytes: int
    source: str
    candidates: Mapping[str, int]


def parse_budget(text: str | int, unit: str = "bytes") -> Amount:
    """Read a budget such as ``"6GiB"``, ``"800MB"``, ``"8.6Mpx"`` or a plain number.

    Units are case-blind: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024),
    px, kpx, Mpx, Gpx (powers of 1000). Parts of a byte or pixel are cut off.

    Args:
        text: the budget.
        unit: what a number without a unit counts: ``"bytes"`` or ``"pixels"``.

    Raises:
        PlanError: it is no budget, or less than 1.
    """
    if unit not in ("bytes", "pixels"):
        raise PlanError(f"a budget counts bytes or pixels, not {unit!r}")
    if isinstance(text, bool) or not isinstance(text, (str, int)):
        raise PlanError(f"budget: a whole number or text {_EXAMPLES}, not {text!r}")
    match = _AMOUNT.fullmatch(str(text)[:100])
    if match is None:
        raise PlanError(f"budget: a number and a unit {_EXAMPLES}, not {text!r}")
    number, name = match.groups()
    factor, counted = _UNITS.get(name.lower(), (1, unit))
    if name and name.lower() not in _UNITS:
        raise PlanError(f"budget {text!r}: {_unknown(name)}")
    value = int(Fraction(number) * factor)
    if value < 1:
        raise PlanError(f"budget {text!r}: nothing fits into {value} {counted}")
    return Amount(value, counted)


def host_budget(
    fraction: float = 0.5,
    local_world_size: int | None = None,
    *,
    reserve: int = 0,
    root: str = "",
) -> Budget:
    """Find out how much host memory this process may plan with.

    The tightest of: memory available on the machine (``/proc/meminfo``, or psutil where that is
    installed), what each container limit leaves (cgroup v2 and v1, all groups above too), and what
    the limits of the process leave; a fraction of it, shared by the processes of this machine.

    Args:
        fraction: of the memory left that may be used, above 0 and up to 1.
        local_world_size: training processes on this machine; ``None``: the environment variable
            ``LOCAL_WORLD_SIZE``, which torchrun sets, else 1.
        reserve: bytes of this process's share to leave to others of its purposes.
        root: put before every path that is read; for tests.

    Raises:
        PlanError: an option cannot be, nothing tells how much memory there is, or none is left.
    """
    require_fraction(fraction)
    if reserve < 0:
        raise PlanError(f"reserve must be a number of bytes from 0 on, not {reserve}")
    ranks = _local_world_size() if local_world_size is None else local_world_size
    if ranks < 1:
        raise PlanError(f"local_world_size must be at least 1, not {ranks}")
    candidates = _candidates(root)
    if not candidates:
        raise PlanError(
            "nothing tells how much memory this process may use: give the budget itself"
        )
    tightest = min(candidates, key=lambda name: (candidates[name], name))
    value = int(Fraction(fraction) * candidates[tightest] / ranks) - reserve
    source = f"{fraction:g} of {candidates[tightest]} bytes left by {tightest}"
    source += f", shared by {ranks} processes" if ranks > 1 else ""
    source += f", less {reserve}" if reserve else ""
    if value < 1:
        raise PlanError(f"no memory left to plan with: {source}")
    return Budget(value, source, MappingProxyType(candidates))


def require_fraction(fraction: float) -> None:
    """Refuse what is no fraction of memory.

    Raises:
        PlanError: it is not above 0 and up to 1.
    """
    if not 0 < fraction <= 1:
        raise PlanError(f"the fraction of memory must be above 0 and up to 1, not {fraction}")


def _candidates(root: str) -> dict[str, int]:
    found = runtime.cgroup_memory_left(root) | runtime.process_memory_left(root)
    available = runtime.memory_available(root)
    if available is not None:
        found["MemAvailable"] = available
    # psutil reads the machine itself.
    asked = _psutil_available() if not root else None
    if asked is not None:
        found["psutil"] = asked
    return found


def _psutil_available() -> int | None:
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def _local_world_size() -> int:
    text = os.environ.get("LOCAL_WORLD_SIZE", "1")
    if not (text.isascii() and text.isdigit()):
        raise PlanError(f"LOCAL_WORLD_SIZE must be a number of processes, not {text!r}")
    return int(text)


def _unknown(name: str) -> str:
    if name.lower() in ("k", "m", "g", "t"):
        letter = name.upper()
        return f"{letter}B (powers of 1000) or {letter}iB (powers of 1024)?"
    return f"no unit {name!r}; known are B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, px, kpx, Mpx, Gpx"
