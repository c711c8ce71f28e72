import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection.annotations import mask_boxes
from ftloader.detection.transforms.crop import CropParams, RandomCrop
from ftloader.errors import DataError
from ftloader.rng import sample_rng
from tests.detection.transforms.cases import (
    assert_inside,
    assert_same_samples,
    assert_size_is_real,
    info_of,
    polygon,
    sample_of,
    samples,
    seeds,
)

pixels = st.integers(1, 60)
fractions = st.floats(0.01, 1)
crops = st.one_of(
    st.builds(RandomCrop, st.tuples(pixels, pixels), st.just("absolute")),
    st.builds(
        RandomCrop,
        st.tuples(pixels, pixels).map(lambda pair: tuple(sorted(pair))),
        st.just("absolute_range"),
    ),
    st.builds(
        RandomCrop,
        st.tuples(fractions, fractions),
        st.sampled_from(["relative", "relative_range"]),
    ),
)


def with_options(crop, **options):
    return RandomCrop(crop.size, crop.mode, **options)


def drawn(crop, info, count=200):
    return [crop.draw(sample_rng(seed, 0, 0), info) for seed in range(count)]


@given(crops, samples(), seeds, st.booleans())
@settings(deadline=None, derandomize=True)
def test_any_crop_keeps_size_boxes_and_masks_consistent(crop, sample, seed, recompute):
    crop = with_options(crop, allow_negative_crop=True, recompute_boxes=recompute)
    params = crop.draw(sample_rng(seed, 0, 0), sample.info)
    result = crop.apply(sample, params)

    assert_size_is_real(crop, sample, params, result)
    assert_inside(result.boxes, result.info.size)
    rows = slice(params.y, params.y + params.height)
    columns = slice(params.x, params.x + params.width)
    np.testing.assert_array_equal(result.image, sample.image[rows, columns])
    kept = result.info.annotations.ids - 100
    np.testing.assert_array_equal(result.masks(), sample.masks()[kept][:, rows, columns])
    np.testing.assert_array_equal(result.labels, sample.labels[kept])
    outlined = result.masks().any(axis=(1, 2))
    # The objects are rectangles, so their clipped boxes are the boxes of their cropped masks.
    np.testing.assert_array_equal(result.boxes[outlined], mask_boxes(result.masks())[outlined])


