"""One suite over all transforms: what ``transforms/base.py`` promises of each of them."""

from __future__ import annotations

import dataclasses
import pickle
import random
from typing import Any

import numpy as np
import pytest

import ftloader.detection.transforms as package
from ftloader.detection.annotations import Annotations
from ftloader.detection.geometry import clipped
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.normalize import Normalize
from ftloader.detection.transforms.recipes import RECIPES as BUILDERS

from .cases import CASES, RECIPES, TRANSFORMS, Make, all_transforms
from .samples import (
    SAMPLES,
    InMemory,
    digest,
    in_memory,
    partners_of,
    stream,
    writeable_arrays,
)
from .threads import all_at_once

SEEDS = range(2)
DATA = in_memory(*SAMPLES.values())
TIDY = [i for i, name in enumerate(SAMPLES) if name != "over-the-edge"]


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """What a transform drew for a sample, and made of it."""

    transform: Transform[Any]
    sample: Sample
    seed: int
    params: Any
    partners: dict[int, Sample]
    result: Sample

    @property
    def info(self) -> SampleInfo:
        return self.sample.info

    def draw(self) -> Any:
        return self.transform.draw(stream(self.seed), self.info)

    def apply(self) -> Sample:
        return self.transform.apply(self.sample, self.params, self.partners)


def cases_of(make: Make, data: InMemory = DATA) -> list[Case]:
    """Run a transform on every sample, several times; what it drops is left out."""
    transform = make(data)
    cases = []
    for sample in data.samples:
        for seed in SEEDS:
            params = transform.draw(stream(seed), sample.info)
            if params is not None:
                partners = partners_of(transform, params, data)
                result = transform.apply(sample, params, partners)
                cases.append(Case(transform, sample, seed, params, partners, result))
    return cases


@pytest.fixture(scope="module", params=CASES.values(), ids=list(CASES))
def make(request: pytest.FixtureRequest) -> Make:
    result: Make = request.param
    return result


@pytest.fixture(scope="module")
def cases(make: Make) -> list[Case]:
    return cases_of(make)


def test_every_transform_is_in_the_table() -> None:
    covered = {type(make(DATA)) for make in TRANSFORMS.values()}
    assert {kind.__name__ for kind in all_transforms()} == {kind.__name__ for kind in covered}


def test_every_transform_is_exported() -> None:
    assert {kind.__name__ for kind in all_transforms()} <= set(package.__all__)


def test_every_recipe_is_in_the_table() -> None:
    assert set(RECIPES) == set(BUILDERS)


def test_every_case_gets_to_work(cases: list[Case]) -> None:
    assert len(cases) >= len(SEEDS)


def test_inputs_are_never_written(cases: list[Case]) -> None:
    for case in cases:
        inputs = [case.sample, *case.partners.values()]
        assert not any(map(writeable_arrays, inputs))
        before = list(map(digest, inputs))
        case.apply()
        case.transform.info_after(case.info, case.params)
        assert list(map(digest, inputs)) == before


def test_the_same_stream_gives_the_same_parameters(cases: list[Case]) -> None:
    for case in cases:
        assert case.draw() == case.params


def test_the_same_parameters_give_the_same_bits(cases: list[Case]) -> None:
    for case in cases:
        assert digest(case.apply()) == digest(case.result)


def test_equal_settings_give_the_same_bits(make: Make, cases: list[Case]) -> None:
    for case, other in zip(cases, cases_of(make), strict=True):
        assert case.params == other.params
        assert digest(case.result) == digest(other.result)


def test_the_output_size_is_known_before_the_pixels(cases: list[Case]) -> None:
    for case in cases:
        width, height = case.transform.output_size(case.info, case.params)
        assert case.result.image.shape == (height, width, 3)
        assert case.result.info.size == (width, height)
        assert type(width) is type(height) is int


def test_everything_but_the_pixels_is_known_before_them(cases: list[Case]) -> None:
    for case in cases:
        predicted = case.transform.info_after(case.info, case.params)
        objects = case.transform.annotations_after(case.info, case.params)
        assert digest(predicted) == digest(case.result.info)
        assert digest(objects) == digest(case.result.info.annotations)


