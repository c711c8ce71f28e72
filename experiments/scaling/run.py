"""How far do a loader's threads scale once the GIL is gone?  See README.md beside this file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from ftloader import Pipeline, lab
from ftloader.detection.annotations import (
    Annotations,
    filter_annotations,
    instance_masks,
    mask_boxes,
)
from ftloader.detection.image import decode, fit_within, resize
from ftloader.detection.masks import Rle
from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.experiment import Source
from ftloader.rng import sample_rng

# --- (a) decode + resize: nearly all of the time inside Pillow, which releases the GIL ------------


def decode_and_resize(sample: lab.JpegSample) -> np.ndarray[Any, Any]:
    image = decode(sample.jpeg)
    height, width = image.shape[:2]
    return resize(image, fit_within(width, height, 1333, 800))


def all_samples(inputs: lab.Inputs) -> Sequence[lab.JpegSample]:
    return inputs.samples


# --- (b) annotations: Python and small NumPy calls, which hold the GIL ---------------------------


@dataclass(frozen=True)
class Labelled:
    """An image's annotation records with the label of each category."""

    width: int
    height: int
    records: tuple[dict[str, Any], ...]
    labels: dict[int, int]


def prepare_labelled(inputs: lab.Inputs) -> Sequence[Labelled]:
    def one(sample: lab.JpegSample) -> Labelled:
        # A table per image: one shared by all threads would be measured instead of the work.
        labels = {category: label for label, category in enumerate(inputs.categories)}
        return Labelled(sample.width, sample.height, sample.annotations, labels)

    return [one(sample) for sample in inputs.samples]


def load_annotations(item: Labelled) -> tuple[np.ndarray[Any, Any], ...]:
    """Parse COCO records, flip them, rasterise the outlines, drop small and crowd objects."""
    kept: list[tuple[list[float], dict[str, Any], Any]] = []
    for record in item.records:
        box = parse_box(record, item.width, item.height)
        if box is None or record["category_id"] not in item.labels:
            continue
        outline = record["segmentation"]
        if isinstance(outline, list):
            outline = tuple(flip_polygon(part, item.width) for part in outline if len(part) >= 6)
            if sum(shoelace(part) for part in outline) <= 0:
                continue
            box = [item.width - box[2], box[1], item.width - box[0], box[3]]
        else:
            height, width = outline["size"]
            counts = outline["counts"]
            packed = counts if isinstance(counts, bytes) else np.array(counts)
            outline = Rle(height, width, packed)
        kept.append((box, record, outline))
    annotations = Annotations(
        boxes=np.array([box for box, _, _ in kept], np.float32).reshape(-1, 4),
        labels=np.array([item.labels[r["category_id"]] for _, r, _ in kept], np.int64),
        crowd=np.array([bool(r["iscrowd"]) for _, r, _ in kept], bool),
        areas=np.array([r["area"] for _, r, _ in kept], np.float64),
        ids=np.array([r["id"] for _, r, _ in kept], np.int64),
        segmentations=tuple(
            outline if isinstance(outline, Rle) else tuple(np.array(part) for part in outline)
            for _, _, outline in kept
        ),
    )
    wanted = filter_annotations(annotations, min_size=(4.0, 4.0), crowd=False)
    masks = instance_masks(wanted, item.width, item.height)
    return wanted.boxes, wanted.labels, masks, mask_boxes(masks)


def parse_box(record: dict[str, Any], width: int, height: int) -> list[float] | None:
    """Return ``x1, y1, x2, y2``, or nothing for a box that COCO loaders skip."""
    x, y, w, h = record["bbox"]
    overlap_w = max(0.0, min(x + w, width) - max(x, 0.0))
    overlap_h = max(0.0, min(y + h, height) - max(y, 0.0))
    if overlap_w * overlap_h == 0 or record["area"] <= 0 or w < 1 or h < 1:
        return None
    return [x, y, x + w, y + h]


def flip_polygon(part: list[float], width: int) -> list[float]:
    return [width - value if place % 2 == 0 else value for place, value in enumerate(part)]


def shoelace(part: list[float]) -> float:
    """Return twice the area that a polygon encloses."""
    xs, ys = part[0::2], part[1::2]
    ends = zip(xs[1:] + xs[:1], ys[1:] + ys[:1], strict=True)
    return abs(sum(x * v - u * y for x, y, (u, v) in zip(xs, ys, ends, strict=True)))


# --- (c) object store: waiting on the event loop, then decoding on threads -----------------------

STORE_MEDIAN_SECONDS = 0.020
STORE_SIGMA = 0.5
STORE_CONCURRENCY = 16


@dataclass(frozen=True)
class StoredObject:
    """A key of the simulated store: what comes back, and after how long."""

    seconds: float
    jpeg: bytes


def prepare_store(inputs: lab.Inputs) -> Sequence[StoredObject]:
    def latency(key: int) -> float:
        rng = sample_rng(inputs.seed, 0, key)
        return float(rng.lognormal(log(STORE_MEDIAN_SECONDS), STORE_SIGMA))

    return [StoredObject(latency(sample.key), sample.jpeg) for sample in inputs.samples]


async def get(item: StoredObject) -> bytes:
    await asyncio.sleep(item.seconds)
    return item.jpeg


def decode_small(jpeg: bytes) -> np.ndarray[Any, Any]:
    image = decode(jpeg)
    height, width = image.shape[:2]
    return resize(image, fit_within(width, height, 667, 400))


def object_store(source: Source, threads: int) -> Pipeline[Any]:
    return (
        Pipeline(source)
        .pipe(get, concurrency=STORE_CONCURRENCY)
        .pipe(decode_small, concurrency=threads)
    )


EXPERIMENT = lab.Experiment(
    name="scaling",
    title="Loader threads with and without the GIL",
    question="How far do a loader's threads scale once the GIL is gone?",
    workloads=(
        lab.Workload(
            name="decode_resize",
            title="Decode + resize",
            about="JPEG bytes to RGB, resized to fit 1333 × 800; nearly all of the time is spent "
            "inside Pillow, which releases the GIL",
            prepare=all_samples,
            build=lambda source, threads: Pipeline(source).pipe(
                decode_and_resize, concurrency=threads
            ),
        ),
        lab.Workload(
            name="annotations",
            title="Boxes, polygons → masks",
            about="COCO records parsed, flipped and filtered in Python, outlines rasterised with "
            "small NumPy calls; nearly all of the time holds the GIL",
            prepare=prepare_labelled,
            build=lambda source, threads: Pipeline(source).pipe(
                load_annotations, concurrency=threads
            ),
        ),
        lab.Workload(
            name="object_store",
            title="Object store, then decode",
            about="a simulated object store (log-normal latency, median 20 ms, 16 requests in "
            "flight on the event loop), then decoding and shrinking to fit 667 × 400 on threads",
            prepare=prepare_store,
            build=object_store,
        ),
    ),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
)

if __name__ == "__main__":
    sys.exit(lab.main(EXPERIMENT, __file__))
