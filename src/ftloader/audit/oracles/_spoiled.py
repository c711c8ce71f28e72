"""Inputs that a transform can hardly use: parts missing, of no pixels, or of the wrong kind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from PIL import Image

from ...detection import Sample

_MOST_KEYS: Final = 8


def spoiled(sample: Any, copy: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    """Yield what was done to a copy of a sample, and the copy.

    Args:
        sample: a good one; not changed.
        copy: makes copies of it.
    """
    yield "None", None
    if isinstance(sample, Sample):
        for what, part in _parts(sample.image):
            yield f"an image that is {what}", replace(copy(sample), image=part)
        notes = replace(sample.info.annotations, boxes=np.zeros(3, np.float32))
        yield (
            "boxes of one dimension",
            replace(copy(sample), info=replace(sample.info, annotations=notes)),
        )
    elif isinstance(sample, Mapping):
        for key in list(sample)[:_MOST_KEYS]:
            for what, part in _parts(sample[key]):
                yield f"{key!r} that is {what}", {**copy(sample), key: part}
            without = dict(copy(sample))
            del without[key]
            yield f"a sample without {key!r}", without
    elif isinstance(sample, tuple):
        for i, each in enumerate(sample):
            for what, part in _parts(each):
                made = list(copy(sample))
                made[i] = part
                yield f"part {i} that is {what}", tuple(made)
    else:
        yield from _parts(sample)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield bad stand-ins for one part of a sample."""
    if isinstance(value, np.ndarray):
        yield "a number", np.array(0, value.dtype)
        yield "empty", np.zeros((0,) * value.ndim, value.dtype)
        yield "of words", np.full(value.shape[:1], "word")
    elif isinstance(value, Image.Image):
        yield "empty", Image.new("RGB", (0, 0))
        yield "of whole numbers", Image.new("I", value.size)
    elif (torch := sys.modules.get("torch")) is not None and isinstance(value, torch.Tensor):
        yield "empty", torch.zeros(0, dtype=value.dtype)
        yield "complex", torch.zeros(3, dtype=torch.complex64)
    else:
        yield "a word", "word"
