"""The CPU set of a run: one logical CPU per physical core, chosen once and held by every process.

Two threads on one physical core share its execution units and would be measured as two cores that
scale badly; so a run uses one logical CPU of each. Where there are more than a few cores one is
left to the system. Where the kernel does not show which CPUs share a core, all usable ones are
taken, and the result file says so. Nothing is refused for want of topology.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import runtime
from ..errors import DataError, MeasurementError

_SYSTEM = "/sys/devices/system/cpu"
_LEAVE_ONE_OVER = 4


@dataclass(frozen=True)
class CpuSet:
    """Where a run's processes stay.

    Attributes:
        cpus: logical CPUs in ascending order; empty where processes cannot be pinned.
        how: how they were chosen, as half a sentence.
    """

    cpus: tuple[int, ...]
    how: str

    @property
    def size(self) -> int:
        """How many threads can run at once."""
        return len(self.cpus) or runtime.usable_cores()

    def describe(self) -> str:
        """Return the run's opening words on it."""
        words = f"CPUs {listed(self.cpus)} ({self.how})" if self.cpus else self.how
        quota = runtime.cgroup_cpu_quota()
        return words + (_short_of(quota) if quota is not None and quota < self.size else "")


def available() -> tuple[int, ...]:
    """Return the logical CPUs that this process may run on; empty where nobody can tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def choose(
    available: Collection[int], leave_one_over: int = _LEAVE_ONE_OVER, root: str = ""
) -> tuple[int, ...]:
    """Choose one logical CPU per physical core, the lowest of each.

    Of more than ``leave_one_over`` cores the first is left out: it serves most interrupts, and
    the system needs one.

    Args:
        available: the logical CPUs to choose from.
        leave_one_over: number of cores that are all used.
        root: put before every path that is read; for tests.

    Returns:
        The chosen CPUs in ascending order; all of them where the cores are not known.
    """
    cores = physical_cores(available, root)
    chosen = sorted(min(together) for together in cores) if cores else sorted(available)
    return tuple(chosen[1:] if len(chosen) > leave_one_over else chosen)


def physical_cores(available: Collection[int], root: str = "") -> list[frozenset[int]]:
    """Return the available CPUs grouped by physical core; empty where the kernel does not say."""
    groups = set()
    for cpu in available:
        folder = f"{root}{_SYSTEM}/cpu{cpu}/topology"
        # The second is the name before Linux 5.3.
        text = _read(f"{folder}/core_cpus_list") or _read(f"{folder}/thread_siblings_list")
        if not text:
            return []
        groups.add(frozenset(parse(text)) & frozenset(available))
    return sorted(groups, key=min)


def of_run(asked: str | None = None, root: str = "") -> CpuSet:
    """Return the CPU set of a run.

    Args:
        asked: what the command line says: a list such as ``"0-3,8"``, ``"all"``, or nothing.
        root: put before every path that is read; for tests.

    Raises:
        DataError: the list cannot be read, or names CPUs that this process may not use.
    """
    usable = available()
    if not usable:
        if asked is not None:
            raise DataError("--cpus: processes cannot be pinned to CPUs on this system; leave it")
        return CpuSet((), "all CPUs; processes cannot be pinned on this system")
    if asked == "all":
        return CpuSet(usable, "all usable, as asked")
    if asked is not None:
        return CpuSet(_named(asked, usable), "as asked")
    chosen, cores = choose(usable, root=root), physical_cores(usable, root)
    if not cores:
        left = ", one left to the system" if len(chosen) < len(usable) else ""
        return CpuSet(chosen, f"all usable; which of them share a core is not known{left}")
    left = ", the first core left to the system" if len(chosen) < len(cores) else ""
    return CpuSet(chosen, f"one per physical core{left}")


def pin(cpus: Sequence[int]) -> None:
    """Keep this process, and what it starts, on some logical CPUs; nothing where there are none.

    Thread safety: threads that exist already stay where they are, so call it before any starts.

    Raises:
        MeasurementError: the system did not do it.
    """
    if not cpus:
        return
    try:
        os.sched_setaffinity(0, cpus)
    except (OSError, AttributeError) as error:
        raise MeasurementError(f"cannot pin to CPUs {listed(cpus)}: {error}") from error
    assert_pinned(cpus, "after pinning")


def assert_pinned(cpus: Sequence[int], moment: str) -> None:
    """Check that this process is on exactly these CPUs; nothing where there are none.

    Raises:
        MeasurementError: it is on others.
    """
    if cpus and available() != tuple(sorted(cpus)):
        raise MeasurementError(
            f"pinned to CPUs {listed(cpus)} but on {listed(available())} {moment}; an imported "
            "package or the experiment moves the process (OpenMP and numactl do), or the "
            "container does; the run is refused"
        )


def facts(chosen: CpuSet, root: str = "") -> dict[str, Any]:
    """Return what a result file's header says of the CPU set; see ``results``."""
    cores = physical_cores(available(), root)
    return {
        "cores": chosen.size,
        "cpus": list(chosen.cpus),
        "cpus_how": chosen.how,
        "available": len(available()) or os.cpu_count() or 1,
        "physical_cores": len(cores) or None,
        "budget": min(float(chosen.size), runtime.cpu_budget()),
        "quota": runtime.cgroup_cpu_quota(),
        "smt": {"1": "on", "0": "off"}.get(_read(f"{root}{_SYSTEM}/smt/active"), ""),
        "governor": ", ".join(_governors(chosen.cpus or available(), root)),
        "turbo": _turbo(root),
    }


