"""How much memory a block of code took at its peak: on a CUDA device, or resident on the host.

On CUDA the numbers are the caching allocator's own counters and exact. On the host they are what
the kernel counts for the whole process, so whatever other threads do in the meantime counts too.
"""

from __future__ import annotations

import ctypes
import gc
import os
from types import TracebackType
from typing import Any, Final, Self

import torch

from ftloader.errors import MeasurementError

_STATUS: Final = "/proc/self/status"
_CLEAR_REFS: Final = "/proc/self/clear_refs"
#: What `proc_pid_clear_refs(5)` calls "reset the peak resident set size".
_RESET_PEAK: Final = "5"
#: Options of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Allocations from here on go back to the system when they are freed.
_DIRECT_FROM: Final = 64 << 10
#: Where glibc's own, growing threshold stops on 64-bit machines.
_GLIBC_MOST: Final = 32 << 20


class PeakMemory:
    """Measures the peak while a block runs: ``with PeakMemory(device) as peak: step()``.

    On CUDA, pending work is waited for at both ends. On the host, garbage is collected and freed
    memory given back to the system first, so that the peak does not depend on what ran before.

    Args:
        device: what ``torch.device`` takes; ``None`` is CUDA where there is one, else the host.

    Attributes:
        before: bytes at the start of the block: allocated (CUDA) or resident (host).
        bytes: the peak while the block ran, what was there before included.
        reserved: the peak that the caching allocator held (CUDA); the same as ``bytes`` on a host.

    Raises:
        MeasurementError: the peak cannot be measured here.

    Thread safety: one block at a time in a process; the peaks are the process's.
    """

    def __init__(self, device: Any = None) -> None:
        self.device = chosen_device(device)
        self.before = self.bytes = self.reserved = 0

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            self.before = int(torch.cuda.memory_allocated(self.device))
        else:
            release_freed()
            reset_host_peak()
            self.before = resident_bytes()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            self.bytes = int(torch.cuda.max_memory_allocated(self.device))
            self.reserved = int(torch.cuda.max_memory_reserved(self.device))
        else:
            self.bytes = self.reserved = host_peak()


class SteadyAllocator:
    """Makes glibc give large blocks back as soon as they are freed, while the block runs.

    Otherwise it keeps what training frees, in amounts that depend on the order of past sizes, and
    runs of one step differ by a tenth. glibc cannot tell its settings: on leaving, they become what
    its own adaptive rule ends at in a process with large arrays. Other allocators (jemalloc, musl)
    are left alone.

    Thread safety: the setting is the process's.
    """

    def __enter__(self) -> Self:
        _mallopt(_MMAP_THRESHOLD, _DIRECT_FROM)
        _mallopt(_TRIM_THRESHOLD, _DIRECT_FROM)
        return self

    def __exit__(self, *_: object) -> None:
        _mallopt(_MMAP_THRESHOLD, _GLIBC_MOST)
        _mallopt(_TRIM_THRESHOLD, 2 * _GLIBC_MOST)


def chosen_device(device: Any = None) -> Any:
    """Return a ``torch.device``: the one asked for, else CUDA where there is one, else the host.

    Raises:
        MeasurementError: memory of this kind of device cannot be measured.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type not in ("cpu", "cuda"):
        raise MeasurementError(f"peak memory is measured on cpu and cuda, not on {chosen}")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise MeasurementError(f"{chosen}: there is no CUDA device here")
    return chosen


def resident_bytes() -> int:
    """Return the bytes of this process that are in memory now.

    Raises:
        MeasurementError: there is no /proc.
    """
    return _status("VmRSS")


def host_peak() -> int:
    """Return the most bytes this process had in memory since :func:`reset_host_peak`.

    Raises:
        MeasurementError: there is no /proc.
    """
    return _status("VmHWM")


def reset_host_peak() -> None:
    """Start the count of :func:`host_peak` anew.

    Raises:
        MeasurementError: the kernel does not let this process do it.
    """
    try:
        with open(_CLEAR_REFS, "w", encoding="ascii") as file:
            file.write(_RESET_PEAK)
    except OSError as error:
        raise MeasurementError(
            f"the peak of resident memory cannot be reset ({error}); measuring on the host needs "
            f"Linux and a writable {_CLEAR_REFS}"
        ) from error


def release_freed() -> None:
    """Collect garbage and give freed memory back to the system, where the allocator can."""
    gc.collect()
    trim = _libc("malloc_trim")
    if trim is not None:
        trim(0)


def _status(key: str) -> int:
    try:
        with open(_STATUS, encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
    except OSError as error:
        raise MeasurementError(f"resident memory cannot be read: {error}") from error
    raise MeasurementError(f"resident memory cannot be read: no {key} in {_STATUS}")


def _mallopt(option: int, value: int) -> None:
    setting = _libc("mallopt")
    if setting is not None:
        setting(option, value)


def _libc(name: str) -> Any:
    if os.name != "posix":
        return None
    return getattr(ctypes.CDLL(None), name, None)
