"""Objects: records parsed in Python, and outlines made masks by small NumPy calls.

Both hold the GIL for most of their time: the first in Python's own loops, the second inside NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftloader import lab
from ftloader.detection.annotations import (
    Annotations,
    filter_annotations,
    instance_masks,
    mask_boxes,
)
from ftloader.detection.masks import Mask, Rle
from ftloader.lab.inputs import in_memory

from .mapped import mapped

# --- records to boxes, labels and masks, in Python ------------------------------------------------


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


# --- outlines to masks, and nothing else ----------------------------------------------------------


@dataclass(frozen=True)
class Outlined:
    """An image's objects, parsed."""

    width: int
    height: int
    annotations: Annotations


def prepare_outlined(inputs: lab.Inputs) -> Sequence[Outlined]:
    data = in_memory(inputs)
    infos = [data.sample_info(place) for place in range(len(data))]
    return [Outlined(info.width, info.height, info.annotations) for info in infos]


def rasterise(item: Outlined) -> Mask:
    return instance_masks(item.annotations, item.width, item.height)


WORKLOADS = (
    mapped(
        name="annotations",
        title="Boxes, polygons → masks",
        about="COCO records parsed, flipped and filtered in Python, outlines rasterised with "
        "small NumPy calls; nearly all of the time holds the GIL",
        prepare=prepare_labelled,
        call=load_annotations,
    ),
    mapped(
        name="masks",
        title="Masks",
        about="outlines, parsed beforehand, made bitmaps of the image's size; tracing them is "
        "NumPy calls on some hundred numbers each, which hold the GIL, and filling the bitmaps is "
        "longer ones, which let go of it in part",
        prepare=prepare_outlined,
        call=rasterise,
    ),
)
