"""Who else computes on this machine: a measurement among busy neighbours is about them too."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..runtime import usable_cores


class Neighbours:
    """Watches, from when it is made, how many cores other processes and the hypervisor take."""

    def __init__(self) -> None:
        self._begin = _now()

    def cores(self) -> float | None:
        """Return the cores that others took on average, or ``None`` where that cannot be told."""
        end = _now()
        if self._begin is None or end is None or end[0] <= self._begin[0]:
            return None
        elapsed, machine, own = (new - old for new, old in zip(end, self._begin, strict=True))
        return max(0.0, (machine - own) / elapsed)


def _now() -> tuple[float, float, float] | None:
    """Return the time, and the CPU seconds used so far on the machine and by this process."""
    if usable_cores() != os.cpu_count():
        return None  # what others do on the cores that are not ours does not matter
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, line.split()[1:9])
    except (OSError, ValueError):
        return None
    ticks = user + nice + system + interrupts + soft + stolen
    return time.perf_counter(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time()
