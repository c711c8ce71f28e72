"""Provenance: the facts without which a number cannot be repeated or doubted.

Read inside the measured process, before and after the timed part. No path of the machine and no
name of a person is recorded, so a result file can be committed.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import runtime
from ..errors import DataError

_PACKAGES = ("numpy", "pillow")
_PACKED = "ftloader-commit"
# Allocators, the interpreter's own switches, and libraries put in front of others.
_VARIABLES = (
    "PYTHON_GIL",
    "PYTHONMALLOC",
    "PYTHONHASHSEED",
    "PYTHON_CPU_COUNT",
    "PYTHON_TLBC",
    "GLIBC_TUNABLES",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "LD_PRELOAD",
)
# A path up to its last part.
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^/\s\"':]+/)+")
_JIFFY = 1.0 / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Return the machine: processor, cores, memory, kernel."""
    return {
        "cpu": runtime.cpu_model(),
        "cores": runtime.usable_cores(),
        "budget": runtime.cpu_budget(),
        "memory_bytes": runtime.memory_total(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "libc": "-".join(platform.libc_ver()),
        "huge_pages": _huge_pages(),
    }


def process() -> dict[str, Any]:
    """Return what does not change while this process runs, read after all imports."""
    return {
        "python": sys.version,
        "config_args": _without_paths(str(sysconfig.get_config_var("CONFIG_ARGS") or "")),
        "switch_interval": sys.getswitchinterval(),
        "gc_threshold": list(gc.get_threshold()),
        "packages": packages(),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        "source_digest": source_digest(),
        "malloc_arena_max": os.environ.get("MALLOC_ARENA_MAX", ""),
        "variables": variables(),
        "extension_modules": extension_modules(),
    }


def moment() -> dict[str, Any]:
    """Return what changes: load average, steal so far, collections so far."""
    try:
        load = [round(value, 2) for value in os.getloadavg()]
    except OSError:
        load = []
    return {
        "load": load,
        "steal_seconds": round(cpu_times().get("steal", 0.0), 2),
        "collections": [int(generation["collections"]) for generation in gc.get_stats()],
    }


def packages() -> dict[str, str]:
    """Return the versions of the packages that do the work."""
    return {name: metadata.version(name) for name in _PACKAGES}


def installed() -> dict[str, str]:
    """Return the version of every distribution that this interpreter can import, by name."""
    found: dict[str, str] = {}
    for one in metadata.distributions():
        name = one.metadata["Name"]
        if name:  # a folder may look like a distribution and have no name
            found.setdefault(name.lower(), one.version)  # the first is the one imported
    return dict(sorted(found.items()))


def installed_in(interpreter: Path) -> dict[str, str]:
    """Ask another interpreter for :func:`installed`.

    Raises:
        DataError: it does not answer.
    """
    ask = "import json; from ftloader.lab import provenance as p; print(json.dumps(p.installed()))"
    try:
        done = subprocess.run(
            [str(interpreter), "-c", ask], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DataError(f"{interpreter} does not say which packages it has: {error}") from error
    found: dict[str, str] = json.loads(done.stdout)
    return found


def variables() -> dict[str, str]:
    """Return the environment variables that change speed, as far as they are set."""
    found = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    # Where a library lies is nobody's business; which it is may be all that matters.
    return {
        name: " ".join(Path(part).name for part in value.replace(":", " ").split())
        for name, value in found.items()
    }


def extension_modules() -> list[str]:
    """Return the names of the extension modules loaded from files, sorted."""
    suffixes = (".so", ".pyd")
    names = [
        name
        for name, module in list(sys.modules.items())
        if str(getattr(module, "__file__", None) or "").endswith(suffixes)
    ]
    return sorted(names)


def source_digest() -> str:
    """Return a digest of ftloader's own source: arms that run different code do not compare."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def commit(folder: Path) -> str:
    """Return the git commit of a folder, with ``+changes`` if it differs; empty without git.

    A project packed by ``tools/bundle`` has no git: it says what it was packed from.
    """
    for above in folder.parents:
        # Asked first: a bundle may be unpacked inside somebody else's repository.
        if (above / _PACKED).is_file():
            return (above / _PACKED).read_text(encoding="utf-8").strip()
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+changes" if changes else head


def cpu_times() -> dict[str, float]:
    """Return seconds of this process's CPU set since boot: busy, steal; empty off Linux."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    mine = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    busy = steal = 0
    for line in lines:
        name, *fields = line.split()
        if name in mine and len(fields) >= 8:
            user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, fields[:8])
            busy += user + nice + system + irq + softirq
            steal += stolen
    return {"busy": busy * _JIFFY, "steal": steal * _JIFFY}


def reset_peak() -> bool:
    """Set this process's high-water mark of resident memory to what is resident now."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def resident() -> Mapping[str, int]:
    """Return resident memory in bytes, now and at its high-water mark; empty off Linux."""
    found = {}
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    for line in status.splitlines():
        for field, name in (("VmRSS:", "now"), ("VmHWM:", "peak")):
            if line.startswith(field):
                found[name] = int(line.split()[1]) * 1024
    return found


def _huge_pages() -> str:
    """Return how transparent huge pages are set; empty where the kernel does not say."""
    try:
        text = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(encoding="ascii")
    except OSError:
        return ""
    return text.partition("[")[2].partition("]")[0]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return done.stdout.strip()


def without_folders(text: str) -> str:
    """Return a text whose paths have lost their folders: where things lie is nobody's business."""
    return _FOLDERS.sub("", text)


def _without_paths(arguments: str) -> str:
    # Where an interpreter was installed says nothing about its speed.
    return " ".join(part for part in arguments.split() if "/" not in part)
