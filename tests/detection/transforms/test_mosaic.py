import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection.annotations import mask_boxes
from ftloader.detection.geometry import touching
from ftloader.detection.sample import Sample
from ftloader.detection.transforms.mosaic import Mosaic, MosaicParams, fitted
from ftloader.rng import sample_rng
from tests.conformance.transforms.samples import in_memory
from tests.detection.transforms.cases import (
    assert_inside,
    assert_same_annotations,
    assert_same_samples,
    assert_size_is_real,
    frozen,
    sample_of,
    seeds,
)
from tests.detection.transforms.mixing import data_sets, mixed, partners_of

COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 90, 0))


def plain(colour, width, height, boxes=(), outlines=None):
    """A sample of one colour."""
    sample = sample_of(boxes, width, height, outlines)
    return Sample(frozen(np.full((height, width, 3), colour, np.uint8)), sample.info)


def four(width=40, height=20, boxes=((0, 0, 40, 20),), outlines=None):
    return in_memory(*(plain(colour, width, height, boxes, outlines) for colour in COLOURS))


@st.composite
def cases(draw):
    """A data set, a transform on it, and what it drew for the first sample."""
    data = draw(data_sets(margin=5))
    size = draw(st.tuples(st.integers(1, 48), st.integers(1, 48)))
    low, high = sorted(draw(st.tuples(st.floats(0, 2), st.floats(0, 2))))
    transform = Mosaic(data, size, (low, high))
    params = transform.draw(sample_rng(draw(seeds), 0, 0), data.sample_info(0))
    return data, transform, params


@settings(deadline=None, max_examples=40)
@given(cases())
def test_sizes_and_objects_are_known_before_pixels_are(case):
    data, transform, params = case
    sample = data.load(0)
    result = mixed(transform, data, params)
    assert_size_is_real(transform, sample, params, result)
    assert result.info.size == (2 * transform.size[0], 2 * transform.size[1])
    assert result.image.dtype == np.uint8
    assert_same_annotations(
        transform.annotations_after(sample.info, params), result.info.annotations
    )
    assert result.info.index == sample.info.index
    assert_inside(result.boxes, result.info.size)
    assert touching(result.boxes, result.info.size).all()


@settings(deadline=None, max_examples=40)
@given(cases())
def test_the_same_stream_gives_the_same_sample(case):
    data, transform, params = case
    again = pickle.loads(pickle.dumps(params))
    assert again == params
    assert_same_samples(mixed(transform, data, params), mixed(transform, data, again))


@settings(deadline=None, max_examples=40)
@given(
    data_sets(least=8, kinds=("polygon", "rle", "bitmap")),
    st.tuples(st.integers(20, 64), st.integers(20, 64)),
    seeds,
)
def test_masks_and_boxes_agree(data, size, seed):
    transform = Mosaic(data, size)
    params = transform.draw(sample_rng(seed, 0, 0), data.sample_info(0))
    result = mixed(transform, data, params)
    boxes, around = result.boxes, mask_boxes(result.masks())
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=99) > 3
    np.testing.assert_allclose(around[large], boxes[large], atol=2.01)


def test_the_four_images_meet_at_the_point():
    data = four()
    result = mixed(Mosaic(data, (40, 40)), data, MosaicParams((1, 2, 3), 30, 50))
    assert result.image.shape == (80, 80, 3)
    for colour, (x, y) in zip(COLOURS, ((29, 49), (30, 49), (29, 50), (30, 50)), strict=True):
        assert tuple(result.image[y, x]) == colour
    # 40 x 20 images: the left ones are cut at the canvas, the right ones end at x = 70.
    assert tuple(result.image[49, 0]) == COLOURS[0]
    assert tuple(result.image[30, 0]) == COLOURS[0]
    assert tuple(result.image[29, 0]) == (114, 114, 114)
    assert tuple(result.image[69, 69]) == COLOURS[3]
    assert tuple(result.image[69, 70]) == (114, 114, 114)
    np.testing.assert_array_equal(
        result.boxes, [[0, 30, 30, 50], [30, 30, 70, 50], [0, 50, 30, 70], [30, 50, 70, 70]]
    )
    masks = result.masks()
    for mask, (x1, y1, x2, y2) in zip(masks, result.boxes.astype(int), strict=True):
        assert mask[y1:y2, x1:x2].all()
        assert mask.sum() == (x2 - x1) * (y2 - y1)


@pytest.mark.parametrize("kind", ["polygon", "rle", "bitmap"])
def test_outlines_are_scaled_and_moved_with_their_images(kind):
    data = four(20, 10, [(4, 2, 12, 8)], [kind])
    result = mixed(Mosaic(data, (40, 40)), data, MosaicParams((1, 2, 3), 30, 50))
    # Twice as large, at (-10, 30), (30, 30), (-10, 50) and (30, 50).
    expected = [[0, 34, 14, 46], [38, 34, 54, 46], [0, 54, 14, 66], [38, 54, 54, 66]]
    np.testing.assert_array_equal(result.boxes, expected)
    np.testing.assert_array_equal(mask_boxes(result.masks()), expected)


