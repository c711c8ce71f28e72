import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection.annotations import mask_boxes
from ftloader.detection.image import resize
from ftloader.detection.sample import Sample
from ftloader.detection.transforms.mixup import MixUp, MixUpParams
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
from tests.detection.transforms.mixing import data_sets, mixed

KINDS = ("polygon", "rle", "bitmap")


@st.composite
def cases(draw, least=1, sizes=(1, 48), ratios=(0.1, 2)):
    """A data set, a transform on it, and what it drew for the first sample."""
    # Nothing reaches out of its image: this transform leaves the sample's own boxes as they are.
    data = draw(data_sets(least=least, kinds=KINDS))
    ratio, side = st.floats(*ratios), st.integers(*sizes)
    low, high = sorted(draw(st.tuples(ratio, ratio)))
    transform = MixUp(data, draw(st.tuples(side, side)), (low, high))
    params = transform.draw(sample_rng(draw(seeds), 0, 0), data.sample_info(0))
    return data, transform, params


@settings(deadline=None, max_examples=40)
@given(cases())
def test_sizes_and_objects_are_known_before_pixels_are(case):
    data, transform, params = case
    sample = data.load(0)
    result = mixed(transform, data, params)
    assert_size_is_real(transform, sample, params, result)
    assert result.image.dtype == np.uint8
    assert_same_annotations(
        transform.annotations_after(sample.info, params), result.info.annotations
    )
    assert_inside(result.boxes, result.info.size)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_the_same_stream_gives_the_same_sample(case):
    data, transform, params = case
    again = pickle.loads(pickle.dumps(params))
    assert again == params
    assert_same_samples(mixed(transform, data, params), mixed(transform, data, again))


@settings(deadline=None, max_examples=40)
@given(cases(least=8, sizes=(20, 64), ratios=(0.5, 1.5)))
def test_masks_and_boxes_agree(case):
    data, transform, params = case
    result = mixed(transform, data, params)
    boxes, around = result.boxes, mask_boxes(result.masks())
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=99) > 4
    # Two resizings, each to whole pixels, the first one's error enlarged by the second.
    np.testing.assert_allclose(around[large], boxes[large], atol=4)


