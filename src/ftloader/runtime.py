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
    for line in (_read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


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


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None
