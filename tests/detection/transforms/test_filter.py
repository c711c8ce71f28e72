import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection.annotations import filter_annotations
from ftloader.detection.transforms.filter import FilterAnnotations, FilterParams
from ftloader.errors import DataError
from ftloader.rng import sample_rng
from tests.detection.transforms.cases import (
    assert_same_annotations,
    assert_same_samples,
    assert_size_is_real,
    polygon,
    sample_of,
    samples,
    seeds,
)

lengths = st.floats(0, 20)
filters = st.builds(
    FilterAnnotations,
    st.tuples(lengths, lengths),
    st.none() | st.floats(0, 200),
    st.booleans(),
)
RNG = sample_rng(0, 0, 0)


def kept(transform, sample):
    result = transform(sample, RNG)
    return None if result is None else (result.info.annotations.ids - 100).tolist()


@given(filters, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_any_filter_keeps_exactly_the_objects_that_are_large_enough(transform, sample, seed):
    params = transform.draw(sample_rng(seed, 0, 0), sample.info)
    expected = filter_annotations(sample.info.annotations, min_size=transform.min_size).ids - 100
    if transform.min_mask_area is not None:
        areas = sample.masks().sum(axis=(1, 2))
        expected = expected[areas[expected] >= transform.min_mask_area]
    if params is None:
        assert transform.drop_empty
        assert len(sample.boxes) > len(expected) == 0
        return
    assert len(expected) or not len(sample.boxes) or not transform.drop_empty
    result = transform.apply(sample, params)
    assert_size_is_real(transform, sample, params, result)
    assert_same_annotations(result.info.annotations, sample.info.annotations.take(expected))
    assert result.image is sample.image


@given(filters, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_parameters_replay_to_the_same_sample(transform, sample, seed):
    result = transform(sample, sample_rng(seed, 0, 0))
    params = transform.draw(sample_rng(seed, 1, 0), sample.info)
    assert (result is None) == (params is None)
    if params is not None:
        assert_same_samples(result, transform.apply(sample, pickle.loads(pickle.dumps(params))))


def test_nothing_is_drawn_from_the_generator():
    rng = sample_rng(3, 0, 0)
    FilterAnnotations((5, 5), 3).draw(rng, sample_of([(0, 0, 9, 9), (0, 0, 3, 3)], 9, 9).info)
    assert rng.random() == sample_rng(3, 0, 0).random()


def test_a_box_of_exactly_the_least_size_goes():
    sample = sample_of([(0, 0, 4, 9), (0, 0, 4.5, 9), (0, 0, 9, 5), (0, 0, 9, 5.5)], 10, 10)
    assert kept(FilterAnnotations((4, 5)), sample) == [1, 3]


def test_the_least_size_is_compared_in_the_precision_of_the_boxes():
    sample = sample_of([(0, 0, 0.1, 1), (0, 0, 2, 2)], 10, 10)
    assert kept(FilterAnnotations((0.1, 0.1)), sample) == [1]


def test_a_mask_of_exactly_the_least_area_stays():
    corner = (polygon(0, 0, 2, 3),)
    outside = (polygon(0, 0, 2, 2), polygon(20, 20, 30, 30))
    sample = sample_of([(0, 0, 9, 9)] * 4, 10, 10, [corner, outside, "none", "rle"])
    assert kept(FilterAnnotations(min_mask_area=6), sample) == [0, 3]
    assert kept(FilterAnnotations(min_mask_area=7), sample) == [3]
    assert kept(FilterAnnotations(), sample) == [0, 1, 2, 3]


def test_crowd_regions_are_judged_like_all_others():
    sample = sample_of([(0, 0, 9, 9)] * 3 + [(0, 0, 1, 1)], 10, 10)
    assert sample.crowd.tolist() == [False, False, False, True]
    assert kept(FilterAnnotations(), sample) == [0, 1, 2]


def test_a_sample_that_loses_its_last_object_is_dropped_if_wanted():
    sample = sample_of([(0, 0, 1, 1)], 10, 10)
    assert kept(FilterAnnotations(), sample) is None
    assert kept(FilterAnnotations(drop_empty=False), sample) == []


@pytest.mark.parametrize("drop_empty", [False, True])
def test_a_sample_that_came_without_objects_passes(drop_empty):
    sample = sample_of([], 10, 10)
    result = FilterAnnotations(drop_empty=drop_empty, min_mask_area=1)(sample, RNG)
    assert result.info.annotations is sample.info.annotations


def test_parameters_tell_which_objects_stay():
    sample = sample_of([(0, 0, 5, 5), (0, 0, 1, 1), (0, 0, 5, 5)], 10, 10)
    params = FilterAnnotations().draw(RNG, sample.info)
    assert repr(params) == "FilterParams(keep=(0, 2))"
    assert FilterAnnotations((0, 0)).draw(RNG, sample.info) == FilterParams(None)


def test_an_outline_that_cannot_be_traced_is_named():
    sample = sample_of([(0, 0, 20, 20)], 30, 30, [(polygon(0, 0, np.nan, 5),)])
    with pytest.raises(DataError, match="annotation 100: a polygon coordinate is not finite"):
        FilterAnnotations(min_mask_area=1).draw(RNG, sample.info)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_size": (-1, 0)}, "min_size must be a width and a height in pixels"),
        ({"min_size": (1,)}, "min_size must be a width and a height in pixels"),
        ({"min_size": (float("nan"), 0)}, "min_size must be a width and a height in pixels"),
        ({"min_mask_area": -1}, "min_mask_area must be a number of pixels or None, not -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FilterAnnotations(**settings)