@given(crops, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_parameters_replay_to_the_same_sample(crop, sample, seed):
    params = crop.draw(sample_rng(seed, 0, 0), sample.info)
    assert params == crop.draw(sample_rng(seed, 0, 0), sample.info)
    if params is None:
        assert crop(sample, sample_rng(seed, 0, 0)) is None
        return
    again = pickle.loads(pickle.dumps(params))
    result = crop(sample, sample_rng(seed, 0, 0))
    assert_same_samples(result, crop.apply(sample, again))


@given(crops, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_a_sample_is_dropped_exactly_if_no_object_would_be_left(crop, sample, seed):
    allowed = with_options(crop, allow_negative_crop=True)
    left = allowed(sample, sample_rng(seed, 0, 0)).info.annotations
    dropped = crop(sample, sample_rng(seed, 0, 0)) is None
    assert dropped == (len(left) == 0)


def test_absolute_takes_width_first_and_no_more_than_the_image_has():
    crop = RandomCrop((30, 10), allow_negative_crop=True)
    assert {p.size for p in drawn(crop, info_of([], 50, 40), 5)} == {(30, 10)}
    assert {p.size for p in drawn(crop, info_of([], 20, 5), 5)} == {(20, 5)}


def test_absolute_range_draws_either_side_from_both_ends_of_the_range():
    crop = RandomCrop((3, 6), "absolute_range", allow_negative_crop=True)
    sizes = {p.size for p in drawn(crop, info_of([], 50, 5))}
    assert sizes == {(w, h) for w in (3, 4, 5, 6) for h in (3, 4, 5)}
    assert {p.size for p in drawn(crop, info_of([], 2, 2), 5)} == {(2, 2)}


def test_relative_rounds_halves_up_and_takes_width_first():
    crop = RandomCrop((0.5, 0.25), "relative", allow_negative_crop=True)
    assert {p.size for p in drawn(crop, info_of([], 5, 10), 5)} == {(3, 3)}
    assert {p.size for p in drawn(crop, info_of([], 1, 1), 5)} == {(1, 1)}


def test_relative_range_reaches_from_the_fraction_to_the_whole_side():
    crop = RandomCrop((0.5, 1.0), "relative_range", allow_negative_crop=True)
    sizes = {p.size for p in drawn(crop, info_of([], 8, 7))}
    assert sizes == {(w, 7) for w in (4, 5, 6, 7, 8)}


def test_every_place_inside_the_image_is_drawn():
    crop = RandomCrop((2, 2), allow_negative_crop=True)
    places = {p.corner for p in drawn(crop, info_of([], 4, 3))}
    assert places == {(x, y) for x in range(3) for y in range(2)}


def test_boxes_that_only_touch_the_rectangle_go_and_slivers_stay():
    boxes = [
        (0, 0, 10, 30),  # ends where the rectangle begins
        (20, 10, 30, 20),  # begins where it ends
        (0, 0, 10.25, 30),
        (12, 5, 15, 10),
        (11, 11, 12, 12),
    ]
    sample = sample_of(boxes, 40, 40)
    result = RandomCrop((10, 10)).apply(sample, CropParams(10, 10, 10, 10))
    assert result.info.annotations.ids.tolist() == [102, 104]
    np.testing.assert_array_equal(result.boxes, [[0, 0, 0.25, 10], [1, 1, 2, 2]])


def test_boxes_may_be_left_unclipped():
    sample = sample_of([(5, 5, 30, 35)], 40, 40)
    crop = RandomCrop((10, 10), clip_boxes=False)
    result = crop.apply(sample, CropParams(10, 10, 10, 10))
    np.testing.assert_array_equal(result.boxes, [[-5, -5, 20, 25]])


def test_a_sample_without_objects_is_dropped_unless_negative_crops_are_allowed():
    sample = sample_of([], 20, 20)
    assert RandomCrop((5, 5))(sample, sample_rng(0, 0, 0)) is None
    result = RandomCrop((5, 5), allow_negative_crop=True)(sample, sample_rng(0, 0, 0))
    assert result.info.size == (5, 5)
    assert len(result.boxes) == 0


def test_recomputed_boxes_fit_what_is_left_of_the_masks():
    triangle = (np.array([0, 0, 20, 0, 0, 20.0]),)
    boxes = [(0, 0, 20, 20)] * 3 + [(0, 0, 16, 16)]
    sample = sample_of(boxes, 30, 30, [triangle, "rle", "none", triangle])
    params = CropParams(12, 2, 15, 15)
    crop = RandomCrop((15, 15), recompute_boxes=True)
    result = crop.apply(sample, params)
    np.testing.assert_array_equal(result.boxes[[0, 1, 3]], mask_boxes(result.masks())[[0, 1, 3]])
    assert result.boxes[0, 3] < 8  # the triangle's lower part lies left of the rectangle
    np.testing.assert_array_equal(result.boxes[2], [0, 0, 8, 15])


def test_an_object_whose_mask_is_cut_away_gets_an_empty_box():
    corner = (polygon(0, 0, 5, 5),)
    sample = sample_of([(0, 0, 20, 20)], 30, 30, [corner])
    crop = RandomCrop((10, 10), recompute_boxes=True)
    result = crop.apply(sample, CropParams(10, 10, 10, 10))
    np.testing.assert_array_equal(result.boxes, [[0, 0, 0, 0]])


def test_an_outline_that_cannot_be_traced_is_named():
    sample = sample_of([(0, 0, 20, 20)], 30, 30, [(polygon(0, 0, np.nan, 5),)])
    crop = RandomCrop((10, 10), recompute_boxes=True)
    with pytest.raises(DataError, match="annotation 100: a polygon coordinate is not finite"):
        crop.apply(sample, CropParams(10, 10, 10, 10))


def test_a_crop_does_not_keep_the_rest_of_the_image_alive():
    sample = sample_of([(0, 0, 20, 20)], 30, 30)
    part = RandomCrop((30, 10)).apply(sample, CropParams(0, 10, 30, 10))
    assert part.image.base is None
    whole = RandomCrop((30, 30)).apply(sample, CropParams(0, 0, 30, 30))
    assert whole.image is sample.image


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((10, 10), "middle"), "mode must be one of absolute, absolute_range"),
        (((0, 10),), "two whole numbers of pixels, not .0, 10"),
        (((10.5, 10),), "two whole numbers of pixels"),
        (((10,),), "two whole numbers of pixels"),
        (((float("nan"), 10),), "two whole numbers of pixels"),
        (((0.0, 0.5), "relative"), "two fractions above 0, up to 1"),
        (((0.5, 1.5), "relative_range"), "two fractions above 0, up to 1"),
        (((10, 5), "absolute_range"), "the least and the greatest length"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomCrop(*arguments)
