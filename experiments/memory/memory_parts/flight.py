"""Bytes in flight: how much a run holds while its reader is slower than its workers."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any, Literal

import numpy as np

from ftloader import Pipeline, lab
from ftloader.errors import DigestError
from ftloader.lab import provenance
from ftloader.lab.pools import pool_window
from ftloader.lab.trials import Contender, Outcome
from ftloader.rng import Streams

from .tally import Tally

MEGABYTE = 1_000_000
#: What a result weighs, in megabytes: one of these, by the seed.
WEIGHTS = (1, 2, 3, 4)
#: Results that may be ready ahead of the reader: enough to overrun any budget here.
AHEAD = 64
PAUSE = 0.003

#: A sample: its number, and the bytes of what it becomes.
Item = tuple[int, int]
Made = tuple[int, np.ndarray[Any, Any]]


class Job:
    """One run's samples, and what its results take."""

    def __init__(self, inputs: lab.Inputs, settings: Mapping[str, Any]) -> None:
        self.workers, self.budget = int(settings["workers"]), int(settings["budget_mb"]) * MEGABYTE
        streams = Streams(inputs.seed, 0)
        self.items = [
            (sample, MEGABYTE * int(streams.at(sample).choice(WEIGHTS)))
            for sample in range(int(settings["samples"]))
        ]
        self.tally = Tally()

    def make(self, item: Item) -> Made:
        """Make a result of a sample's weight."""
        sample, size = item
        array = np.full(size, sample % 251, np.uint8)
        self.tally.watch(array)
        return sample, array


Opened = Generator[Made, None, int]


def contender(name: str, title: str, opened: Callable[[Job], Opened]) -> Contender:
    """Make a contender of something that gives a job's results, and returns the bytes leased."""

    def run(inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
        job = Job(inputs, settings)
        base = provenance.resident().get("now") if provenance.reset_peak() else None
        begin = time.perf_counter()
        marks, leased = consume(opened(job))
        seconds = time.perf_counter() - begin
        resident = provenance.resident().get("peak")
        found = job.tally.ask()
        if found.made != sum(size for _, size in job.items):
            raise DigestError(f"{name}: {found.made:,} bytes were made, not those asked for")
        values = {
            "alive_mb": found.peak / MEGABYTE,
            "of_budget": found.peak / job.budget,
            "rate": len(marks) / seconds,
        }
        if leased:
            values["leased_mb"] = leased / MEGABYTE
        if base is not None and resident is not None:
            values["resident_mb"] = max(0, resident - base) / MEGABYTE
        return Outcome(values, f"{zlib.crc32(repr(marks).encode()):08x}")

    return Contender(name, title, run)


def consume(results: Opened) -> tuple[list[tuple[int, int, int]], int]:
    """Read slowly, drop each result before asking for the next; return marks and bytes leased."""
    marks: list[tuple[int, int, int]] = []
    with closing(results):
        while True:
            try:
                sample, array = next(results)
            except StopIteration as end:
                return marks, int(end.value or 0)
            marks.append((sample, len(array), int(array[-1])))
            del array
            time.sleep(PAUSE)  # as a training step does


def ours(ahead: int, weight: Literal["", "foretold", "measured"] = "") -> Callable[[Job], Opened]:
    """Return ftloader with so many results ready, and a budget if it is told weights."""

    def opened(job: Job) -> Opened:
        weights: dict[str, Any] = {"": None, "foretold": lambda item: item[1], "measured": "nbytes"}
        pipeline = Pipeline(job.items).pipe(
            job.make, concurrency=job.workers, weight=weights[weight]
        )
        if ahead:
            pipeline = pipeline.prefetch(ahead)
        budget = job.budget if weight else None
        with pipeline.run(memory_budget=budget) as run:
            yield from run
        return max(stage.bytes_peak for stage in run.stats().stages)

    return opened


def pool(job: Job) -> Opened:
    yield from pool_window(job.items, job.make, job.workers, AHEAD)
    return 0


CONTENDERS = (
    contender("default", "ftloader, few results ready, no budget", ours(0)),
    contender("ahead", f"ftloader, {AHEAD} results ready, no budget", ours(AHEAD)),
    contender(
        "budget", f"ftloader, {AHEAD} ready, budget, weights foretold", ours(AHEAD, "foretold")
    ),
    contender(
        "budget_measured",
        f"ftloader, {AHEAD} ready, budget, weights measured",
        ours(AHEAD, "measured"),
    ),
    contender("pool", f"ThreadPoolExecutor, a window of {AHEAD}", pool),
)
