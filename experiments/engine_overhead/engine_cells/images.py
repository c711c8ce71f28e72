"""(d) Decoding and resizing JPEGs in batches: what is left of a bare pool's rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import batched, islice
from typing import Any

import numpy as np

from ftloader import Pipeline, lab
from ftloader.detection.image import decode, fit_within, resize
from ftloader.errors import DigestError
from ftloader.lab.costs import Cell, Contender, Measured
from ftloader.lab.digest import Sampler

from . import bare
from .window import Plan

WORKERS = 2
BATCH = 16
Image = np.ndarray[Any, Any]


def decode_sample(sample: lab.JpegSample) -> Image:
    return decode(sample.jpeg)


def fit(image: Image) -> Image:
    height, width = image.shape[:2]
    return resize(image, fit_within(width, height, 1333, 800))


def decode_and_fit(sample: lab.JpegSample) -> Image:
    return fit(decode_sample(sample))


def samples_of(inputs: lab.Inputs, batches: int) -> list[lab.JpegSample]:
    """Return whole batches of the same images, so that every batch has the same digest."""
    one = [inputs.samples[place % len(inputs.samples)] for place in range(BATCH)]
    return one * batches


def contender(
    name: str,
    title: str,
    open_batches: Callable[[list[lab.JpegSample]], Iterable[Any]],
    ends: int = 1,
    scale: int = 1,
) -> Contender:
    """Make a contender; ``ends`` batches before and behind the clock, the rate times ``scale``."""

    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        plan = Plan(warm=ends, count=amount, tail=ends)
        seconds, digest = timed_batches(open_batches(samples_of(inputs, plan.total)), plan)
        return Measured(scale * amount * BATCH / seconds, seconds, digest)

    return Contender(name, title, measure)


def timed_batches(batches: Iterable[Any], plan: Plan) -> tuple[float, str]:
    """Read batches and let go of each, as a training loop would; return seconds and digest."""
    reader, sampler = iter(batches), Sampler()
    digests: list[int] = []

    def read(count: int) -> None:
        for batch in islice(reader, count):
            for image in batch:
                sampler.add(image)
            digests.append(sampler.take())

    read(plan.warm)
    begin = time.perf_counter()
    read(plan.count)
    seconds = time.perf_counter() - begin
    read(plan.tail)
    if next(reader, None) is not None or len(digests) != plan.total or len(set(digests)) != 1:
        raise DigestError("batches of the same images differ, or their number; the run is refused")
    return seconds, f"{digests[0]:08x}"


def pool(samples: list[lab.JpegSample]) -> Iterator[Any]:
    return batched(bare.pool_map(samples, decode_and_fit, WORKERS), BATCH)


def one_stage(samples: list[lab.JpegSample]) -> Iterable[Any]:
    return Pipeline(samples).pipe(decode_and_fit, concurrency=WORKERS).aggregate(BATCH).run()


def two_stages(samples: list[lab.JpegSample], fuse: bool) -> Iterable[Any]:
    return (
        Pipeline(samples)
        .pipe(decode_sample, concurrency=WORKERS)
        .pipe(fit, concurrency=WORKERS)
        .aggregate(BATCH)
        .run("threads", fuse=fuse)
    )


def spdl(samples: list[lab.JpegSample]) -> Iterator[Any]:
    builder = bare.spdl_builder(samples, [decode_and_fit], WORKERS, "input").aggregate(BATCH)
    return bare.spdl_run(builder, WORKERS)


CELLS = (
    Cell(
        name="images",
        title="Decode + resize, batches of 16, 2 workers",
        about="JPEG bytes in memory to RGB, resized to fit 1333 × 800, in input order, collected "
        "into batches of 16; the value is the rate from one batch's arrival to a later one's",
        unit="images/s",
        better="higher",
        baseline="pool",
        contenders=(
            contender("ftloader", "ftloader, one function", one_stage),
            contender(
                "ftloader_fused",
                "ftloader, two stages of 2 workers, fused",
                lambda samples: two_stages(samples, fuse=True),
            ),
            contender(
                "ftloader_apart",
                "ftloader, two stages of 2 workers, not fused",
                lambda samples: two_stages(samples, fuse=False),
            ),
            contender("spdl", "SPDL 0.8, one function", spdl),
            contender("pool", "ThreadPoolExecutor.map, one function", pool),
            contender(
                "serial",
                "a serial loop, twice its rate",
                lambda samples: batched(bare.serial(samples, [decode_and_fit]), BATCH),
                ends=0,
                scale=WORKERS,
            ),
        ),
        first=2,
        fixed=True,
        rounds=2,
    ),
)
