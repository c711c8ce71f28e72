"""Threads or processes: the memory of everybody who takes part, for the same work.

The work is that of a detection loader: look up annotations in an index that all workers need,
decode an image, hand it to the reader.
"""

from __future__ import annotations

import copy
import multiprocessing
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ftloader import Pipeline, lab
from ftloader.detection.image import decode
from ftloader.errors import DigestError
from ftloader.lab import tree
from ftloader.lab.digest import Sampler
from ftloader.lab.pools import windowed
from ftloader.lab.trials import Contender, Outcome

_MEGABYTE = 1e6
#: Records of the index that a sample looks at.
LOOKS = 200
_EVERY = 0.02

Made = tuple[int, Any, float]


class Work:
    """What workers need: images, and an index of annotations as Python objects.

    Thread safety: nobody writes.
    """

    def __init__(self, inputs: lab.Inputs, records: int) -> None:
        self.images = [sample.jpeg for sample in inputs.samples]
        found = [record for sample in inputs.samples for record in sample.annotations]
        plain: list[dict[str, Any]] = [
            {"area": float(one["area"]), "bbox": list(one["bbox"])} for one in found
        ]
        self.index = [copy.deepcopy(plain[place % len(plain)]) for place in range(records)]

    def load(self, sample: int) -> Made:
        """Look up annotations and decode an image."""
        index, area = self.index, 0.0
        for place in range(sample * LOOKS, (sample + 1) * LOOKS):
            area += index[place % len(index)]["area"]
        return sample, decode(self.images[sample % len(self.images)]), area


# What a worker process has: inherited from its parent, or sent to it.
_here: list[Work] = []


def begin(work: Work) -> None:
    """Tell a worker process what it works on."""
    _here[:] = [work]


def load(sample: int) -> Made:
    """Do a sample's work in a worker process."""
    return _here[0].load(sample)


def nothing(sample: int) -> None:
    """Have a worker process started."""


#: Opens a run over so many samples with so many workers; gives its results.
Opened = Callable[[Work, int, int], AbstractContextManager[Iterable[Made]]]


def contender(name: str, title: str, opened: Opened) -> Contender:
    """Make a contender of something that does the work for a number of samples."""

    def run(inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
        samples, workers = int(settings["samples"]), int(settings["workers"])
        work, marks = Work(inputs, int(settings["records"])), []
        began, used = time.perf_counter(), tree.cpu_seconds()
        with opened(work, samples, workers) as results, Peak() as peak:
            started = time.perf_counter()
            for made in results:
                marks.append(_mark(made))
                del made  # before the next one comes
            peak.look()
            ended = time.perf_counter()
        if [mark[0] for mark in marks] != list(range(samples)):
            raise DigestError(f"{name}: {len(marks)} samples came, not those asked for")
        values = {
            "rate": samples / (ended - started),
            "start_s": started - began,
            "cpu_ms": 1e3 * (tree.cpu_seconds() - used) / samples,
        }
        notes: tuple[str, ...] = ("the memory of processes cannot be read here",)
        if peak.bytes is not None:
            values["pss_mb"], notes = peak.bytes / _MEGABYTE, ()
        return Outcome(values, f"{zlib.crc32(repr(marks).encode()):08x}", notes=notes)

    return Contender(name, title, run)


def _mark(made: Made) -> tuple[int, int, float]:
    sampler = Sampler()
    sampler.add(made[1])
    return made[0], sampler.take(), made[2]


class Peak:
    """Looks again and again how much memory this process and its children take, at most."""

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak")

    def look(self) -> None:
        """Look now."""
        found = tree.pss()
        if found is not None:
            self.bytes = max(found, self.bytes or 0)

    def _watch(self) -> None:
        while not self._end.wait(_EVERY):
            self.look()

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()


@contextmanager
def threads(work: Work, samples: int, workers: int) -> Iterator[Iterable[Made]]:
    with Pipeline(range(samples)).pipe(work.load, concurrency=workers).run() as run:
        yield run


def processes(method: str) -> Opened:
    """Return a process pool whose workers come about in a way."""

    @contextmanager
    def opened(work: Work, samples: int, workers: int) -> Iterator[Iterable[Made]]:
        begin(work)  # what is forked inherits it
        context = multiprocessing.get_context(method)
        if method == "fork":
            made = ProcessPoolExecutor(workers, context)
        else:
            made = ProcessPoolExecutor(workers, context, initializer=begin, initargs=(work,))
        with made as pool:
            try:
                # All of them, before anybody looks at their memory.
                list(pool.map(nothing, range(4 * workers)))
                yield windowed(pool, range(samples), load, 2 * workers)
            finally:
                _here.clear()

    return opened


CONTENDERS = (
    contender("threads", "ftloader, threads", threads),
    contender("fork", "ProcessPoolExecutor, forked", processes("fork")),
    contender("spawn", "ProcessPoolExecutor, spawned", processes("spawn")),
)
