"""Memory and CPU time of a process with all of its descendants, from Linux's ``/proc``.

Processes may start and end while they are looked at. What is summed is looked at again until it
was the same processes before and after, so that none is missed and none counted twice. A process
whose parent ended before it belongs to init's tree from then on, and is not seen here.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import MeasurementError

_PROC = Path("/proc")
_TRIES = 10
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")
#: Where the files behind shared memory are: POSIX's, and Linux's without a name.
_SHARED = ("/dev/shm/", "/memfd:")


class _Process(NamedTuple):
    """A line of ``/proc/PID/stat``, as far as it is needed here."""

    pid: int
    parent: int
    living: bool  # a zombie is not, but its CPU time is nobody else's yet
    start: int
    reaped: int  # ticks of CPU time of descendants that were waited for


def pids(root: int | None = None) -> tuple[int, ...]:
    """Return a process and all of its living descendants, by number.

    Args:
        root: a process; this one by default.

    Raises:
        MeasurementError: there is no such process, or this is not Linux.
    """
    return tuple(sorted(process.pid for process in _tree(root) if process.living))


def pss(root: int | None = None) -> int | None:
    """Return the proportional set size of a process and its living descendants, bytes.

    A page that several processes map counts once if all of them are in the tree, and by the
    tree's share of them otherwise. Shared memory that nobody maps does not count; see
    :func:`unmapped`.

    Args:
        root: a process; this one by default.

    Returns:
        The sum of ``Pss`` in ``/proc/PID/smaps_rollup``; None where that cannot be read.

    Raises:
        MeasurementError: there is no such process.
    """
    found = _sum(root, _pss_of) if sys.platform == "linux" else None
    return None if found is None else int(found)


def unmapped(root: int | None = None) -> int | None:
    """Return the shared memory that a tree holds open and none of its processes maps, bytes.

    Such as batches that one process has finished and the other has not taken yet.

    Args:
        root: a process; this one by default.

    Returns:
        Pages of files in ``/dev/shm`` and of ``memfd_create``, each file once; None where it
        cannot be read.

    Raises:
        MeasurementError: there is no such process.
    """
    opened: dict[tuple[int, int], int] = {}
    mapped: set[tuple[int, int]] = set()

    def look(process: _Process) -> int:
        opened.update(_open_shared(process.pid))
        mapped.update(_mapped(process.pid))
        return 0

    if sys.platform != "linux" or _sum(root, look) is None:
        return None
    return sum(size for file, size in opened.items() if file not in mapped)


def cpu_seconds(root: int | None = None) -> float:
    """Return the CPU time that a process and its descendants have used, user and system.

    That of descendants which have ended counts too, whether they were waited for or not. Precise
    to a microsecond for what lives, to some ticks of 10 ms for children of children that ended.

    Args:
        root: a process; this one by default.

    Raises:
        MeasurementError: there is no such process, or this is not Linux.
    """
    used = _sum(root, _cpu_of)
    if used is None:  # anybody may read it, but a sandbox may think otherwise
        raise MeasurementError("the CPU time of processes cannot be read here (permission denied)")
    return used


def _sum(root: int | None, of: Callable[[_Process], float]) -> float | None:
    """Add up over a tree that stays the same meanwhile; None where something may not be read."""
    total: float = 0
    for _ in range(_TRIES):
        before = _tree(root)
        try:
            total = sum(of(process) for process in before)
        except PermissionError:
            return None
        if _tree(root) == before:
            break
    # Where processes come and go all the time, the last sum is as good as any.
    return total


def _tree(root: int | None) -> list[_Process]:
    """Return a process and its descendants, each parent before its children."""
    if sys.platform != "linux":
        raise MeasurementError("process trees are read from /proc, which only Linux has")
    wanted = os.getpid() if root is None else root
    children: dict[int, list[_Process]] = {}
    found: list[_Process] = []
    for process in _all():
        children.setdefault(process.parent, []).append(process)
        if process.pid == wanted:
            found.append(process)
    if not found:
        raise MeasurementError(f"there is no process {wanted}; it has ended, or never was")
    for process in found:  # grows meanwhile
        found += children.get(process.pid, [])
    return found


def _all() -> Iterator[_Process]:
    for name in os.listdir(_PROC):
        if name.isdecimal():
            try:
                text = (_PROC / name / "stat").read_text(encoding="utf-8", errors="replace")
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
            # The name is in parentheses and may hold anything, spaces and parentheses too.
            fields = text[text.rindex(")") + 2 :].split()
            state, parent, start = fields[0], int(fields[1]), int(fields[19])
            reaped = int(fields[13]) + int(fields[14])
            yield _Process(int(name), parent, state not in "ZX", start, reaped)


def _pss_of(process: _Process) -> int:
    try:
        text = (_PROC / str(process.pid) / "smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # A process that has let go of its memory has no such line.
    lines = [line for line in text.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) * 1024 for line in lines)


def _cpu_of(process: _Process) -> float:
    own = process.pid == os.getpid()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    reaped = children.ru_utime + children.ru_stime if own else process.reaped * _TICK
    try:
        # The CPU-time clock of another process, as clock_getcpuclockid(3) makes it.
        return reaped + time.clock_gettime((~process.pid << 3) | 2)
    except OSError:  # it ended meanwhile, and is looked for again
        return reaped


def _open_shared(pid: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield device and inode, and bytes, of the shared memory that a process holds open."""
    try:
        for entry in os.scandir(_PROC / str(pid) / "fd"):
            try:
                if os.readlink(entry.path).startswith(_SHARED):
                    file = os.stat(entry.path)
                    yield (file.st_dev, file.st_ino), file.st_blocks * 512
            except FileNotFoundError:  # closed meanwhile
                continue
    except (FileNotFoundError, ProcessLookupError):
        return


def _mapped(pid: int) -> Iterator[tuple[int, int]]:
    """Yield device and inode of every file that a process maps."""
    try:
        text = (_PROC / str(pid) / "maps").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return
    for line in text.splitlines():
        _, _, _, device, inode = line.split(maxsplit=5)[:5]
        major, minor = (int(number, 16) for number in device.split(":"))
        yield os.makedev(major, minor), int(inode)
