import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.detection.transforms.normalize import Normalize, NormalizeParams

from .objects import frozen, info, objects, property_test, rectangle, sample, sizes

numbers = st.floats(0.5, 300)
triples = st.tuples(numbers, numbers, numbers)


@given(sizes(), triples, triples, st.sampled_from([np.uint8, np.float32]))
@property_test
def test_every_pixel_is_the_one_of_the_formula_to_the_last_bit(size, mean, std, dtype):
    before = sample(size, dtype=dtype)
    after = Normalize(mean, std).apply(before, NormalizeParams())
    expected = (before.image.astype(np.float32) - np.float32(mean)) / np.float32(std)
    assert after.image.dtype == np.float32
    np.testing.assert_array_equal(after.image, expected)


def test_the_defaults_are_those_of_imagenet():
    image = frozen(np.uint8([[[124, 116, 104], [0, 0, 0], [255, 255, 255]]]))
    expected = [[[0.00557, -0.0049, 0.00819], [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.64]]]
    normalised = Normalize().pixels(image, NormalizeParams())
    np.testing.assert_allclose(normalised, expected, rtol=1e-3)


def test_an_image_that_is_a_view_is_normalised_too():
    turned = sample((6, 4)).image[::-1, ::2]
    expected = Normalize().pixels(np.ascontiguousarray(turned), NormalizeParams())
    np.testing.assert_array_equal(Normalize().pixels(turned, NormalizeParams()), expected)


def test_size_and_objects_stay():
    before = info((6, 4), objects([rectangle(0, 0, 2, 2)]))
    params = Normalize().draw(np.random.default_rng(5), before)
    assert Normalize().output_size(before, params) == (6, 4)
    assert Normalize().info_after(before, params).annotations is before.annotations


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ((1, 2), (1, 1, 1), "Normalize: mean must be three finite numbers"),
        ((1, 2, float("inf")), (1, 1, 1), "Normalize: mean must be three finite numbers"),
        ((1, 2, 3), (1, 0, 1), "Normalize: std must be three positive numbers"),
        ((1, 2, 3), (1, -1, 1), "Normalize: std must be three positive numbers"),
        ((1, 2, 3), 5, "Normalize: std must be three positive numbers"),
        ((1, 2, 3), (1, 1, float("nan")), "Normalize: std must be three positive numbers"),
    ],
)
def test_settings_that_make_no_sense_are_refused(mean, std, words):
    with pytest.raises(ValueError, match=words):
        Normalize(mean, std)
