import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection.sample import Sample
from ftloader.detection.transforms.expand import Expand, ExpandParams
from ftloader.rng import sample_rng
from tests.detection.transforms.cases import (
    assert_same_samples,
    assert_size_is_real,
    info_of,
    sample_of,
    samples,
    seeds,
)

IMAGENET = (123.675, 116.28, 103.53)

expansions = st.builds(
    Expand,
    st.tuples(*[st.floats(0, 255)] * 3),
    st.tuples(st.floats(1, 4), st.floats(1, 4)).map(lambda pair: tuple(sorted(pair))),
    st.just(1.0),
)


@given(expansions, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_any_expansion_shows_the_whole_image_with_its_objects_on_one_colour(expand, sample, seed):
    params = expand.draw(sample_rng(seed, 0, 0), sample.info)
    result = expand.apply(sample, params)

    assert_size_is_real(expand, sample, params, result)
    x, y = params.x, params.y
    rows, columns = slice(y, y + sample.info.height), slice(x, x + sample.info.width)
    expected = np.empty((params.height, params.width, 3), np.uint8)
    expected[:] = [int(value) for value in expand.mean]
    expected[rows, columns] = sample.image
    np.testing.assert_array_equal(result.image, expected)
    np.testing.assert_array_equal(result.boxes, sample.boxes + np.float32([x, y, x, y]))
    np.testing.assert_array_equal(result.labels, sample.labels)
    # What an outline has outside the image shows on the canvas; only inside are masks the same.
    np.testing.assert_array_equal(result.masks()[:, rows, columns], sample.masks())


@given(expansions, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_parameters_replay_to_the_same_sample(expand, sample, seed):
    params = expand.draw(sample_rng(seed, 0, 0), sample.info)
    again = pickle.loads(pickle.dumps(params))
    assert again == params
    result = expand(sample, sample_rng(seed, 0, 0))
    assert_same_samples(result, expand.apply(sample, again))


@given(samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_boxes_inside_the_image_stay_inside_the_place_it_takes(sample, seed):
    inside = np.clip(sample.boxes, 0, np.array(sample.info.size * 2))
    sample = sample_of(inside.tolist(), *sample.info.size)
    expand = Expand(probability=1)
    params = expand.draw(sample_rng(seed, 0, 0), sample.info)
    boxes = expand.apply(sample, params).boxes
    corner = np.array((params.x, params.y))
    assert (boxes.reshape(-1, 2, 2) >= corner).all()
    assert (boxes.reshape(-1, 2, 2) <= corner + sample.info.size).all()
    assert (corner + sample.info.size <= (params.width, params.height)).all()


def test_sides_are_cut_to_whole_pixels():
    params = Expand(ratio_range=(1.5, 1.5), probability=1).draw(
        sample_rng(0, 0, 0), info_of([], 5, 3)
    )
    assert (params.width, params.height) == (7, 4)


def test_the_image_goes_anywhere_but_the_far_edge_as_in_mmdet():
    expand = Expand(ratio_range=(1.5, 1.5), probability=1)
    found = [expand.draw(sample_rng(seed, 0, 0), info_of([], 4, 6)) for seed in range(100)]
    assert {(params.x, params.y) for params in found} == {(x, y) for x in (0, 1) for y in (0, 1, 2)}


def test_the_whole_range_of_ratios_is_drawn():
    expand = Expand(ratio_range=(1, 4), probability=1)
    found = [expand.draw(sample_rng(seed, 0, 0), info_of([], 100, 50)) for seed in range(300)]
    widths = [params.width for params in found]
    assert 100 <= min(widths) < 105
    assert 395 < max(widths) < 400


@pytest.mark.parametrize(
    ("probability", "least", "most"), [(0, 0, 0), (0.5, 80, 120), (1, 200, 200)]
)
def test_it_happens_as_often_as_asked(probability, least, most):
    expand = Expand(ratio_range=(2, 3), probability=probability)
    info = info_of([], 10, 10)
    found = [expand.draw(sample_rng(seed, 0, 0), info) for seed in range(200)]
    assert least <= sum(params != ExpandParams(10, 10, 0, 0) for params in found) <= most


def test_where_nothing_is_done_the_sample_is_the_same_object_by_object():
    sample = sample_of([(1, 1, 5, 5)], 10, 10)
    result = Expand(probability=0)(sample, sample_rng(0, 0, 0))
    assert result.image is sample.image
    assert result.info.annotations is sample.info.annotations


def test_the_colour_is_cut_to_whole_numbers_on_bytes_and_kept_on_floats():
    sample = sample_of([], 2, 2)
    params = ExpandParams(4, 4, 2, 2)
    expand = Expand(IMAGENET)
    assert expand.apply(sample, params).image[0, 0].tolist() == [123, 116, 103]
    floats = Sample(sample.image.astype(np.float32), sample.info)
    result = expand.apply(floats, params).image
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[0, 0], np.float32(IMAGENET))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mean": (0, 0, 256)}, "mean must be three numbers from 0 to 255"),
        ({"mean": (0, 0)}, "mean must be three numbers from 0 to 255"),
        ({"mean": (0, 0, float("nan"))}, "mean must be three numbers from 0 to 255"),
        ({"ratio_range": (0.5, 2)}, "ratio_range must be two numbers of at least 1"),
        ({"ratio_range": (3, 2)}, "ratio_range must be two numbers of at least 1"),
        ({"ratio_range": (1, float("inf"))}, "ratio_range must be two numbers of at least 1"),
        ({"ratio_range": (2,)}, "ratio_range must be two numbers of at least 1"),
        ({"probability": 1.5}, "probability must be between 0 and 1, not 1.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Expand(**settings)