def shown(machine: Mapping[str, Any]) -> str:
    """Return what a report adds to a header's number of cores: where the processes stayed.

    Files before 1.3 say nothing of a set, and of a quota only what it leaves.
    """
    quota = machine.get("quota", machine["budget"])
    short = _short_of(quota) if quota is not None and quota < machine["cores"] else ""
    if "cpus" not in machine:
        return short
    words = f"every process on CPUs {listed(machine['cpus'])}, " if machine["cpus"] else ""
    return f"; {words}{machine['cpus_how']}{short}"


def listed(cpus: Collection[int]) -> str:
    """Write CPUs as the kernel does: ``0-3,8``."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][-1] == cpu - 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


def parse(text: str) -> list[int]:
    """Read a list of CPUs as the kernel writes it.

    Raises:
        ValueError: it is no such list.
    """
    found: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        low, high = int(first), int(last if dash else first)
        if low < 0 or high < low:
            raise ValueError(f"{part!r} is not a range of CPUs")
        found += range(low, high + 1)
    return found


def _named(asked: str, usable: Sequence[int]) -> tuple[int, ...]:
    try:
        cpus = tuple(sorted(set(parse(asked))))
    except ValueError:
        raise DataError(f"--cpus {asked}: give a list such as 0-3,8, or all") from None
    others = set(cpus) - set(usable)
    if others:
        raise DataError(
            f"--cpus {asked}: this process may not use {listed(others)}, only {listed(usable)}"
        )
    return cpus


def _short_of(quota: float) -> str:
    return (
        f"; the container's CPU quota of {quota:g} cores is less than that, so threads beyond it "
        "are throttled"
    )


def _governors(cpus: Sequence[int], root: str) -> list[str]:
    found = {_read(f"{root}{_SYSTEM}/cpu{cpu}/cpufreq/scaling_governor") for cpu in cpus}
    return sorted(name for name in found if name)


def _turbo(root: str) -> str:
    off = _read(f"{root}{_SYSTEM}/intel_pstate/no_turbo")
    if off:
        return "off" if off == "1" else "on"
    return {"1": "on", "0": "off"}.get(_read(f"{root}{_SYSTEM}/cpufreq/boost"), "")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
