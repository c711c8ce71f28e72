import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.detection.transforms.resize import (
    RandomChoiceResize,
    RandomResize,
    Resize,
    ResizeParams,
)

from .objects import frozen, info, objects, property_test, rectangle, sample, sized_objects, sizes


def rng():
    return np.random.default_rng(5)


def draws(transform, size, count):
    stream = rng()
    return [transform.draw(stream, info(size)) for _ in range(count)]


@pytest.mark.parametrize(
    ("scale", "size", "expected"),
    [
        ((1333, 800), (640, 480), (1067, 800)),  # the short side's limit
        ((800, 1333), (640, 480), (1067, 800)),  # the order of the limits does not matter
        ((1333, 800), (640, 200), (1333, 417)),  # the long side's limit; 416.56 rounded
        ((1333, 800), (375, 500), (800, 1067)),
        ((1024, 1024), (427, 640), (683, 1024)),  # 683.2
        ((3, 3), (2, 1), (3, 2)),  # 1.5 rounded up
        ((10, 10), (1, 1000), (1, 10)),  # a side does not vanish
    ],
)
def test_keeping_the_ratio_fits_the_image_into_both_limits(scale, size, expected):
    assert Resize(scale).draw(rng(), info(size)) == ResizeParams(*expected)


def test_an_exact_scale_is_the_size():
    assert Resize((30, 50), keep_ratio=False).draw(rng(), info((640, 480))) == ResizeParams(30, 50)


def test_boxes_have_a_factor_for_each_axis_and_end_at_the_edge():
    before = info((640, 480), objects([(), ()], [(10, 20, 110, 220), (600, -5, 700, 490)]))
    after = Resize((1333, 800)).info_after(before, ResizeParams(1067, 800))
    expected = np.float32([[10, 20, 110, 220], [600, 0, 640, 480]])
    expected *= np.float32([1067 / 640, 800 / 480] * 2)
    np.testing.assert_allclose(after.annotations.boxes, expected, rtol=1e-6)
    assert after.size == (1067, 800)
    assert after.original_size == (640, 480)


@given(sized_objects(), sizes(1, 40), st.booleans(), st.sampled_from([np.uint8, np.float32]))
@property_test
def test_the_image_has_the_size_that_was_foretold(sized, scale, keep_ratio, dtype):
    before = sample(*sized, dtype=dtype)
    resize = Resize(scale, keep_ratio)
    params = resize.draw(rng(), before.info)
    after = resize.apply(before, params)
    assert resize.output_size(before.info, params) == after.info.size
    assert after.image.shape == (*after.info.size[::-1], 3)
    assert after.image.dtype == dtype
    assert after.masks().shape == (len(after.labels), *after.info.size[::-1])


def test_an_image_decoded_at_reduced_scale_gets_the_same_size_and_objects():
    whole = sample((64, 48), objects([rectangle(8, 8, 40, 40)], [(8, 8, 40, 40)]))
    reduced = type(whole)(whole.image[::2, ::2], whole.info)
    params = ResizeParams(20, 15)
    first, second = (Resize((20, 15)).apply(one, params) for one in (whole, reduced))
    assert first.image.shape == second.image.shape == (15, 20, 3)
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.masks(), second.masks())


@pytest.mark.parametrize("new", [(61, 37), (17, 11)])
def test_floats_are_resized_as_whole_numbers_are(new):
    steps = np.linspace(0, 250, 40 * 30 * 3).reshape(30, 40, 3)
    params = ResizeParams(*new)
    whole = Resize(new).pixels(frozen(steps.astype(np.uint8)), params)
    floats = Resize(new).pixels(frozen(steps.astype(np.uint8).astype(np.float32)), params)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, whole, atol=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_image_of_the_right_size_is_not_copied(dtype):
    before = sample((9, 7), dtype=dtype)
    assert Resize((9, 7)).pixels(before.image, ResizeParams(9, 7)) is before.image


def test_a_ratio_scales_both_limits_which_are_then_truncated():
    jitter = RandomResize((1001, 333), ratio_range=(0.1, 2.0), keep_ratio=False)
    stream = rng()
    for params in draws(jitter, (640, 480), 50):
        ratio = 0.1 + 1.9 * stream.random()
        assert params == ResizeParams(int(1001 * ratio), int(333 * ratio))


def test_a_ratio_keeps_the_shape_of_the_image():
    drawn = draws(RandomResize((1024, 1024), (0.1, 2.0)), (640, 480), 400)
    widths = [params.width for params in drawn]
    assert 102 <= min(widths) < 160
    assert 1900 < max(widths) <= 2048
    assert all(abs(params.height - params.width * 0.75) <= 1 for params in drawn)


def test_between_two_scales_each_side_is_drawn_on_its_own_both_ends_included():
    between = RandomResize(((12, 5), (10, 7)), keep_ratio=False)
    drawn = {(params.width, params.height) for params in draws(between, (640, 480), 300)}
    assert drawn == {(width, height) for width in (10, 11, 12) for height in (5, 6, 7)}


def test_every_scale_is_chosen_equally_often():
    scales = ((1333, 480), (1333, 640), (1333, 800))
    drawn = draws(RandomChoiceResize(scales), (640, 480), 3000)
    counts = [drawn.count(Resize(scale).draw(rng(), info((640, 480)))) for scale in scales]
    assert sum(counts) == 3000
    assert min(counts) > 900


def test_a_choice_may_be_of_exact_sizes():
    drawn = draws(RandomChoiceResize(((8, 4), (5, 9)), keep_ratio=False), (640, 480), 50)
    assert set(drawn) == {ResizeParams(8, 4), ResizeParams(5, 9)}


@pytest.mark.parametrize(
    "transform",
    [RandomResize((40, 30), (0.5, 2)), RandomResize(((40, 30), (50, 20))), Resize((9, 9))],
)
def test_the_same_stream_gives_the_same_parameters(transform):
    assert draws(transform, (64, 48), 20) == draws(transform, (64, 48), 20)
    params = draws(transform, (64, 48), 1)[0]
    assert pickle.loads(pickle.dumps((transform, params))) == (transform, params)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Resize((0, 5)), "Resize: scale must be two whole numbers from 1 on"),
        (lambda: Resize(5), "Resize: scale must be two whole numbers"),
        (lambda: Resize((5.5, 5)), "Resize: scale must be two whole numbers"),
        (lambda: RandomResize((5, 5)), "RandomResize: give either one scale and a ratio_range"),
        (lambda: RandomResize(((5, 5), (6, 6)), (1, 2)), "RandomResize: give either"),
        (lambda: RandomResize(((5, 5),) * 3), "RandomResize: give either"),
        (lambda: RandomResize((10, 10), (2, 1)), "RandomResize: ratio_range must be"),
        (lambda: RandomResize((10, 10), (0.05, 1)), r"leave \(10, 10\) at least 1 pixel"),
        (lambda: RandomResize((10, 10), (1, float("inf"))), "RandomResize: ratio_range must be"),
        (lambda: RandomResize((10, 10), (float("nan"), 1)), "RandomResize: ratio_range must be"),
        (lambda: RandomResize(((5, 0), (6, 6))), "RandomResize: scale must be two whole numbers"),
        (lambda: RandomChoiceResize(()), "RandomChoiceResize: scales is empty"),
        (lambda: RandomChoiceResize(((5, 5), (5,))), "RandomChoiceResize: scale must be two"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
