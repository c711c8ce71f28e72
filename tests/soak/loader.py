"""A loader in rough weather: failing samples, slow ones, batches kept, iterations broken off.

    python tests/soak/loader.py --batches 10000 [--seed 7]

Prints a line of JSON: how many batches came, and what was left behind of threads, file handles,
buffers and memory. Memory is compared between the first third and the end, without what the
allocator keeps of freed blocks: that depends on threads, of which thousands come and go.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import random
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ftloader import DataError, Loader, StageError
from ftloader.batching import FixedSize, MemoryBudget
from ftloader.detection import CocoFolder, open_coco
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.detection.transforms import RandomChoiceResize
from ftloader.runtime import gil_enabled

RECIPE = RandomChoiceResize(((120, 48), (120, 64), (120, 90)))


#: What memory may grow by between a third and the end, bytes: thousands of batches are 40 KiB each.
MOST_GROWTH = 32 << 20


class Rough:
    """A data set some of whose samples fail and some of which take long, by their number."""

    def __init__(self, folder: CocoFolder, failing: float, slow: float, seed: int) -> None:
        self._folder = folder
        draw, count = random.Random(seed), len(folder)
        self._failing = {i for i in range(count) if draw.random() < failing}
        self._slow = {i for i in range(count) if draw.random() < slow}

    def __len__(self) -> int:
        return len(self._folder)

    def sample_info(self, i: int) -> Any:
        return self._folder.sample_info(i)

    def load(self, i: int) -> Any:
        if i in self._failing:
            raise DataError(f"sample {i} cannot be read")
        if i in self._slow:
            time.sleep(0.003)  # what is tested is that nothing depends on it
        return self._folder.load(i)


class Weather:
    """Makes loaders of all kinds and reads from them in all ways."""

    def __init__(self, folder: CocoFolder, seed: int) -> None:
        self._folder, self._random = folder, random.Random(seed)
        self.batches = self.broken_off = self.failed = self.skipped = 0
        self.pools: weakref.WeakSet[Any] = weakref.WeakSet()

    def loader(self) -> Loader:
        pick = self._random.choice
        on_error = pick(["skip", "skip", "raise"])
        failing = pick([0.0, 0.02, 0.1]) if on_error == "skip" else pick([0.0, 0.0, 0.005])
        data = Rough(self._folder, failing, pick([0.0, 0.02]), self._random.getrandbits(32))
        return Loader(
            data,
            RECIPE,
            batch=pick([FixedSize(3), MemoryBudget(30_000), MemoryBudget(60_000, stride=8)]),
            seed=self._random.getrandbits(32),
            concurrency=pick([1, 2, 4]),
            output_order=pick(["input", "completion"]),
            prefetch=pick([0, 1, 4]),
            on_error=on_error,
            collate=pick([None, None, len_of]),
        )

    def once(self) -> None:
        """Make a loader, and read from it till it ends, fails or is broken off."""
        loader, kept = self.loader(), []
        until = self._random.choice([1, 3, 10, 1000])
        try:
            for _ in range(self._random.choice([1, 2])):
                for count, batch in enumerate(loader, 1):
                    self.batches += 1
                    if self._random.random() < 0.1:
                        kept.append(batch)
                    if loader._pass is not None:
                        self.pools.add(loader._pass._pool)
                    if count == until:
                        self.broken_off += 1
                        break
                self.skipped += len(loader.failures)
        except StageError:
            self.failed += 1
        if self._random.random() < 0.5:
            loader.close()


def len_of(gathered: Any) -> int:
    return len(gathered.samples)


def resident() -> int:
    """Bytes in memory now; freed ones are given back to the system first, where glibc can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def settle(before: int) -> int:
    """Return how many threads are left after those that are ending have ended."""
    gc.collect()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(5)
    gc.collect()
    return threading.active_count() - before


def soak(folder: CocoFolder, batches: int, seed: int) -> dict[str, Any]:
    weather = Weather(folder, seed)
    weather.once()
    settle(1)
    open_files, early, objects = handles(), 0, 0
    while weather.batches < batches:
        weather.once()
        if not early and weather.batches >= batches // 3:
            settle(1)
            early = resident()
            objects = len(gc.get_objects())
    left = settle(1)
    return {
        "gil": gil_enabled(),
        "batches": weather.batches,
        "broken_off": weather.broken_off,
        "failed": weather.failed,
        "skipped": weather.skipped,
        "threads_left": left,
        "files_left": handles() - open_files,
        "buffers_out": sum(pool.held for pool in weather.pools),
        "resident": early,
        "growth": resident() - early,
        "more_objects": len(gc.get_objects()) - objects,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        spec = SyntheticSpec(images=40, seed=3)
        folder = open_coco(synthetic_coco(spec, cache_dir=cache, progress=False))
        found = soak(folder, arguments.batches, arguments.seed)
    print(json.dumps(found))
    clean = not (found["threads_left"] or found["files_left"] or found["buffers_out"])
    clean = clean and found["growth"] < MOST_GROWTH and found["more_objects"] < 1000
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
