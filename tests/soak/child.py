"""One process of the soak: repeats cases and checks after each that nothing is left.

    python -m tests.soak.child SEED FIRST COUNT CASE...

A repetition that leaves something is written to the output as one JSON line, and ends the process
with 1; so is, at the end, the slowest end. A case that ends its process writes when its main thread
ended.
"""

from __future__ import annotations

import asyncio
import atexit
import faulthandler
import gc
import json
import os
import signal
import sys
import threading
import time
from typing import Any

from .cases import CASES, ENDS_PROCESS, Draw

#: Seconds in which a run must have ended once its last operation has returned.
AT_ONCE = 1.0
#: Seconds after which a repetition hangs: then all stacks are shown and the process ends.
HANG = 60.0


def main() -> int:
    seed, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # A process started in the background ignores SIGINT; these cases are about one that does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    slowest, slowest_number = 0.0, first
    for name in sys.argv[4:]:
        for number in range(first, first + count):
            faulthandler.dump_traceback_later(HANG, exit=True)
            draw = Draw(f"{seed}/{name}/{number}")
            if name in ENDS_PROCESS:
                atexit.register(lambda: print(json.dumps({"ended": time.monotonic()}), flush=True))
                ENDS_PROCESS[name][0](draw)
                return 0
            try:
                took = repeat(name, draw)
                if took > slowest:
                    slowest, slowest_number = took, number
            except AssertionError as problem:
                told = {"case": name, "number": number, "problem": str(problem)}
                print(json.dumps(told), flush=True)
                return 1
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps({"slowest": slowest, "number": slowest_number}), flush=True)
    return 0


def repeat(name: str, draw: Draw) -> float:
    """Run a case once; return how long after its last operation it had ended."""
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    CASES[name](draw)
    for thread in set(threading.enumerate()) - threads:
        thread.join(max(0.0, draw.clock.last + AT_ONCE - time.monotonic()))
    took = time.monotonic() - draw.clock.last
    left = sorted(thread.name for thread in set(threading.enumerate()) - threads)
    assert not left, f"threads after {took:.2f} s: {', '.join(left)}"
    assert took <= AT_ONCE, f"it took {took:.2f} s to end"
    gc.collect()  # what is only collected here must not complain either
    assert not pending_tasks(), f"tasks: {pending_tasks()}"
    new = open_descriptors() - descriptors
    assert not new, f"descriptors: {sorted(new)}"
    return took


def open_descriptors() -> set[str]:
    """Return the open files and sockets, where the system tells."""
    found = set()
    try:
        for number in os.listdir("/proc/self/fd"):
            try:
                found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
            except OSError:  # the folder's own descriptor, closed by now
                pass
    except FileNotFoundError:
        pass
    return found


def pending_tasks() -> list[Any]:
    """Return the tasks of event loops that nobody will run any more."""
    return [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]


if __name__ == "__main__":
    sys.exit(main())