def test_the_other_image_is_resized_twice_flipped_cut_and_blended():
    data = in_memory(sample_of([(0, 0, 9, 9)], 50, 40), sample_of([(2, 4, 10, 8)], 20, 10))
    transform = MixUp(data, (40, 30), fill=100)
    params = MixUpParams(partner=1, factor=1.5, flip=True, x=7, y=0)
    result = mixed(transform, data, params)

    canvas = np.full((30, 40, 3), 100, np.uint8)
    canvas[:20] = resize(data.load(1).image, (40, 20))
    canvas = resize(canvas, (60, 45))[:, ::-1]
    layer = canvas[:40, 7:57].astype(int)
    own = data.load(0).image.astype(int)
    np.testing.assert_array_equal(result.image, (own + layer) // 2)

    # Twice and half as large again, from the right edge of 60, less 7; the lower part stays.
    np.testing.assert_array_equal(result.boxes, [[0, 0, 9, 9], [23, 12, 47, 24]])
    np.testing.assert_array_equal(mask_boxes(result.masks()), result.boxes)
    assert result.info.annotations.ids.tolist() == [100, 100]


def test_a_smaller_canvas_goes_on_in_grey():
    white = Sample(frozen(np.full((8, 8, 3), 255, np.uint8)), sample_of([(0, 0, 8, 8)], 8, 8).info)
    data = in_memory(white)
    transform = MixUp(data, (4, 4))
    result = mixed(transform, data, MixUpParams(0, 1.0, False, 0, 0))
    assert (result.image[:4, :4] == 255).all()
    assert (result.image[4:] == (255 + 114) // 2).all()
    assert (result.image[:, 4:] == (255 + 114) // 2).all()
    np.testing.assert_array_equal(result.boxes, [[0, 0, 8, 8], [0, 0, 4, 4]])


def test_the_mean_is_exact_for_every_pair_of_bytes():
    first, second = np.mgrid[0:256, 0:256].astype(np.uint8)
    own = frozen(np.repeat(first[..., None], 3, axis=2))
    other = frozen(np.repeat(second[..., None], 3, axis=2))
    info = sample_of([(0, 0, 256, 256)], 256, 256).info
    data = in_memory(Sample(own, info), Sample(other, info))
    result = mixed(MixUp(data, (256, 256)), data, MixUpParams(1, 1.0, False, 0, 0))
    # As mmdet: half of each in float32, fractions cut off.
    expected = (np.float32(0.5) * own + np.float32(0.5) * other).astype(np.uint8)
    np.testing.assert_array_equal(result.image, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_outside_are_dropped_with_all_their_fields(kind):
    data = in_memory(
        sample_of([(1, 1, 5, 5)], 20, 20),
        sample_of([(0, 0, 4, 4), (10, 10, 20, 20)], 20, 20, [kind, kind]),
    )
    result = mixed(MixUp(data, (40, 40)), data, MixUpParams(1, 1.0, False, 15, 15))
    np.testing.assert_array_equal(result.boxes, [[1, 1, 5, 5], [5, 5, 20, 20]])
    assert result.info.annotations.ids.tolist() == [100, 101]
    np.testing.assert_array_equal(mask_boxes(result.masks()), result.boxes)


def test_the_flip_probability_means_what_it_says():
    data = in_memory(sample_of([(1, 1, 5, 5)], 20, 20))
    for probability, low, high in ((0, 0, 0), (0.25, 60, 140), (1, 400, 400)):
        transform = MixUp(data, (20, 20), flip_probability=probability)
        drawn = [transform.draw(sample_rng(0, 0, i), data.sample_info(0)) for i in range(400)]
        assert low <= sum(params.flip for params in drawn) <= high


def test_partners_without_objects_are_passed_over():
    data = in_memory(sample_of([], 20, 20), sample_of([], 9, 9), sample_of([(1, 1, 5, 5)], 20, 20))
    transform = MixUp(data)
    drawn = [transform.draw(sample_rng(0, 0, i), data.sample_info(0)) for i in range(50)]
    assert {params.partner for params in drawn} <= {2, None}
    once = MixUp(data, max_tries=1)
    drawn = [once.draw(sample_rng(0, 0, i), data.sample_info(0)) for i in range(300)]
    assert 60 < sum(params.partner == 2 for params in drawn) < 140


def test_a_sample_stays_as_it_is_where_no_other_has_objects():
    data = in_memory(sample_of([], 20, 10))
    transform = MixUp(data)
    params = transform.draw(sample_rng(0, 0, 0), data.sample_info(0))
    assert transform.partners(params) == ()
    assert transform.output_size(data.sample_info(0), params) == (20, 10)
    assert transform.apply(data.load(0), params).image is data.load(0).image


def test_factors_and_windows_are_drawn_evenly():
    data = in_memory(sample_of([(1, 1, 5, 5)], 30, 20))
    transform = MixUp(data, (40, 40), (1.0, 1.5))
    drawn = [transform.draw(sample_rng(0, 0, i), data.sample_info(0)) for i in range(1000)]
    factors = np.array([params.factor for params in drawn])
    assert 1 <= factors.min() < 1.02
    assert 1.48 < factors.max() < 1.5
    # A canvas of 40 to 60 pixels: 10 to 30 wider than the image, and 20 to 40 higher.
    assert {params.x for params in drawn} >= set(range(25))
    assert max(params.x for params in drawn) < 30
    assert max(params.y for params in drawn) < 40
    assert all(params.x < max(1, int(40 * params.factor) - 30) for params in drawn)


def test_images_of_one_pixel_are_mixed():
    data = in_memory(sample_of([(0, 0, 1, 1)], 1, 1))
    transform = MixUp(data, (1, 1), (0.1, 0.2))
    result = transform(data.load(0), sample_rng(0, 0, 0), {0: data.load(0)})
    np.testing.assert_array_equal(result.image, data.load(0).image)


def test_a_missing_partner_is_named():
    data = in_memory(sample_of([(1, 1, 5, 5)], 20, 20))
    with pytest.raises(ValueError, match=r"MixUp: .* is to be mixed with sample 0, which was not"):
        MixUp(data).apply(data.load(0), MixUpParams(0, 1.0, False, 0, 0))


def test_float_images_are_refused():
    data = in_memory(sample_of([(1, 1, 5, 5)], 20, 20))
    sample = Sample(data.load(0).image.astype(np.float32), data.sample_info(0))
    with pytest.raises(ValueError, match="is float32, not uint8: mix before normalising"):
        MixUp(data).apply(sample, MixUpParams(0, 1.0, False, 0, 0), {0: data.load(0)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (4,)}, "MixUp: size must be two whole numbers"),
        ({"ratio_range": (0, 1)}, "ratio_range must be two positive numbers"),
        ({"ratio_range": (1.5, 0.5)}, "ratio_range"),
        ({"flip_probability": -0.1}, "flip_probability must be between 0 and 1"),
        ({"fill": -1}, "fill must be a whole number"),
        ({"max_tries": 0}, "max_tries must be at least 1, not 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    data = in_memory(sample_of([(1, 1, 5, 5)], 20, 20))
    with pytest.raises(ValueError, match=message):
        MixUp(data, **settings)
