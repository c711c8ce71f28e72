from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ftloader.detection.masks import (
    Rle,
    decode_rle,
    encode_rle,
    pack_counts,
    polygons_to_mask,
    unpack_counts,
)
from ftloader.errors import DataError

GOLDEN = Path(__file__).parents[1] / "golden" / "masks.npz"

bitmaps = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 1)
)


def square(x1, y1, x2, y2):
    return np.array([x1, y1, x2, y1, x2, y2, x1, y2], np.float64)


def test_polygons_give_the_masks_of_pycocotools():
    with np.load(GOLDEN) as golden:
        parts = np.split(golden["coordinates"], np.cumsum(golden["part_lengths"])[:-1])
        cases, sizes = golden["part_cases"], golden["sizes"].tolist()
        packed = golden["packed"].tobytes().split(b"\n")
    assert len(sizes) == len(packed) == 240
    for case, (width, height) in enumerate(sizes):
        polygons = [part for part, of in zip(parts, cases, strict=True) if of == case]
        mask = polygons_to_mask(polygons, width, height)
        expected = decode_rle(unpack_counts(packed[case]), width, height)
        np.testing.assert_array_equal(mask, expected, err_msg=f"case {case}")


def test_bitmaps_give_the_packed_counts_of_pycocotools_and_come_back():
    with np.load(GOLDEN) as golden:
        sizes = golden["bitmap_sizes"].tolist()
        packed = golden["bitmap_packed"].tobytes().split(b"\n")
        lengths = [(width * height + 7) // 8 for width, height in sizes]
        rows = np.split(golden["bitmaps"], np.cumsum(lengths)[:-1])
    for (width, height), bits, text in zip(sizes, rows, packed, strict=True):
        bitmap = np.unpackbits(bits, count=width * height).reshape(height, width)
        assert pack_counts(encode_rle(bitmap)) == text
        np.testing.assert_array_equal(decode_rle(unpack_counts(text), width, height), bitmap)


def test_a_square_covers_the_pixels_whose_centres_it_holds():
    mask = polygons_to_mask([square(1, 2, 4, 5)], 6, 7)
    expected = np.zeros((7, 6), np.uint8)
    expected[2:5, 1:4] = 1
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == np.uint8
    assert mask.flags.c_contiguous


def test_parts_are_united_where_they_overlap():
    both = polygons_to_mask([square(0, 0, 4, 4), square(2, 2, 6, 6)], 8, 8)
    each = [polygons_to_mask([part], 8, 8) for part in (square(0, 0, 4, 4), square(2, 2, 6, 6))]
    np.testing.assert_array_equal(both, each[0] | each[1])


@pytest.mark.parametrize(
    "polygons",
    [
        pytest.param([], id="no parts"),
        pytest.param([np.array([1.0, 1.0, 3.0, 3.0])], id="two points"),
        pytest.param([np.array([1.0, 1.0, 3.0, 3.0, 5.0])], id="odd length"),
        pytest.param([np.array([-9.0, -9.0, -5.0, -9.0, -5.0, -2.0])], id="outside"),
        pytest.param([np.full(8, 2.0)], id="one point"),
    ],
)
def test_an_outline_that_encloses_nothing_gives_an_empty_mask(polygons):
    assert polygons_to_mask(polygons, 8, 8).sum() == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_coordinate_that_is_no_place_is_refused(value):
    with pytest.raises(DataError, match="coordinate"):
        polygons_to_mask([np.array([0.0, 0.0, 5.0, 0.0, 5.0, value])], 8, 8)


def test_an_endless_outline_is_refused_before_memory_is_taken():
    with pytest.raises(DataError, match="too long"):
        polygons_to_mask([np.array([0.0, 0.0, 4e8, 0.0, 0.0, 4e8])], 8, 8)


def test_a_mask_of_absurd_size_is_refused():
    with pytest.raises(DataError, match="cannot be made"):
        polygons_to_mask([square(0, 0, 4, 4)], 10**6, 10**6)


@given(bitmaps)
def test_run_lengths_come_back_as_the_bitmap(bitmap):
    counts = encode_rle(bitmap)
    height, width = bitmap.shape
    np.testing.assert_array_equal(decode_rle(counts, width, height), bitmap)
    # The first run is of zeros and may be empty; no other may.
    assert (counts[1:] > 0).all()


@given(st.lists(st.integers(0, 2**40), max_size=40))
def test_packed_counts_come_back_as_numbers(counts):
    np.testing.assert_array_equal(unpack_counts(pack_counts(counts)), counts)


@given(st.binary(max_size=60))
def test_any_text_is_unpacked_or_refused(text):
    try:
        counts = unpack_counts(text)
    except DataError:
        return
    assert counts.dtype == np.int64


def test_packed_text_may_be_str_or_bytes():
    assert unpack_counts("52203").tolist() == unpack_counts(b"52203").tolist()


def test_text_outside_ascii_is_refused():
    with pytest.raises(DataError, match="ASCII"):
        unpack_counts("5220é")


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([3, 3], id="too few"),
        pytest.param([30, 30], id="too many"),
        pytest.param([-2, 14], id="negative"),
        pytest.param([2**62, 2**62, 2**62, 2**62, 12], id="wraps round to the right sum"),
    ],
)
def test_counts_that_do_not_fill_the_mask_are_refused(counts):
    with pytest.raises(DataError, match="add up"):
        decode_rle(counts, 4, 3)


def test_an_empty_mask_has_no_pixels_to_encode():
    assert encode_rle(np.zeros((0, 0), np.uint8)).sum() == 0
    assert decode_rle([0], 0, 0).shape == (0, 0)


def test_an_rle_of_another_size_than_its_image_is_refused():
    rle = Rle(height=3, width=4, counts=np.array([12]))
    assert rle.to_mask(4, 3).shape == (3, 4)
    with pytest.raises(DataError, match="4 x 3 pixels does not fit an image of 3 x 4"):
        rle.to_mask(3, 4)


def test_inputs_are_not_written():
    points = square(1, 1, 5, 5)
    points.flags.writeable = False
    counts = np.array([2, 3, 7])
    counts.flags.writeable = False
    polygons_to_mask([points], 8, 8)
    pack_counts(counts)
    decode_rle(counts, 4, 3)
