"""What the guard measures, with whichever ftloader PYTHONPATH names: a job on stdin, a record out.

Uses public names of ftloader alone, so that an earlier source runs it as well, and is run by path,
so that it is the same for both. ``child.py --once NAME AMOUNT`` does one piece of work, for tools
that count instructions from outside.
"""

from __future__ import annotations

import faulthandler
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

import ftloader

_DEADLINE = 300
#: A window grows until it lasts this many seconds, or 20 switch intervals under the GIL.
_WINDOW = 0.1
_IMAGES = 24

#: Does an amount of work once; returns seconds and a digest of what came out.
Work = Callable[[int], tuple[float, str]]


def same(item: int) -> int:
    """Return what it is given."""
    return item


def numbers(total: int) -> Iterator[int]:
    """Yield what ``range`` gives, from a source that has no length."""
    yield from range(total)


def through(stages: int, source: Callable[[int], Any]) -> Work:
    """Items that need no work, through stages of two workers, in input order."""

    def work(amount: int) -> tuple[float, str]:
        pipeline: Any = ftloader.Pipeline(source(amount))
        for _ in range(stages):
            pipeline = pipeline.pipe(same, concurrency=2)
        begin = time.perf_counter()
        with pipeline.run("threads") as run:
            total = sum(run)
        seconds = time.perf_counter() - begin
        if total != amount * (amount - 1) // 2:
            raise SystemExit("items were lost")
        return seconds, ""

    return work


def first_item(amount: int) -> tuple[float, str]:
    """From a pipeline's description to its first result, and its end."""
    begin = time.perf_counter()
    for _ in range(amount):
        with ftloader.Pipeline(range(100)).pipe(same, concurrency=2).run("threads") as run:
            next(iter(run))
    return time.perf_counter() - begin, ""


def decoding(amount: int) -> tuple[float, str]:
    """JPEG bytes to small pictures on two workers."""
    from ftloader.detection.image import decode, resize

    files = [jpeg(seed) for seed in range(8)]

    def shrink(data: bytes) -> Any:
        return resize(decode(data), (320, 240))

    begin = time.perf_counter()
    digest = hashlib.blake2b(digest_size=8)
    source = [files[place % 8] for place in range(8 * amount)]
    with ftloader.Pipeline(source).pipe(shrink, concurrency=2).run("threads") as run:
        for place, picture in enumerate(run):
            if place < 8:
                digest.update(picture)
    return time.perf_counter() - begin, digest.hexdigest()


def rasterising(amount: int) -> tuple[float, str]:
    """Outlines to bitmaps on two workers: Python and small NumPy calls."""
    from ftloader.detection.masks import polygons_to_mask

    turns = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
    around = np.stack([320 + 60 * np.cos(turns), 240 + 45 * np.sin(turns)], axis=1)

    def trace(place: int) -> Any:
        # Each object a little further on, as pixels count the same wherever it lies.
        return [polygons_to_mask([(around + place + k).ravel()], 640, 480) for k in range(10)]

    begin = time.perf_counter()
    digest = hashlib.blake2b(digest_size=8)
    source = [place % 8 for place in range(8 * amount)]
    with ftloader.Pipeline(source).pipe(trace, concurrency=2).run("threads") as run:
        for place, masks in enumerate(run):
            if place < 8:
                digest.update(masks[-1])
    return time.perf_counter() - begin, digest.hexdigest()


def jpeg(seed: int) -> bytes:
    """Return a picture that compresses like a photograph."""
    noise = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


def planning(amount: int) -> tuple[float, str]:
    """Planning 2,000 images by memory."""
    from ftloader.batching import MemoryBudget, Sizes, plan_epoch

    rng = np.random.default_rng(5)
    sizes = Sizes.of(rng.integers(320, 641, 2000), rng.integers(320, 641, 2000), np.full(2000, 7))
    begin = time.perf_counter()
    for _ in range(amount):
        plan = plan_epoch(sizes, MemoryBudget(4e6))
    return time.perf_counter() - begin, str(plan.digest())


def loading(folder: Path) -> Work:
    """Synthetic COCO through a multi-scale recipe into batches by memory."""
    from ftloader.batching import MemoryBudget
    from ftloader.detection import open_coco
    from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
    from ftloader.detection.transforms import Compose, RandomChoiceResize, RandomFlip

    write_synthetic_coco(SyntheticSpec(images=_IMAGES, seed=3), folder / "coco", progress=False)
    recipe = Compose([RandomChoiceResize(((600, 320), (600, 400))), RandomFlip(0.5)])

    def work(amount: int) -> tuple[float, str]:
        digest = hashlib.blake2b(digest_size=8)
        begin = time.perf_counter()
        for _ in range(amount):
            data = open_coco(folder / "coco")
            loader = ftloader.Loader(data, recipe, batch=MemoryBudget(2e6), seed=7, concurrency=2)
            for batch in loader:
                digest.update(batch.sizes)
            loader.close()
        return time.perf_counter() - begin, digest.hexdigest() if amount == 1 else ""

    return work


def works(folder: Path) -> dict[str, Callable[[], Work]]:
    """Return what is measured, by name, each to be made when it is needed."""
    return {
        "hand_over_1": lambda: through(1, range),
        "hand_over_3": lambda: through(3, range),
        "generator": lambda: through(1, lambda total: lambda: numbers(total)),
        "first_item": lambda: first_item,
        "decoding": lambda: decoding,
        "rasterising": lambda: rasterising,
        "planning": lambda: planning,
        "loading": lambda: loading(folder),
    }


def gil_enabled() -> bool:
    """Tell whether the GIL is on; builds that cannot switch it off have no way to ask."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def measure(work: Work, amount: int, rounds: int) -> dict[str, Any]:
    """Return seconds per unit of work, and the amount that a window held."""
    digest = work(1)[1]
    wanted = max(_WINDOW, 20 * sys.getswitchinterval() if gil_enabled() else 0.0)
    if amount == 0:
        amount = 1
        while work(amount)[0] < wanted:
            amount *= 2
    values = [work(amount)[0] / amount for _ in range(rounds)]
    return {"value": median(values), "amount": amount, "digest": digest}


def serve() -> int:
    """Answer one job: the works in the order asked, each measured or why it cannot be."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    faulthandler.dump_traceback_later(_DEADLINE, exit=True)
    job = json.load(sys.stdin)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ftloader-guard-") as folder:
        known = works(Path(folder))
        for name in job["order"]:
            try:
                found[name] = measure(known[name](), job["amounts"].get(name, 0), job["rounds"])
            except (ImportError, AttributeError) as error:  # an earlier source has less
                found[name] = {"missing": f"{type(error).__name__}: {error}"}
    json.dump(
        {
            "version": ".".join(map(str, sys.version_info[:3])),
            "gil": gil_enabled(),
            "source": str(Path(ftloader.__file__).resolve().parents[1]),
            "works": found,
        },
        answer,
    )
    answer.close()
    return 0


def once(name: str, amount: int) -> int:
    """Do one piece of work."""
    with tempfile.TemporaryDirectory(prefix="ftloader-guard-") as folder:
        works(Path(folder))[name]()(amount)
    return 0


if __name__ == "__main__":
    sys.exit(once(sys.argv[2], int(sys.argv[3])) if sys.argv[1:2] == ["--once"] else serve())
