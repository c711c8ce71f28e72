"""Transforms one after the other: ``Compose``; and :func:`steps`, which takes it apart.

``Compose`` is a transform like any other: it draws first, knows the size that comes out, and nests.
What it draws is what its steps draw, in their order, from the one generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from numpy.random import Generator

from ftloader.detection.annotations import Annotations
from ftloader.detection.sample import Image, Sample, SampleInfo
from ftloader.detection.transforms.base import NO_PARTNERS, Partners, Transform
from ftloader.detection.transforms.choose import (
    RandomApply,
    RandomApplyParams,
    RandomChoice,
    RandomChoiceParams,
    checked,
    listed,
)
from ftloader.safety import ThreadSafety, weakest

__all__ = [
    "Compose",
    "RandomApply",
    "RandomApplyParams",
    "RandomChoice",
    "RandomChoiceParams",
    "steps",
]

_NO_OBJECTS: Final = Annotations.none()


@dataclass(frozen=True, slots=True)
class Compose(Transform[tuple[Any, ...]]):
    """Do one transform after the other; the parameters are those of the steps, in a tuple.

    ``draw`` moves the objects along only as far as some step still reads them. So planning with
    steps that look at the size alone costs microseconds, and gives the same parameters.

    Attributes:
        transforms: the steps, kept as a tuple; none at all changes nothing.

    Raises:
        ValueError: a step is not a transform.
    """

    transforms: Sequence[Transform[Any]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", checked("Compose", self.transforms))

    @property
    def thread_safety(self) -> ThreadSafety:
        """What the weakest step promises."""
        return weakest(step.thread_safety for step in self.transforms)

    @property
    def reads_objects(self) -> bool:
        """Whether the ``draw`` of any step does."""
        return any(step.reads_objects for step in self.transforms)

    def draw(self, rng: Generator, info: SampleInfo) -> tuple[Any, ...] | None:
        """Draw for every step on what the steps before leave; None as soon as one drops."""
        reading = [number for number, step in enumerate(self.transforms) if step.reads_objects]
        last = reading[-1] if reading else -1
        drawn = []
        for number, step in enumerate(self.transforms):
            params = step.draw(rng, info)
            if params is None:
                return None
            drawn.append(params)
            if number < last:
                info = step.info_after(info, params)
            else:
                info = _sized(info, step.output_size(info, params))
        return tuple(drawn)

    def output_size(self, info: SampleInfo, params: tuple[Any, ...]) -> tuple[int, int]:
        """Return the size that the last step leaves."""
        for step, own in zip(self.transforms, params, strict=True):
            info = _sized(info, step.output_size(info, own))
        return info.size

    def annotations_after(self, info: SampleInfo, params: tuple[Any, ...]) -> Annotations:
        """Return the objects that the last step leaves."""
        return self.info_after(info, params).annotations

    def info_after(self, info: SampleInfo, params: tuple[Any, ...]) -> SampleInfo:
        """Return what the last step leaves."""
        for step, own in zip(self.transforms, params, strict=True):
            info = step.info_after(info, own)
        return info

    def pixels(self, image: Image, params: tuple[Any, ...]) -> Image:
        """Return the image that the last step leaves; steps with partners need ``apply``."""
        for step, own in zip(self.transforms, params, strict=True):
            image = step.pixels(image, own)
        return image

    def apply(
        self, sample: Sample, params: tuple[Any, ...], partners: Partners = NO_PARTNERS
    ) -> Sample:
        """Apply the steps in turn, each with the partners of all."""
        for step, own in zip(self.transforms, params, strict=True):
            sample = step.apply(sample, own, partners)
        return sample

    def partners(self, params: tuple[Any, ...]) -> tuple[int, ...]:
        """Return the partners of all steps, each once, in the order in which they come up."""
        pairs = zip(self.transforms, params, strict=True)
        return tuple(dict.fromkeys(i for step, own in pairs for i in step.partners(own)))

    def __str__(self) -> str:
        return listed("Compose", (f"{n} {step}" for n, step in enumerate(self.transforms, 1)))


def steps(transform: Transform[Any], params: Any) -> Iterator[tuple[Transform[Any], Any]]:
    """Yield the elementary transforms that will be applied, in order, with their parameters.

    Args:
        transform: any transform; ``Compose``, ``RandomApply`` and ``RandomChoice`` are taken
            apart, down to what they do with these parameters.
        params: what it drew.
    """
    if isinstance(transform, Compose):
        for step, own in zip(transform.transforms, params, strict=True):
            yield from steps(step, own)
    elif isinstance(transform, RandomApply):
        if params.applied is not None:
            yield from steps(transform.transform, params.applied)
    elif isinstance(transform, RandomChoice):
        yield from steps(transform.transforms[params.chosen], params.params)
    else:
        yield transform, params


def _sized(info: SampleInfo, size: tuple[int, int]) -> SampleInfo:
    """Return what a step that reads no objects may look at."""
    return replace(info, width=size[0], height=size[1], annotations=_NO_OBJECTS)
