"""Pixels: nearly all of the time is spent inside Pillow, which releases the GIL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ftloader import lab
from ftloader.detection.image import decode, fit_within, resize

from .mapped import mapped

Pixels = np.ndarray[Any, Any]
LONG_EDGE, SHORT_EDGE = 1333, 800


def all_samples(inputs: lab.Inputs) -> Sequence[lab.JpegSample]:
    return inputs.samples


def decoded(inputs: lab.Inputs) -> Sequence[Pixels]:
    return [decode(sample.jpeg) for sample in inputs.samples]


def decode_one(sample: lab.JpegSample) -> Pixels:
    return decode(sample.jpeg)


def resize_one(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    return resize(image, fit_within(width, height, LONG_EDGE, SHORT_EDGE))


def decode_and_resize(sample: lab.JpegSample) -> Pixels:
    return resize_one(decode(sample.jpeg))


WORKLOADS = (
    mapped(
        name="decode",
        title="Decode",
        about="JPEG bytes to RGB; nearly all of the time is spent inside Pillow's decoder, which "
        "releases the GIL; opening the file and copying the pixels out hold it",
        prepare=all_samples,
        call=decode_one,
    ),
    mapped(
        name="resize",
        title="Resize",
        about="decoded images, resized to fit 1333 × 800; nearly all of the time is spent inside "
        "Pillow, which releases the GIL; copying the pixels in and out holds it",
        prepare=decoded,
        call=resize_one,
    ),
    mapped(
        name="decode_resize",
        title="Decode + resize",
        about="JPEG bytes to RGB, resized to fit 1333 × 800; nearly all of the time is spent "
        "inside Pillow, which releases the GIL",
        prepare=all_samples,
        call=decode_and_resize,
    ),
)