def test_a_sample_keeps_its_identity(cases: list[Case]) -> None:
    for case in cases:
        for name in ("index", "image_id", "file_name", "original_size"):
            assert getattr(case.result.info, name) == getattr(case.info, name)


def test_columns_keep_their_types_and_agree_in_length(cases: list[Case]) -> None:
    reference = Annotations.none()
    for case in cases:
        notes = case.result.info.annotations
        for field in dataclasses.fields(Annotations):
            column = getattr(notes, field.name)
            assert len(column) == len(notes)
            if field.name != "segmentations":
                assert column.dtype == getattr(reference, field.name).dtype
        assert notes.boxes.shape == (len(notes), 4)
        assert type(notes.segmentations) is tuple


def test_images_stay_uint8_unless_normalised(cases: list[Case]) -> None:
    for case in cases:
        expected = np.float32 if isinstance(case.transform, Normalize) else np.uint8
        assert case.result.image.dtype == expected


def test_outlines_fit_the_image_that_comes_out(cases: list[Case]) -> None:
    for case in cases:
        masks = case.result.masks()
        assert masks.shape == (len(case.result.boxes), *case.result.image.shape[:2])
        assert masks.max(initial=0) <= 1


def test_boxes_inside_the_image_stay_inside(make: Make) -> None:
    for case in cases_of(make, in_memory(*(DATA.samples[i] for i in TIDY))):
        boxes = case.result.boxes
        np.testing.assert_array_equal(boxes, clipped(boxes, case.result.info.size))
        assert (boxes[:, 2:] >= boxes[:, :2]).all()


def test_a_draw_that_does_not_read_objects_is_the_same_without_them(cases: list[Case]) -> None:
    for case in cases:
        if not case.transform.reads_objects:
            bare = dataclasses.replace(case.info, annotations=Annotations.none())
            assert case.transform.draw(stream(case.seed), bare) == case.params


def test_partners_are_plain_indices_of_the_data_set_each_once(cases: list[Case]) -> None:
    for case in cases:
        partners = case.transform.partners(case.params)
        assert len(set(partners)) == len(partners)
        assert all(type(i) is int and 0 <= i < len(DATA) for i in partners)


def test_parameters_survive_pickling(cases: list[Case]) -> None:
    for case in cases:
        copy = dataclasses.replace(case, params=pickle.loads(pickle.dumps(case.params)))
        assert copy.params == case.params
        assert digest(copy.apply()) == digest(case.result)


def test_parameters_and_settings_can_be_read_in_a_log(cases: list[Case]) -> None:
    for case in cases:
        for text in (repr(case.params), repr(case.transform)):
            assert not any(part in text for part in ("\n", " at 0x", "array(", "np."))
            assert len(text) < 1200


def test_parameters_and_settings_cannot_be_changed(cases: list[Case]) -> None:
    for case in cases:
        for thing in (case.transform, *parts_of(case.params)):
            assert not hasattr(thing, "__dict__")
            for field in dataclasses.fields(thing):
                with pytest.raises(dataclasses.FrozenInstanceError):
                    setattr(thing, field.name, None)


def test_no_global_random_state_is_touched(make: Make) -> None:
    legacy, standard = pickle.dumps(np.random.get_state()), random.getstate()
    cases_of(make)
    assert pickle.dumps(np.random.get_state()) == legacy
    assert random.getstate() == standard


@pytest.mark.usefixtures("eager_switching")
def test_eight_threads_at_once_do_what_one_does(cases: list[Case]) -> None:
    """One instance, one set of parameters, one sample: shared by all threads."""
    work = [case for case in cases if case.seed == 0]
    alone = [digest(case.result) for case in work]

    def everything() -> list[str]:
        assert [case.draw() for case in work] == [case.params for case in work]
        return [digest(case.apply()) for case in work]

    assert all_at_once(everything, 8) == [alone] * 8


def parts_of(params: Any) -> tuple[Any, ...]:
    """Return the parameter objects in what a transform drew."""
    return params if isinstance(params, tuple) else (params,)
