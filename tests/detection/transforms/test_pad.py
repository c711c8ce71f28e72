import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.detection.masks import Rle
from ftloader.detection.transforms.pad import Pad, PadParams

from .objects import (
    frozen,
    info,
    objects,
    property_test,
    rectangle,
    rle,
    sample,
    sized_objects,
    sizes,
)


def padded(pad, before):
    return pad.apply(before, pad.draw(np.random.default_rng(5), before.info))


@pytest.mark.parametrize(
    ("pad", "size", "expected"),
    [
        (Pad(divisor=32), (1067, 800), (1088, 800)),
        (Pad(divisor=32), (1088, 800), (1088, 800)),
        (Pad(divisor=1), (7, 5), (7, 5)),
        (Pad(size=(20, 30)), (7, 5), (20, 30)),
        (Pad(size=(6, 30)), (7, 5), (7, 30)),  # nothing is cut off
        (Pad(square=True), (7, 5), (7, 7)),
        (Pad(square=True, divisor=4), (7, 5), (8, 8)),
    ],
)
def test_the_padded_size(pad, size, expected):
    params = pad.draw(np.random.default_rng(5), info(size))
    assert params == PadParams(*expected)
    assert pad.output_size(info(size), params) == expected


pads = st.one_of(
    st.builds(Pad, divisor=st.integers(1, 20)),
    st.builds(Pad, size=sizes(1, 30)),
    st.just(Pad(square=True)),
)


@given(sized_objects(), pads, st.sampled_from([np.uint8, np.float32]))
@property_test
def test_what_was_there_stays_and_the_rest_is_padding(sized, pad, dtype):
    before = sample(*sized, dtype=dtype)
    after = padded(pad, before)
    width, height = before.info.size
    assert after.image.shape == (*after.info.size[::-1], 3)
    assert after.image.dtype == dtype
    np.testing.assert_array_equal(after.image[:height, :width], before.image)
    assert not after.image[height:].any()
    assert not after.image[:, width:].any()
    np.testing.assert_array_equal(after.boxes, before.boxes)


def test_bitmaps_and_run_lengths_are_padded_with_nothing():
    mask = frozen(np.ones((5, 7), np.uint8))
    after = padded(Pad(size=(9, 8)), sample((7, 5), objects([mask, rle(mask)])))
    np.testing.assert_array_equal(after.masks(), [np.pad(mask, ((0, 3), (0, 2)))] * 2)
    assert isinstance(after.info.annotations.segmentations[1], Rle)


def test_a_polygon_stays_where_it_is():
    before = sample((7, 5), objects([rectangle(1, 1, 5, 4)]))
    after = padded(Pad(size=(9, 8)), before)
    np.testing.assert_array_equal(after.masks()[0], np.pad(before.masks()[0], ((0, 3), (0, 2))))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("value", [0, 114, (123, 117, 104)])
def test_the_padding_has_the_colour_asked_for(value, dtype):
    image = padded(Pad(size=(9, 8), value=value), sample((7, 5), dtype=dtype)).image
    colour = np.broadcast_to(value, 3)
    assert (image[5:] == colour).all()
    assert (image[:, 7:] == colour).all()


def test_an_image_of_the_right_size_is_not_copied():
    before = sample((64, 32), objects([rle(np.ones((32, 64), np.uint8))]))
    after = padded(Pad(divisor=32), before)
    assert after.image is before.image
    assert after.info.annotations is before.info.annotations


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "Pad: give either size, or divisor and square"),
        ({"size": (5, 5), "divisor": 2}, "Pad: give either"),
        ({"size": (5, 5), "square": True}, "Pad: give either"),
        ({"size": (5, 0)}, "Pad: size must be two whole numbers"),
        ({"divisor": 0}, "Pad: divisor must be a whole number from 1 on"),
        ({"divisor": 1.5}, "Pad: divisor must be a whole number from 1 on"),
        ({"divisor": 2, "value": 256}, "Pad: value must be a whole number from 0 to 255"),
        ({"divisor": 2, "value": -1}, "Pad: value must be"),
        ({"divisor": 2, "value": 1.5}, "Pad: value must be"),
        ({"divisor": 2, "value": (1, 2)}, "Pad: value must be"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Pad(**settings)


def test_settings_and_parameters_can_be_sent():
    both = Pad(size=(5, 6), value=(1, 2, 3)), PadParams(5, 6)
    assert pickle.loads(pickle.dumps(both)) == both
