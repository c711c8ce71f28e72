import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection import colour
from ftloader.detection.colour import recoloured
from ftloader.detection.transforms.photometric import (
    PhotoMetricDistortion,
    PhotoMetricParams,
    distorted,
)
from ftloader.rng import sample_rng
from tests.detection.transforms.cases import assert_same_samples, frozen, sample_of, seeds

EPSILON = np.finfo(np.float32).eps


@st.composite
def images(draw):
    """Colours of all kinds: any, dark, grey, and such as sit on a border between two cases."""
    size = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(seeds))
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    kinds = rng.integers(0, 4, size)
    image[kinds == 1] //= 8
    image[kinds == 2] = image[kinds == 2, :1]
    edges = np.array([0, 1, 2, 31, 32, 33, 254, 255], np.uint8)
    image[kinds == 3] = rng.choice(edges, (int((kinds == 3).sum()), 3))
    return frozen(image)


changes = st.builds(
    PhotoMetricParams,
    # Whole, so that some channels become exactly 0; or tenths, far from it: HSV jumps at V = 0.
    brightness=st.integers(-32, 32).map(float) | st.integers(-320, 320).map(lambda n: n / 10),
    contrast=st.just(1.0) | st.floats(0.5, 1.5),
    saturation=st.just(1.0) | st.floats(0.5, 1.5) | st.just(0.0),
    hue=st.just(0.0) | st.floats(-18, 18) | st.integers(-8, 8).map(lambda n: 60.0 * n),
    channels=st.permutations((0, 1, 2)).map(tuple),
)


def to_hsv(image):
    """OpenCV's documented float formulas, in float64."""
    red, green, blue = np.moveaxis(image, -1, 0)
    value, low = image.max(-1), image.min(-1)
    scale = 60 / (value - low + EPSILON)
    hue = np.select(
        [value == red, value == green],
        [(green - blue) * scale, 120 + (blue - red) * scale],
        240 + (red - green) * scale,
    )
    return np.where(hue < 0, hue + 360, hue), (value - low) / (np.abs(value) + EPSILON), value


def from_hsv(hue, saturation, value):
    sector, fraction = np.divmod(hue % 360 / 60, 1)
    p = value * (1 - saturation)
    q = value * (1 - saturation * fraction)
    t = value * (1 - saturation * (1 - fraction))
    table = np.stack([[value, t, p], [q, value, p], [p, value, t]], 0)
    table = np.concatenate([table, np.stack([[p, q, value], [t, p, value], [value, p, q]], 0)], 0)
    chosen = sector.astype(int) % 6
    return np.moveaxis(np.choose(chosen[None], list(table)), 0, -1)


def step_by_step(image, params, *, contrast_last):
    """mmdet's steps, one after another."""
    result = (image.astype(np.float32) + np.float32(params.brightness)).astype(np.float64)
    if not contrast_last:
        result = result * params.contrast
    hue, saturation, value = to_hsv(result)
    saturation = saturation * params.saturation
    if params.saturation > 1:
        saturation = saturation.clip(0, 1)
    result = from_hsv(hue + params.hue, saturation, value)
    if contrast_last:
        result = result * params.contrast
    return result[..., list(params.channels)]


def to_bytes(image):
    return np.floor(image + 0.5).clip(0, 255).astype(np.uint8)


@settings(deadline=None)
@given(images(), changes, st.booleans())
def test_the_result_is_that_of_the_steps_one_after_another(image, params, contrast_last):
    expected = step_by_step(image, params, contrast_last=contrast_last)
    result = distorted(image, params)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-3, rtol=0)


@settings(deadline=None)
@given(images(), changes)
def test_a_uint8_image_is_the_float_one_rounded_and_clipped(image, params):
    result = PhotoMetricDistortion().pixels(image, params)
    assert result.dtype == np.uint8
    assert result.shape == image.shape
    floats = distorted(image, params)
    # A value half-way between two bytes may go to either.
    assert (np.abs(result - floats.clip(0, 255)) <= 0.5 + 1e-3).all()


@settings(deadline=None)
@given(seeds)
def test_the_same_stream_gives_the_same_sample(seed):
    transform = PhotoMetricDistortion()
    sample = sample_of([(1, 2, 9, 8)], 12, 11)
    params = transform.draw(sample_rng(seed, 0, 0), sample.info)
    again = pickle.loads(pickle.dumps(params))
    first, second = transform.apply(sample, params), transform.apply(sample, again)
    assert_same_samples(first, second)
    assert_same_samples(first, transform(sample, sample_rng(seed, 0, 0)))
    assert first.info.annotations is sample.info.annotations


