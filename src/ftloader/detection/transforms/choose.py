"""Transforms left to chance: ``RandomApply`` and ``RandomChoice``.

They are transforms like any other: they draw first, know the size that comes out, and nest.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator

from ftloader.detection.annotations import Annotations
from ftloader.detection.sample import Image, Sample, SampleInfo
from ftloader.detection.transforms.base import NO_PARTNERS, Partners, Transform
from ftloader.safety import ThreadSafety, weakest


@dataclass(frozen=True, slots=True)
class RandomApplyParams:
    """Parameters of the transform, or None where it is left out."""

    applied: Any | None


@dataclass(frozen=True, slots=True)
class RandomApply(Transform[RandomApplyParams]):
    """Do a transform with some probability, or nothing.

    Draws one number, and what the transform draws if it is to be done.

    Attributes:
        transform: what may be done; several steps go into a ``Compose``.
        probability: of doing it, 0 to 1.

    Raises:
        ValueError: no transform, or a probability that is not between 0 and 1.
    """

    transform: Transform[Any]
    probability: float = 0.5

    def __post_init__(self) -> None:
        checked("RandomApply", (self.transform,))
        if not 0 <= self.probability <= 1:
            raise ValueError(
                f"RandomApply: probability must be between 0 and 1, not {self.probability}"
            )

    @property
    def thread_safety(self) -> ThreadSafety:
        """What the transform promises."""
        return self.transform.thread_safety

    @property
    def reads_objects(self) -> bool:
        """Whether the transform's ``draw`` does."""
        return self.transform.reads_objects

    def draw(self, rng: Generator, info: SampleInfo) -> RandomApplyParams | None:
        """Decide whether, then how; None if the transform drops the sample."""
        if rng.random() >= self.probability:
            return RandomApplyParams(None)
        params = self.transform.draw(rng, info)
        return None if params is None else RandomApplyParams(params)

    def output_size(self, info: SampleInfo, params: RandomApplyParams) -> tuple[int, int]:
        """Return the transform's output size, or the size as it is."""
        if params.applied is None:
            return info.size
        return self.transform.output_size(info, params.applied)

    def annotations_after(self, info: SampleInfo, params: RandomApplyParams) -> Annotations:
        """Return the transform's objects, or those that are there."""
        if params.applied is None:
            return info.annotations
        return self.transform.annotations_after(info, params.applied)

    def pixels(self, image: Image, params: RandomApplyParams) -> Image:
        """Return the transform's image, or the one that is there."""
        return image if params.applied is None else self.transform.pixels(image, params.applied)

    def apply(
        self, sample: Sample, params: RandomApplyParams, partners: Partners = NO_PARTNERS
    ) -> Sample:
        """Apply the transform, or return the sample itself."""
        if params.applied is None:
            return sample
        return self.transform.apply(sample, params.applied, partners)

    def partners(self, params: RandomApplyParams) -> tuple[int, ...]:
        """Return the transform's partners, if it is to be done."""
        return () if params.applied is None else self.transform.partners(params.applied)

    def __str__(self) -> str:
        return listed("RandomApply", [f"{self.probability:.3g} {self.transform}"])


@dataclass(frozen=True, slots=True)
class RandomChoiceParams:
    """Position of the transform chosen, from 0, and its parameters."""

    chosen: int
    params: Any


@dataclass(frozen=True, slots=True)
class RandomChoice(Transform[RandomChoiceParams]):
    """Do one of several transforms.

    Draws one number, and what the chosen transform draws.

    Attributes:
        transforms: what to choose from, kept as a tuple; several steps go into a ``Compose``.
        probabilities: one per transform, with a sum of 1; None makes all equally likely.

    Raises:
        ValueError: nothing to choose from, a choice that is not a transform, or probabilities
            that do not fit.
    """

    transforms: Sequence[Transform[Any]]
    probabilities: Sequence[float] | None = None

    def __post_init__(self) -> None:
        choices = checked("RandomChoice", self.transforms)
        object.__setattr__(self, "transforms", choices)
        if not choices:
            raise ValueError("RandomChoice: there is nothing to choose from")
        if self.probabilities is None:
            return
        chances = tuple(self.probabilities)
        object.__setattr__(self, "probabilities", chances)
        if len(chances) != len(choices):
            raise ValueError(
                f"RandomChoice: {len(choices)} transforms need as many probabilities, "
                f"not {len(chances)}"
            )
        if not min(chances) >= 0 or not math.isclose(sum(chances), 1, abs_tol=1e-6):
            raise ValueError(
                f"RandomChoice: probabilities must not be negative and add up to 1, not {chances}"
            )

    @property
    def thread_safety(self) -> ThreadSafety:
        """What the weakest choice promises."""
        return weakest(choice.thread_safety for choice in self.transforms)

    @property
    def reads_objects(self) -> bool:
        """Whether the ``draw`` of any choice does."""
        return any(choice.reads_objects for choice in self.transforms)

    def draw(self, rng: Generator, info: SampleInfo) -> RandomChoiceParams | None:
        """Decide which, then how; None if the chosen transform drops the sample."""
        chosen = self._at(float(rng.random()))
        params = self.transforms[chosen].draw(rng, info)
        return None if params is None else RandomChoiceParams(chosen, params)

    def output_size(self, info: SampleInfo, params: RandomChoiceParams) -> tuple[int, int]:
        """Return the chosen transform's output size."""
        return self.transforms[params.chosen].output_size(info, params.params)

    def annotations_after(self, info: SampleInfo, params: RandomChoiceParams) -> Annotations:
        """Return the chosen transform's objects."""
        return self.transforms[params.chosen].annotations_after(info, params.params)

    def pixels(self, image: Image, params: RandomChoiceParams) -> Image:
        """Return the chosen transform's image."""
        return self.transforms[params.chosen].pixels(image, params.params)

    def apply(
        self, sample: Sample, params: RandomChoiceParams, partners: Partners = NO_PARTNERS
    ) -> Sample:
        """Apply the chosen transform."""
        return self.transforms[params.chosen].apply(sample, params.params, partners)

    def partners(self, params: RandomChoiceParams) -> tuple[int, ...]:
        """Return the chosen transform's partners."""
        return self.transforms[params.chosen].partners(params.params)

    def __str__(self) -> str:
        chances = self.probabilities or [1 / len(self.transforms)] * len(self.transforms)
        pairs = zip(chances, self.transforms, strict=True)
        return listed("RandomChoice", (f"{chance:.3g} {step}" for chance, step in pairs))

    def _at(self, at: float) -> int:
        """Return which choice owns a point of [0, 1)."""
        if self.probabilities is None:
            return int(at * len(self.transforms))
        likely = [i for i, chance in enumerate(self.probabilities) if chance > 0]
        bound = 0.0
        for i in likely:
            bound += self.probabilities[i]
            if at < bound:
                return i
        return likely[-1]  # the sum may fall short of 1 by rounding


def checked(owner: str, transforms: Sequence[Any]) -> tuple[Transform[Any], ...]:
    """Return the steps of a transform made of transforms.

    Raises:
        ValueError: one of them is not a transform; the message names the owner and the step.
    """
    for number, step in enumerate(transforms, 1):
        if not isinstance(step, Transform):
            raise ValueError(
                f"{owner}: step {number} is {step!r:.60}, not a transform; "
                f"pass an instance of a Transform"
            )
    return tuple(transforms)


def listed(head: str, parts: Iterable[str]) -> str:
    """Return a transform made of transforms as text for people: one part per line, indented."""
    return f"{head}:\n" + textwrap.indent("\n".join(parts), "  ")
