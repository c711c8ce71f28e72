"""Transforms that do to the process that calls them what an audit must survive."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.audit.canaries import Good, Item

#: Set to the path of a FIFO; Hangs writes its process id there before it hangs.
FIFO = "FTLOADER_TEST_FIFO"
#: Lets HangsInThreads go on.
RELEASE = threading.Event()


class Hangs:
    """Never returns."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        if FIFO in os.environ:
            Path(os.environ[FIFO]).write_text(str(os.getpid()), encoding="ascii")
        threading.Event().wait()
        return sample


class HangsInThreads:
    """Waits for itself as soon as two threads are in it."""

    def __init__(self) -> None:
        self.inside = 0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.inside += 1
        time.sleep(0.001)
        if self.inside > 1:
            RELEASE.wait()
        self.inside -= 1
        return dict(sample)


class Leaves:
    """Ends the process without a word."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        os._exit(3)


class Exits:
    """Asks Python to end."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        sys.exit("done")


class Chatters:
    """Prints what the audit would take for its own words, and reads what it would read."""

    thread_safety = "stateless"

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        print('{"event": "end"}')
        os.write(1, b'{"event": "end"}\n')
        assert sys.stdin.read() == ""
        return dict(sample)


class CannotBeMade:
    """Raises when it is made."""

    def __init__(self) -> None:
        raise ValueError("no such table")


class DiesWhenMade:
    """Brings the interpreter down before it can be called."""

    def __init__(self) -> None:
        os.abort()


class LocksTooLate:
    """Declared locked; reads and writes under its lock, but not both at once."""

    thread_safety = "locked"
    mutable_state = ("calls", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> LocksTooLate:
        return type(self)()

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        with self.lock:
            calls = self.calls
        time.sleep(0.001)
        with self.lock:
            self.calls = calls + 1
        return {**sample, "calls": calls}


class RaisesInThreads:
    """Cannot bear company."""

    def __init__(self) -> None:
        self.inside = 0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.inside += 1
        try:
            time.sleep(0.001)
            if self.inside > 1:
                raise RuntimeError("somebody is here already")
            return dict(sample)
        finally:
            self.inside -= 1


class CountsItself(Good):
    """Depends on the order of its calls, and says so."""

    thread_safety = "order-dependent"


def factory(high: float = 1.5, *, low: float = 0.5) -> Good:
    return Good(low, high)


def twice(sample: Item, rng: np.random.Generator) -> Item:
    return {**sample, "img": sample["img"].repeat(2, 0)}


class DiesWhenMemoryIsChecked(Good):
    """As a transform whose C code writes past its memory: only a checking allocator notices."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        if os.environ.get("PYTHONMALLOC") == "debug":
            os.abort()
        return super().__call__(sample, rng)


class CopiesShare:
    """Wants an instance for each thread, and hands its scratch on to all copies of itself."""

    thread_safety = "per-thread state"
    mutable_state = ("scratch",)

    def __init__(self, scratch: Any = None) -> None:
        self.scratch = np.zeros(640 * 480 * 3, np.uint8) if scratch is None else scratch

    def __deepcopy__(self, memo: dict[int, Any]) -> CopiesShare:
        return type(self)(self.scratch)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        img = sample["img"]
        scratch = self.scratch[: img.size].reshape(img.shape)
        np.subtract(255, img, out=scratch)
        time.sleep(0)  # lets another thread in
        return {**sample, "img": scratch.copy()}
