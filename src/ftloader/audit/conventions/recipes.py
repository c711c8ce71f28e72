"""ftloader's own transforms: ``draw``, then ``apply``, with partners read in between.

The inputs are read-only, as those that ftloader decodes are. Partners come from the data set that
the transform itself holds, else from the made samples.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from ...detection import Annotations, Sample, SampleInfo
from ...detection.transforms import Transform
from .base import Convention, View
from .coded import Coded, picture, pictures
from .frozen import frozen
from .views import view


class Ftloader(Convention):
    """``transform.apply(sample, transform.draw(rng, sample.info), partners)``."""

    name: ClassVar[str] = "ftloader"

    def samples(self) -> Sequence[Any]:
        """Make ftloader's samples."""
        return made_samples()

    def call(self, transform: Any, sample: Any, rng: Generator) -> Any:
        """Draw, read the partners, apply; None if the sample is dropped."""
        params = transform.draw(rng, sample.info)
        if params is None:
            return None
        partners = {i: _partner(transform, i) for i in transform.partners(params)}
        return transform.apply(sample, params, partners)

    def view(self, value: Any) -> View | None:
        """Return the picture and the objects of a sample."""
        return view(value)

    def copy(self, sample: Any) -> Any:
        """Return a copy that is read-only, as decoded samples are."""
        return frozen(sample)


class MadeDataset:
    """The made samples as a data set, for transforms that take partners from one.

    Thread safety: never written to; share it freely.
    """

    thread_safety = "read-only state"

    def __init__(self) -> None:
        self._samples: tuple[Sample, ...] = tuple(map(frozen, made_samples()))

    def __len__(self) -> int:
        return len(self._samples)

    def sample_info(self, i: int) -> SampleInfo:
        """Return what is known of sample ``i`` without its pixels."""
        return self._samples[i].info

    def load(self, i: int) -> Sample:
        """Return sample ``i``."""
        return self._samples[i]


@functools.cache
def _made_dataset() -> MadeDataset:
    return MadeDataset()


def made_samples() -> list[Sample]:
    """Return the coded pictures as samples."""
    return [_sample(coded) for coded in pictures()]


def with_dataset(
    make: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return keyword arguments for a class or a factory, with a data set if that is missing.

    Args:
        make: what is to be called; if it needs a ``dataset``, it gets the made samples as one.
        args: what it is called with.
        kwargs: the same, by name.
    """
    try:
        signature = inspect.signature(make)
        given = signature.bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):  # it has none, or refuses them: the call itself will tell
        return dict(kwargs)
    wanted = signature.parameters.get("dataset")
    if wanted is None or "dataset" in given or wanted.default is not wanted.empty:
        return dict(kwargs)
    return {**kwargs, "dataset": _made_dataset()}


def _sample(coded: Coded) -> Sample:
    boxes = coded.boxes
    count = len(boxes)
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
    notes = Annotations(
        boxes=boxes,
        labels=coded.labels,
        crowd=np.zeros(count, bool),
        areas=sides[:, 0] * sides[:, 1],
        ids=coded.labels + 1,
        segmentations=tuple((box[[0, 1, 2, 1, 2, 3, 0, 3]].astype("f8"),) for box in boxes),
    )
    number, size = coded.number, coded.size
    info = SampleInfo(*size, notes, number, 1000 + number, f"made-{number:02}.png", size)
    return Sample(coded.image, info)


def _partner(transform: Any, i: int) -> Sample:
    """Return what partner ``i`` is to the transform that asked for it."""
    for dataset in _datasets(transform):
        if hasattr(dataset, "load"):
            loaded: Sample = dataset.load(i)
            return loaded
        info = dataset.sample_info(i)
        return Sample(picture(info.size, i), info)
    made = made_samples()
    return made[i % len(made)]


def _datasets(transform: Any) -> Iterator[Any]:
    if is_dataclass(transform):
        held = [getattr(transform, field.name) for field in fields(transform)]
    else:
        held = list(getattr(transform, "__dict__", {}).values())
    for value in held:
        if hasattr(value, "sample_info"):
            yield value
        for part in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(part, Transform):
                yield from _datasets(part)
