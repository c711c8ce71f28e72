"""Delayed frees: what a worker made and the reader dropped, while the worker is blocked.

On a free-threaded build an object is freed by the thread that made it, when that thread next runs
Python code. A loader's workers are blocked exactly when there is most to free.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np

from ftloader import Loader, Pipeline, lab
from ftloader.detection.annotations import Annotations
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.lab import provenance
from ftloader.lab.trials import Contender, Outcome

from .tally import Tally

#: A batch of two images of this size is 8 MB; sides are multiples of 32, so nothing is padded.
HEIGHT, WIDTH = 1024, 1344
IMAGES = 2
BYTES = IMAGES * HEIGHT * WIDTH * 3
#: Seconds until everybody is blocked for sure, and until what frees later has freed.
_SETTLE = 0.1
_LATER = 0.25
_PATIENCE = 60.0
_MEGABYTE = 1e6


@dataclass
class Stage:
    """A run whose workers have made all there is and are blocked until ``go`` is set."""

    objects: int
    workers: int
    tally: Tally
    go: threading.Event

    def make(self, number: int) -> np.ndarray[Any, Any]:
        """Make an object in a worker."""
        array = np.full(BYTES, number % 251, np.uint8)
        self.tally.watch(array)
        return array


#: Opens a run; gives a function that takes the next object. Sets ``go`` when it is left.
Opened = Callable[[Stage], AbstractContextManager[Callable[[], object]]]


def contender(name: str, title: str, opened: Opened) -> Contender:
    """Make a contender of something that opens a run on a stage."""

    def run(inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
        objects = int(settings["objects"])
        stage = Stage(objects, int(settings["workers"]), Tally(), threading.Event())
        base = provenance.resident().get("now")
        with opened(stage) as take:
            for _ in range(objects):
                take()  # and drop it
            at_once = stage.tally.ask()
            time.sleep(_SETTLE + _LATER)
            later, resident = stage.tally.ask(), provenance.resident().get("now")
        values = {
            "dropped_mb": at_once.made / _MEGABYTE,
            "alive_at_once": at_once.now / at_once.made,
            "alive": later.now / later.made,
        }
        if base is not None and resident is not None:
            values["kept_mb"] = max(0, resident - base) / _MEGABYTE
        return Outcome(values)

    return Contender(name, title, run)


@contextmanager
def queue(stage: Stage) -> Iterator[Callable[[], object]]:
    """Threads and a queue between them: workers put what they made, and wait for more to do."""
    results: SimpleQueue[Any] = SimpleQueue()
    orders: SimpleQueue[int | None] = SimpleQueue()

    def work() -> None:
        while (number := orders.get()) is not None:
            results.put(stage.make(number))

    for number in range(stage.objects):
        orders.put(number)
    threads = [threading.Thread(target=work) for _ in range(stage.workers)]
    for thread in threads:
        thread.start()
    try:
        while results.qsize() < stage.objects:
            time.sleep(0.001)
        time.sleep(_SETTLE)  # now they wait
        yield lambda: results.get(timeout=_PATIENCE)
    finally:
        for _ in threads:
            orders.put(None)
        for thread in threads:
            thread.join()


def pipeline(budget: bool) -> Opened:
    """Return a pipeline whose source gives no more until it is told to."""

    @contextmanager
    def opened(stage: Stage) -> Iterator[Callable[[], object]]:
        def numbers() -> Iterator[int]:
            yield from range(stage.objects)
            stage.go.wait(_PATIENCE)

        described = Pipeline(numbers).pipe(
            stage.make,
            concurrency=stage.workers,
            weight=(lambda number: BYTES) if budget else None,
        )
        bytes_ = stage.objects * BYTES if budget else None
        with described.prefetch(stage.objects).run(memory_budget=bytes_) as run:
            try:
                time.sleep(_SETTLE)
                yield lambda: run.get(timeout=_PATIENCE)
            finally:
                stage.go.set()

    return opened


class Images:
    """A data set of equal images; those after the last object wait until they may come."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __len__(self) -> int:
        # Two batches more than are read, for the workers to be blocked in.
        return IMAGES * (self._stage.objects + 2)

    def sample_info(self, i: int, /) -> SampleInfo:
        return SampleInfo(WIDTH, HEIGHT, _NOTHING, i, i, f"{i}.jpg", (WIDTH, HEIGHT))

    def load(self, i: int, /) -> Sample:
        if i >= IMAGES * self._stage.objects:
            self._stage.go.wait(_PATIENCE)
        image = np.full((HEIGHT, WIDTH, 3), i % 251, np.uint8)
        return Sample(image, self.sample_info(i))


_NOTHING = Annotations(
    boxes=np.zeros((0, 4), np.float32),
    labels=np.zeros(0, np.int64),
    crowd=np.zeros(0, bool),
    areas=np.zeros(0, np.float64),
    ids=np.zeros(0, np.int64),
    segmentations=(),
)


@contextmanager
def loader(stage: Stage) -> Iterator[Callable[[], object]]:
    """``ftloader.Loader``: batches in pooled memory, which change hands without changing owner."""
    loading = Loader(Images(stage), batch=IMAGES, shuffle=False, concurrency=stage.workers)
    batches = iter(loading)

    def take() -> None:
        stage.tally.watch(next(batches).images)

    try:
        yield take
    finally:
        stage.go.set()
        loading.close()


CONTENDERS = (
    contender("plain_queue", "threads and a SimpleQueue, plain arrays", queue),
    contender("pipeline", "ftloader.Pipeline, plain arrays, no budget", pipeline(False)),
    contender("pipeline_budget", "ftloader.Pipeline, plain arrays, budget", pipeline(True)),
    contender("loader", "ftloader.Loader, pooled buffers", loader),
)
