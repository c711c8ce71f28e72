"""What is tuned: three kinds of work of a loader, one that holds the GIL, and their grids."""

from __future__ import annotations

import asyncio
import io
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ftloader import Pipeline
from ftloader.detection.image import decode, fit_within, resize
from ftloader.rng import sample_rng

#: Numbers by stage.
Setting = dict[str, int]

READ_SECONDS = 0.004
FETCH_SECONDS = 0.020
SIGMA = 0.5
IMAGES = 32


@dataclass(frozen=True)
class Workload:
    """A pipeline with every number left open, and the settings that make up its grid."""

    name: str
    about: str
    pipeline: Pipeline[Any]
    grid: tuple[Setting, ...]


def photograph(key: int) -> bytes:
    """Return a JPEG of 640 × 480 that costs about what a photograph costs to decode."""
    rng = sample_rng(0, 0, key)
    coarse = rng.integers(0, 256, (48, 64, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC))
    noisy = smooth.astype(np.int16) + rng.integers(-12, 13, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def latency(median: float, key: int) -> float:
    return float(sample_rng(1, 0, key).lognormal(np.log(median), SIGMA))


def decode_and_resize(jpeg: bytes) -> np.ndarray[Any, Any]:
    image = decode(jpeg)
    height, width = image.shape[:2]
    return resize(image, fit_within(width, height, 1333, 800))


def read(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


async def fetch(item: tuple[float, bytes]) -> bytes:
    await asyncio.sleep(item[0])
    return item[1]


def decode_small(jpeg: bytes) -> np.ndarray[Any, Any]:
    image = decode(jpeg)
    height, width = image.shape[:2]
    return resize(image, fit_within(width, height, 320, 240))


def mirror(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return image[:, ::-1]


def outline(points: Sequence[tuple[float, float]]) -> float:
    """Return the area of a polygon, in plain Python, which holds the GIL."""
    area = 0.0
    for (x, y), (u, v) in zip(points, (*points[1:], points[0]), strict=True):
        area += x * v - u * y
    return area / 2


def workloads() -> tuple[Workload, ...]:
    jpegs = [photograph(key) for key in range(IMAGES)]
    waits = [latency(READ_SECONDS, key) for key in range(256)]
    stored = [(latency(FETCH_SECONDS, key), jpegs[key % IMAGES]) for key in range(256)]
    rng = sample_rng(2, 0, 0)
    polygons = [[(float(x), float(y)) for x, y in rng.random((4000, 2))] for _ in range(64)]
    return (
        Workload(
            "decode",
            "JPEG decoding and enlarging; computes with the GIL released",
            Pipeline(jpegs).pipe(decode_and_resize, concurrency="auto", name="decode"),
            tuple({"decode": n} for n in (1, 2, 3, 4, 6, 8)),
        ),
        Workload(
            "read",
            f"a synchronous read that waits (log-normal, median {1000 * READ_SECONDS:g} ms)",
            Pipeline(waits).pipe(read, concurrency="auto"),
            tuple({"read": n} for n in (1, 4, 8, 16, 32, 48, 64)),
        ),
        Workload(
            "mix",
            f"an asynchronous fetch (log-normal, median {1000 * FETCH_SECONDS:g} ms), decoding "
            "to a quarter, and a cheap stage",
            Pipeline(stored)
            .pipe(fetch, concurrency="auto")
            .pipe(decode_small, concurrency="auto", name="decode")
            .pipe(mirror, concurrency="auto"),
            tuple(
                {"fetch": n, "decode": m, "mirror": k}
                for n, m, k in itertools.product((4, 16, 32, 64, 128), (1, 2, 3, 4), (1, 2))
            ),
        ),
        Workload(
            "outline",
            "plain Python, which holds the GIL where there is one",
            Pipeline(polygons).pipe(outline, concurrency="auto"),
            tuple({"outline": n} for n in (1, 2, 3, 4)),
        ),
    )
