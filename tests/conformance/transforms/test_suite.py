"""The suite sees what it is there for: transforms that break a promise fail its tests."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from ftloader.detection.sample import Image, Sample, SampleInfo
from ftloader.detection.transforms.base import NO_PARTNERS, Partners, Transform

from . import test_contract as contract


@dataclass(frozen=True, slots=True)
class Nothing(Transform[float]):
    def draw(self, rng: Generator, info: SampleInfo) -> float:
        return float(rng.random())

    def output_size(self, info: SampleInfo, params: float) -> tuple[int, int]:
        return info.size


class Writes(Nothing):
    def pixels(self, image: Image, params: float) -> Image:
        image[0, 0] += 1
        return image


class WrongSize(Nothing):
    def output_size(self, info: SampleInfo, params: float) -> tuple[int, int]:
        return info.width + 1, info.height


class LateObjects(Nothing):
    def apply(self, sample: Sample, params: float, partners: Partners = NO_PARTNERS) -> Sample:
        boxes = sample.boxes + np.float32(1)
        notes = replace(sample.info.annotations, boxes=boxes)
        return replace(sample, info=replace(sample.info, annotations=notes))


class Forgets(Nothing):
    def info_after(self, info: SampleInfo, params: float) -> SampleInfo:
        return replace(info, original_size=info.size[::-1])


class Doubles(Nothing):
    def pixels(self, image: Image, params: float) -> Image:
        return image.astype(np.float64)  # type: ignore[return-value]


class Peeks(Nothing):
    def draw(self, rng: Generator, info: SampleInfo) -> float:
        return float(len(info.annotations))


class DrawsAgain(Nothing):
    def pixels(self, image: Image, params: float) -> Image:
        return image if random.random() < 0.5 else image[::-1]


class Shouts(Nothing):
    def draw(self, rng: Generator, info: SampleInfo) -> Any:
        return np.zeros(3)


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (WrongSize, contract.test_the_output_size_is_known_before_the_pixels),
        (LateObjects, contract.test_everything_but_the_pixels_is_known_before_them),
        (Forgets, contract.test_a_sample_keeps_its_identity),
        (Doubles, contract.test_images_stay_uint8_unless_normalised),
        (Peeks, contract.test_a_draw_that_does_not_read_objects_is_the_same_without_them),
        (DrawsAgain, contract.test_the_same_parameters_give_the_same_bits),
        (DrawsAgain, contract.test_eight_threads_at_once_do_what_one_does),
        (Shouts, contract.test_parameters_and_settings_can_be_read_in_a_log),
    ],
)
def test_a_broken_promise_is_seen(
    kind: type[Nothing], test: Callable[[list[contract.Case]], None]
) -> None:
    test(contract.cases_of(lambda data: Nothing()))
    with pytest.raises(AssertionError):
        test(contract.cases_of(lambda data: kind()))


def test_a_written_input_is_seen() -> None:
    with pytest.raises(ValueError, match="read-only"):
        contract.cases_of(lambda data: Writes())


def test_global_random_state_is_watched() -> None:
    before = random.getstate()
    try:
        with pytest.raises(AssertionError):
            contract.test_no_global_random_state_is_touched(lambda data: DrawsAgain())
    finally:
        random.setstate(before)