@pytest.mark.parametrize(
    "params",
    [
        PhotoMetricParams(hue=7.0),
        PhotoMetricParams(saturation=1.4, hue=-7.0),
        PhotoMetricParams(brightness=-20.0),
        PhotoMetricParams(brightness=20.0, contrast=1.3),
    ],
)
def test_a_large_image_is_as_its_parts(params):
    side = int(np.sqrt(colour._BLOCK)) * 2 + 7
    image = np.random.default_rng(3).integers(0, 256, (side, side, 3), np.uint8)
    whole = PhotoMetricDistortion().pixels(image, params)
    step = 50
    for y in range(0, side, step):
        part = PhotoMetricDistortion().pixels(image[y : y + step], params)
        np.testing.assert_array_equal(whole[y : y + step], part)


def test_a_view_gives_what_its_copy_gives():
    image = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
    view = image[3:17, 20:2:-1]
    for params in (
        PhotoMetricParams(hue=7.0),
        PhotoMetricParams(contrast=1.3),
        PhotoMetricParams(channels=(2, 0, 1)),
    ):
        result = PhotoMetricDistortion().pixels(view, params)
        np.testing.assert_array_equal(result, PhotoMetricDistortion().pixels(view.copy(), params))


def test_no_change_gives_the_image_itself():
    sample = sample_of([], 5, 4)
    assert PhotoMetricDistortion().apply(sample, PhotoMetricParams()).image is sample.image


def test_channels_say_where_each_comes_from():
    image = np.array([[[10, 20, 30]]], np.uint8)
    params = PhotoMetricParams(channels=(2, 0, 1))
    assert PhotoMetricDistortion().pixels(image, params).tolist() == [[[30, 10, 20]]]


@pytest.mark.parametrize(
    ("hue", "expected"),
    [
        (60, (200, 200, 100)),
        (120, (100, 200, 100)),
        (-120, (100, 100, 200)),
        (30, (200, 150, 100)),
        (360, (200, 100, 100)),
    ],
)
def test_red_turns_to_yellow_green_and_blue(hue, expected):
    image = np.array([[[200, 100, 100]]], np.uint8)
    assert tuple(recoloured(image, hue=hue)[0, 0].tolist()) == expected


def test_saturation_is_cut_at_one():
    image = np.array([[[200, 100, 50]]], np.float32)
    np.testing.assert_allclose(
        recoloured(image, saturation=1.5), [[[200, 200 - 200 * 100 / 150, 0]]], atol=1e-3
    )


def test_a_pixel_darker_than_a_negative_brightness_is_mirrored_as_in_the_reference():
    image = np.array([[[31, 2, 2], [32, 4, 4], [33, 2, 2]]], np.uint8)
    floats = distorted(image, PhotoMetricParams(brightness=-32.0))
    np.testing.assert_allclose(floats, [[[-1, 28, 28], [0, 0, 0], [1, -30, -30]]], atol=1e-3)
    result = recoloured(image, brightness=-32.0)
    assert result.tolist() == [[[0, 28, 28], [0, 0, 0], [1, 0, 0]]]


def test_halves_are_rounded_up():
    image = np.array([[[0, 1, 2], [253, 254, 255]]], np.uint8)
    assert recoloured(image, brightness=0.5).tolist() == [[[1, 2, 3], [254, 255, 255]]]
    assert recoloured(image, contrast=0.5).tolist() == [[[0, 1, 1], [127, 127, 128]]]


def test_every_change_is_drawn_half_the_time_and_inside_its_range():
    transform = PhotoMetricDistortion(20, (0.7, 1.2), (0.6, 1.9), 9)
    drawn = [transform.draw(sample_rng(1, 0, i), None) for i in range(2000)]
    neutral = PhotoMetricParams()
    for name, low, high in (
        ("brightness", -20, 20),
        ("contrast", 0.7, 1.2),
        ("saturation", 0.6, 1.9),
        ("hue", -9, 9),
    ):
        values = np.array([getattr(params, name) for params in drawn])
        changed = values[values != getattr(neutral, name)]
        assert 900 < len(changed) < 1100, name
        assert low <= changed.min() < low + 0.05 * (high - low), name
        assert high >= changed.max() > high - 0.05 * (high - low), name
    # A sixth of the orders is the one that was there.
    assert 2000 * 5 / 12 - 110 < sum(p.channels != (0, 1, 2) for p in drawn) < 2000 * 5 / 12 + 110
    assert len({p.channels for p in drawn}) == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"brightness_delta": -1}, "brightness_delta must be a number of at least 0, not -1"),
        ({"hue_delta": float("nan")}, "hue_delta"),
        ({"contrast_range": (1.5, 0.5)}, "contrast_range must be two numbers of at least 0"),
        ({"saturation_range": (-0.5, 0.5)}, "saturation_range"),
        ({"saturation_range": (0.5,)}, "saturation_range"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PhotoMetricDistortion(**settings)


@pytest.mark.parametrize(
    "change", [{"contrast": -1}, {"saturation": float("nan")}, {"channels": (0, 1, 1)}]
)
def test_impossible_changes_are_refused(change):
    with pytest.raises(ValueError, match=r"contrast|channels"):
        recoloured(np.zeros((2, 2, 3), np.uint8), **change)