def test_objects_off_the_canvas_are_dropped_with_all_their_fields():
    data = four(40, 20, [(0, 0, 4, 20), (30, 0, 40, 20)])
    result = mixed(Mosaic(data, (40, 40)), data, MosaicParams((1, 2, 3), 20, 40))
    notes = result.info.annotations
    assert notes.ids.tolist() == [101, 100, 101, 101, 100, 101]
    assert len(notes.segmentations) == len(notes.crowd) == len(notes.areas) == 6


def test_boxes_are_scaled_by_the_factor_and_images_to_whole_pixels():
    (width, height), factor = fitted((427, 640), (640, 600))
    assert (width, height) == (400, 600)
    assert factor == 600 / 640
    data = in_memory(plain(COLOURS[0], 427, 640, [(0, 0, 427, 640)]))
    result = mixed(Mosaic(data, (640, 600)), data, MosaicParams((0, 0, 0), 640, 600))
    assert result.boxes[3].tolist() == pytest.approx([640, 600, 640 + 427 * factor, 1200])


def test_a_sample_may_be_its_own_partner_and_is_then_read_as_the_data_set_has_it():
    data = four()
    transform = Mosaic(data, (40, 40))
    params = MosaicParams((0, 2, 0), 40, 40)
    assert transform.partners(params) == (0, 2)
    changed = plain((1, 2, 3), 40, 20)
    result = transform.apply(changed, params, partners_of(transform, params, data))
    assert tuple(result.image[39, 39]) == (1, 2, 3)
    assert tuple(result.image[39, 40]) == COLOURS[0]


def test_images_of_one_pixel_and_without_objects_are_mixed():
    data = in_memory(*(plain(colour, 1, 1) for colour in COLOURS))
    result = mixed(Mosaic(data, (1, 1)), data, MosaicParams((1, 2, 3), 1, 1))
    np.testing.assert_array_equal(result.image.reshape(4, 3), COLOURS)
    assert len(result.boxes) == 0


def test_a_very_long_image_keeps_a_pixel_of_height():
    assert fitted((1000, 1), (10, 10)) == ((10, 1), 0.01)


def test_the_probability_decides_whether_anything_is_done():
    data = four()
    never = Mosaic(data, probability=0)
    params = never.draw(sample_rng(0, 0, 0), data.sample_info(0))
    assert never.partners(params) == ()
    assert never.output_size(data.sample_info(0), params) == (40, 20)
    assert_same_samples(never.apply(data.load(0), params), data.load(0))
    assert never.annotations_after(data.sample_info(0), params).ids.tolist() == [100]
    half = Mosaic(data, probability=0.5)
    drawn = [half.draw(sample_rng(0, 0, i), data.sample_info(0)) for i in range(400)]
    assert 160 < sum(bool(params.partners) for params in drawn) < 240


def test_partners_and_points_are_drawn_evenly():
    data = four()
    transform = Mosaic(data, (100, 200))
    drawn = [transform.draw(sample_rng(0, 0, i), data.sample_info(0)) for i in range(1000)]
    counts = np.bincount(np.concatenate([params.partners for params in drawn]))
    assert len(counts) == 4
    assert (np.abs(counts - 750) < 100).all()
    x, y = np.array([(params.x, params.y) for params in drawn]).T
    assert 50 <= x.min() < 55
    assert 145 < x.max() < 150
    assert 100 <= y.min() < 110
    assert 290 < y.max() < 300


def test_a_missing_partner_is_named():
    data = four()
    with pytest.raises(ValueError, match="is to be mixed with sample 2, which was not given"):
        Mosaic(data).apply(data.load(0), MosaicParams((1, 2, 3), 9, 9), {1: data.load(1)})


def test_float_images_are_refused():
    data = four()
    sample = Sample(data.load(0).image.astype(np.float32), data.sample_info(0))
    with pytest.raises(ValueError, match=r"000000000001.jpg is float32, not uint8"):
        Mosaic(data).apply(sample, MosaicParams((0, 0, 0), 9, 9), {0: data.load(0)})


def test_the_data_set_is_not_in_the_log():
    assert repr(Mosaic(four(), (8, 8))).startswith("Mosaic(size=(8, 8), centre_range=")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (0, 4)}, "Mosaic: size must be two whole numbers"),
        ({"centre_range": (1.5, 0.5)}, "centre_range must be two numbers from 0 to 2"),
        ({"centre_range": (0.5, 2.5)}, "centre_range"),
        ({"fill": 256}, "fill must be a whole number from 0 to 255, not 256"),
        ({"fill": 1.5}, "fill"),
        ({"probability": 1.1}, "probability must be between 0 and 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Mosaic(four(), **settings)


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match="Mosaic: the data set is empty"):
        Mosaic(in_memory())
