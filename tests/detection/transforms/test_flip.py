import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.detection.transforms.flip import FlipParams, RandomFlip

from .objects import assert_same, info, objects, property_test, rectangle, sample, sized_objects

DIRECTIONS = ("horizontal", "vertical", "diagonal")


def drawn(flip, count):
    rng = np.random.default_rng(5)
    return [flip.draw(rng, info((4, 3))).direction for _ in range(count)]


@pytest.mark.parametrize(
    ("direction", "box", "first"),
    [
        ("horizontal", [883.6, 33.3, 1057.0, 366.7], (0, -1)),
        ("vertical", [10, 433.3, 183.4, 766.7], (-1, 0)),
        ("diagonal", [883.6, 433.3, 1057.0, 766.7], (-1, -1)),
        (None, [10, 33.3, 183.4, 366.7], (0, 0)),
    ],
)
def test_pixels_and_boxes_are_mirrored_together(direction, box, first):
    before = sample((1067, 800), objects([()], [(10, 33.3, 183.4, 366.7)]))
    after = RandomFlip().apply(before, FlipParams(direction))
    np.testing.assert_allclose(after.boxes, [box], rtol=1e-6)
    np.testing.assert_array_equal(after.image[0, 0], before.image[first])
    assert after.image.shape == before.image.shape
    assert after.image.flags.c_contiguous


def test_a_flipped_polygon_covers_the_flipped_pixels():
    before = sample((9, 7), objects([rectangle(1, 2, 4, 7)]))
    after = RandomFlip().apply(before, FlipParams("diagonal"))
    np.testing.assert_array_equal(after.masks(), before.masks()[:, ::-1, ::-1])


@given(sized_objects(), st.sampled_from(DIRECTIONS))
@property_test
def test_a_sample_flipped_twice_is_the_one_it_was(sized, direction):
    before = sample(*sized)
    once = RandomFlip().apply(before, FlipParams(direction))
    twice = RandomFlip().apply(once, FlipParams(direction))
    np.testing.assert_array_equal(twice.image, before.image)
    assert_same(twice.info.annotations, before.info.annotations)


def test_no_direction_leaves_everything_as_it_is():
    before = sample((9, 7), objects([rectangle(1, 2, 4, 7)]))
    after = RandomFlip().apply(before, FlipParams(None))
    assert after.image is before.image
    assert after.info.annotations is before.info.annotations


def test_each_direction_comes_with_its_probability():
    directions = drawn(RandomFlip(0.5, 0.25, 0.125), 4000)
    shares = [directions.count(direction) / 4000 for direction in (*DIRECTIONS, None)]
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.125, 0.125], atol=0.03)


@pytest.mark.parametrize(
    ("chances", "expected"),
    [((1, 0, 0), "horizontal"), ((0, 1, 0), "vertical"), ((0, 0, 1), "diagonal"), ((0,) * 3, None)],
)
def test_what_is_certain_always_happens_and_what_is_impossible_never(chances, expected):
    assert set(drawn(RandomFlip(*chances), 200)) == {expected}


def test_one_number_is_drawn_whatever_comes_of_it():
    rng, other = np.random.default_rng(5), np.random.default_rng(5)
    RandomFlip(0.0).draw(rng, info((4, 3)))
    other.random()
    assert rng.random() == other.random()


@pytest.mark.parametrize("chances", [(-0.1, 0, 0), (0.6, 0.6, 0), (float("nan"), 0, 0)])
def test_probabilities_that_are_none_are_refused(chances):
    with pytest.raises(ValueError, match="RandomFlip: probabilities must be between 0 and 1"):
        RandomFlip(*chances)


def test_parameters_can_be_sent_and_read():
    params = FlipParams("vertical")
    assert pickle.loads(pickle.dumps(params)) == params
    assert repr(params) == "FlipParams(direction='vertical')"
