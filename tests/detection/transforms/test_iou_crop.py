import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection.transforms.crop import CropParams
from ftloader.detection.transforms.iou_crop import MinIoUCropParams, MinIoURandomCrop
from ftloader.rng import sample_rng
from tests.detection.transforms.cases import (
    assert_inside,
    assert_same_samples,
    assert_size_is_real,
    info_of,
    sample_of,
    samples,
    seeds,
)

crops = st.builds(
    MinIoURandomCrop,
    st.lists(st.floats(0, 1), max_size=4).map(tuple),
    st.floats(0.05, 1),
)
TINY = [(1, 1, 3, 3), (90, 90, 92, 92)]


def drawn(crop, info, count=300):
    return [crop.draw(sample_rng(seed, 0, 0), info) for seed in range(count)]


def iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


@given(crops, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_any_crop_overlaps_all_objects_enough_and_keeps_the_centred_ones(crop, sample, seed):
    params = crop.draw(sample_rng(seed, 0, 0), sample.info)
    result = crop.apply(sample, params)

    assert_size_is_real(crop, sample, params, result)
    if params.crop is None:
        assert_same_samples(result, sample)
        return
    x, y = params.crop.corner
    patch = (x, y, x + params.crop.width, y + params.crop.height)
    assert min(params.crop.size) >= 1
    assert_inside(np.array([patch]), sample.info.size)
    for box in sample.boxes.tolist():
        assert iou(patch, box) >= params.min_iou - 1e-6
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in sample.boxes.tolist()]
    kept = [i for i, (a, b) in enumerate(centres) if x < a < patch[2] and y < b < patch[3]]
    assert result.info.annotations.ids.tolist() == [100 + i for i in kept]
    assert bool(kept) == bool(len(sample.boxes))

    assert_inside(result.boxes, result.info.size)
    rows, columns = slice(y, patch[3]), slice(x, patch[2])
    np.testing.assert_array_equal(result.image, sample.image[rows, columns])
    np.testing.assert_array_equal(result.masks(), sample.masks()[kept][:, rows, columns])


@given(crops, samples(), seeds)
@settings(deadline=None, derandomize=True)
def test_parameters_replay_to_the_same_sample(crop, sample, seed):
    params = crop.draw(sample_rng(seed, 0, 0), sample.info)
    again = pickle.loads(pickle.dumps(params))
    assert again == params
    result = crop(sample, sample_rng(seed, 0, 0))
    assert_same_samples(result, crop.apply(sample, again))


def test_all_modes_are_equally_likely_and_one_of_them_changes_nothing():
    found = drawn(MinIoURandomCrop(), info_of([], 50, 50), 1400)
    modes = Counter(params.min_iou for params in found)
    assert set(modes) == {0, 0.1, 0.3, 0.5, 0.7, 0.9, 1}
    assert all(150 < count < 250 for count in modes.values())
    assert all((params.crop is None) == (params.min_iou == 1) for params in found)


def test_a_sample_without_objects_is_cropped_by_shape_alone():
    sample = sample_of([], 40, 30)
    crop = MinIoURandomCrop()
    sizes = {crop(sample, sample_rng(seed, 0, 0)).info.size for seed in range(20)}
    assert len(sizes) > 10


def test_a_mode_that_no_rectangle_satisfies_gives_way_to_another():
    info = info_of(TINY, 100, 100)
    modes = Counter(params.min_iou for params in drawn(MinIoURandomCrop(), info))
    assert set(modes) == {0, 1}


def test_every_object_must_overlap_enough_and_not_only_the_best_one():
    info = info_of([(0, 0, 60, 60), (90, 90, 99, 99)], 100, 100)
    modes = Counter(params.min_iou for params in drawn(MinIoURandomCrop((0.3,)), info))
    assert set(modes) == {0, 1}


def test_one_object_centred_in_the_rectangle_is_enough():
    sample = sample_of(TINY, 100, 100)
    crop = MinIoURandomCrop(())
    left = {len(crop(sample, sample_rng(seed, 0, 0)).boxes) for seed in range(50)}
    assert left == {1, 2}


def test_a_mode_that_any_rectangle_satisfies_is_taken():
    info = info_of([(0, 0, 100, 100)], 100, 100)
    crop = MinIoURandomCrop(min_ious=(0.8,), min_crop_size=0.95)
    modes = Counter(params.min_iou for params in drawn(crop, info))
    assert set(modes) == {0, 0.8, 1}
    assert all(count > 70 for count in modes.values())


@pytest.mark.parametrize("size", [(100, 4), (4, 100), (1, 9)])
@pytest.mark.parametrize("min_ious", [(), (0.5,), (0.5,) * 100])
def test_an_image_that_is_too_long_for_any_rectangle_stays_whole(size, min_ious):
    sample = sample_of([(0, 0, 1, 1)], *size)
    crop = MinIoURandomCrop(min_ious)
    for seed in range(5):
        params = crop.draw(sample_rng(seed, 0, 0), sample.info)
        assert params == MinIoUCropParams(1.0, None)
        assert crop.apply(sample, params).image is sample.image


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (3, 4)])
def test_a_rectangle_is_never_empty(size):
    found = [params.crop for params in drawn(MinIoURandomCrop(), info_of([], *size))]
    assert all(min(crop.size) >= 1 for crop in found if crop)


@pytest.mark.parametrize("boxes", [[], [(0, 0, 1, 1)], [(0.5, 0.5, 0.5, 0.5)]])
def test_an_image_of_one_pixel_ends_in_a_sample(boxes):
    sample = sample_of(boxes, 1, 1)
    for seed in range(20):
        assert MinIoURandomCrop()(sample, sample_rng(seed, 0, 0)).info.size == (1, 1)


def test_rectangles_start_at_pixel_one_or_later_where_there_is_room_as_in_mmdet():
    found = [params.crop for params in drawn(MinIoURandomCrop(), info_of([], 20, 20), 1000)]
    corners = {(crop.x, crop.width) for crop in found if crop}
    assert {x for x, _ in corners} >= {0, 1, 2, 10}
    assert all(width >= 19 for x, width in corners if x == 0)


def test_the_shape_is_between_one_half_and_two():
    found = [params.crop for params in drawn(MinIoURandomCrop(), info_of([], 1000, 300), 300)]
    shapes = [crop.height / crop.width for crop in found if crop]
    # The sides are cut to whole pixels afterwards, one part in a hundred here.
    assert 0.49 < min(shapes) < 0.52
    assert max(shapes) < 2.02


def test_an_object_centred_on_the_edge_goes():
    sample = sample_of([(5, 12, 15, 16), (6, 12, 16, 16), (12, 5, 16, 15)], 40, 40)
    params = MinIoUCropParams(0.0, CropParams(10, 10, 10, 10))
    result = MinIoURandomCrop().apply(sample, params)
    assert result.info.annotations.ids.tolist() == [101]
    np.testing.assert_array_equal(result.boxes, [[0, 2, 6, 6]])
    result = MinIoURandomCrop(clip_boxes=False).apply(sample, params)
    np.testing.assert_array_equal(result.boxes, [[-4, 2, 6, 6]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0.5, 1.5),), "min_ious must be between 0 and 1, not .0.5, 1.5"),
        (((-0.1,),), "min_ious must be between 0 and 1"),
        (((), 0), "min_crop_size is a fraction above 0, up to 1, not 0"),
        (((), float("nan")), "min_crop_size is a fraction"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MinIoURandomCrop(*arguments)
