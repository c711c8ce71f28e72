"""Facts about the interpreter and the machine, read in one place.

Everything here is a question, never a setting: calling it changes nothing. Values are read when
asked for, because an import can turn the GIL on and a container can change its limits.
"""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from pathlib import Path


def gil_enabled() -> bool:
    """Tell whether the GIL is on now (always true on a build that has no choice)."""
    probe = getattr(sys, "_is_gil_enabled", None)
    return True if probe is None else bool(probe())


def free_threaded_build() -> bool:
    """Tell whether this interpreter was built with ``--disable-gil``."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def interpreter_name() -> str:
    """Return the interpreter's short name, such as ``"3.12"`` or ``"3.13t"``."""
    suffix = "t" if free_threaded_build() else ""
    return f"{sys.version_info.major}.{sys.version_info.minor}{suffix}"


def usable_cores() -> int:
    """Return the number of cores this process may run on (its affinity mask)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def cpu_budget() -> float:
    """Return the cores this process may keep busy: affinity, cut by the container's CPU quota."""
    quota = cgroup_cpu_quota()
    cores = float(usable_cores())
    return cores if quota is None else min(cores, quota)


def cgroup_cpu_quota() -> float | None:
    """Return the container's CPU quota in cores (cgroup v2 or v1), or ``None`` without one."""
    text = _read("/sys/fs/cgroup/cpu.max")
    if text is not None:
        quota, _, period = text.partition(" ")
        return None if quota == "max" else int(quota) / int(period)
    quota_us = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period_us = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota_us is None or period_us is None or int(quota_us) <= 0:
        return None
    return int(quota_us) / int(period_us)


def cgroup_memory_limit() -> int | None:
    """Return the container's memory limit in bytes, or ``None`` where there is none."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(path)
        # cgroup v1 writes a huge number for "no limit".
        if text is not None and text != "max" and int(text) < 1 << 60:
            return int(text)
    return None


def memory_total() -> int | None:
    """Return the machine's memory in bytes, or ``None`` where /proc does not tell."""
    return _kilobytes(_read("/proc/meminfo"), "MemTotal")


def memory_available(root: str = "") -> int | None:
    """Return the bytes that new allocations can have before the machine swaps (``MemAvailable``).

    Args:
        root: put before every path that is read; for tests.
    """
    return _kilobytes(_read(f"{root}/proc/meminfo"), "MemAvailable")


def cgroup_memory_left(root: str = "") -> dict[str, int]:
    """Return what the container's memory limits leave: folder of the limit -> bytes.

    A process is in one group per hierarchy, and every group above it limits it too. File pages that
    the kernel would drop first (inactive) count as free. Groups without a limit are left out; an
    empty answer means that there is none. Both cgroup v2 and v1 are read.

    Args:
        root: put before every path that is read; for tests.
    """
    left = {}
    for line in (_read(f"{root}/proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            # "unified" is where v2 is beside v1.
            tops, names = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], _CGROUP_V2
        elif "memory" in controllers.split(","):
            tops, names = ["/sys/fs/cgroup/memory"], _CGROUP_V1
        else:
            continue
        for top in tops:
            for group in _ancestors(path):
                there = _group_left(f"{root}{top}{group}", *names)
                if there is not None:
                    left[f"{top}{group}"] = there
    return left


def process_memory_left(root: str = "") -> dict[str, int]:
    """Return what this process's own limits (``ulimit``) leave: name of the limit -> bytes.

    Args:
        root: put before every path that is read; for tests.
    """
    status = _read(f"{root}/proc/self/status")
    limits = (_read(f"{root}/proc/self/limits") or "").splitlines()
    left = {}
    for name, label, key in (
        ("RLIMIT_AS", "Max address space", "VmSize"),
        ("RLIMIT_DATA", "Max data size", "VmData"),
    ):
        used = _kilobytes(status, key)
        soft = [line[len(label) :].split()[0] for line in limits if line.startswith(label)]
        if soft and soft[0] != "unlimited" and used is not None:
            left[name] = max(0, int(soft[0]) - used)
    return left


def cpu_model() -> str:
    """Return the processor's name as the kernel gives it."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def build_flags() -> dict[str, str]:
    """Return the build settings that change speed; arms that differ in them do not compare."""
    args = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return {
        "optimisation": str(sysconfig.get_config_var("OPT") or ""),
        "pgo": str("--enable-optimizations" in args).lower(),
        "lto": str("--with-lto" in args).lower(),
        "shared_library": str(bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))).lower(),
    }


#: Files of a group: its limit, what it uses, and in memory.stat the pages that can be dropped.
_CGROUP_V2 = ("memory.max", "memory.current", "inactive_file")
_CGROUP_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _group_left(folder: str, limit: str, usage: str, droppable: str) -> int | None:
    most, used = _read(f"{folder}/{limit}"), _read(f"{folder}/{usage}")
    # cgroup v1 writes a huge number for "no limit".
    if most is None or used is None or most == "max" or int(most) >= 1 << 60:
        return None
    free = 0
    for line in (_read(f"{folder}/memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == droppable:
            free = int(value)
    return min(int(most), max(0, int(most) - int(used) + free))


def _ancestors(path: str) -> list[str]:
    """Return a group's path and those of all groups above it; the root's is empty."""
    # A container may see its own group as the root while this path is the host's.
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return ["".join(f"/{part}" for part in parts[:depth]) for depth in range(len(parts), -1, -1)]


def _kilobytes(text: str | None, key: str) -> int | None:
    for line in (text or "").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None
