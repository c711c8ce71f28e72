import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ftloader.detection.coco import open_coco
from ftloader.detection.image import decode, fit_within, resize
from ftloader.detection.synthetic import broken_set, edge_set
from ftloader.errors import DecodeError

EDGE = edge_set()
BROKEN = broken_set()
SIZES = {"one-row": (1, 200), "one-column": (200, 1), "one-pixel": (1, 1)}


def reference(name):
    """What Pillow's own documented steps make of the bytes."""
    with Image.open(BytesIO(EDGE[name])) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("name", EDGE)
def test_an_edge_image_decodes_to_upright_rgb(name):
    image = decode(EDGE[name], name=name)
    assert image.dtype == np.uint8
    assert image.shape == (*SIZES.get(name, (21, 33)), 3)
    assert image.flags.c_contiguous
    assert not image.flags.writeable


@pytest.mark.parametrize(
    "name", sorted(EDGE.keys() - {"exif-damaged", "png-16-bit", "png-palette-alpha"})
)
def test_an_edge_image_has_the_pixels_that_pillow_gives(name):
    np.testing.assert_array_equal(decode(EDGE[name]), reference(name))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_shows_the_same_picture(orientation):
    upright = decode(EDGE["png"]).astype(int)
    turned = decode(EDGE[f"exif-{orientation}"]).astype(int)
    assert np.abs(upright - turned).max() <= 8  # JPEG at quality 100


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_in_both_byte_orders(order):
    mark = b"II*\0" if order == "<" else b"MM\0*"
    others = struct.pack(f"{order}HHIHH", 0x0110, 2, 1, 6, 0)
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, 6, 0)
    ifd = struct.pack(f"{order}IH", 8, 2) + others + entry + bytes(4)
    upright = Image.fromarray(decode(EDGE["png"]))
    buffer = BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=b"Exif\0\0" + mark + ifd)
    np.testing.assert_array_equal(decode(buffer.getvalue()), decode(EDGE["png"]))


def test_damaged_exif_counts_as_none():
    np.testing.assert_array_equal(decode(EDGE["exif-damaged"]), decode(EDGE["baseline"]))


def test_sixteen_bit_grey_keeps_its_upper_byte():
    grey = decode(EDGE["png"])[..., 0]
    np.testing.assert_array_equal(decode(EDGE["png-16-bit"]), np.stack([grey] * 3, axis=-1))


def test_a_transparent_palette_gives_the_palette_s_colours():
    np.testing.assert_array_equal(decode(EDGE["png-palette-alpha"]), decode(EDGE["png-palette"]))


def test_nothing_is_warned_about():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in EDGE.values():
            decode(data)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_bytes_are_refused_and_named(name):
    with pytest.raises(DecodeError) as caught:
        decode(BROKEN[name], name=f"{name}.jpg")
    assert str(caught.value).startswith(f"cannot decode {name}.jpg ({len(BROKEN[name])} bytes): ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["baseline", "progressive", "png"])
def test_a_cut_file_is_refused_or_whole_never_half_grey(name):
    data = EDGE[name]
    whole = decode(data)
    for length in range(0, len(data), 7):
        try:
            image = decode(data[:length])
        except DecodeError:
            continue
        np.testing.assert_array_equal(image, whole)


@given(st.sampled_from(["baseline", "progressive", "png-palette", "webp", "bmp"]), st.data())
@settings(max_examples=150)
def test_damaged_bytes_end_in_an_image_or_in_a_decode_error(name, data):
    damaged = bytearray(EDGE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = decode(bytes(damaged))
        except DecodeError:
            return
    assert image.ndim == 3


def test_threads_decode_the_same_pixels():
    names = list(EDGE) * 4
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda name: decode(EDGE[name]), names))
    for name, image in zip(names, images, strict=True):
        np.testing.assert_array_equal(image, decode(EDGE[name]))


@pytest.mark.parametrize("size", [(66, 42), (11, 7), (33, 7), (1, 1)])
def test_resize_is_pillow_s_bilinear(size):
    image = decode(EDGE["png"])
    resized = resize(image, size)
    expected = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resized, np.asarray(expected))
    assert resized.shape == (size[1], size[0], 3)
    assert not resized.flags.writeable


def test_resize_averages_when_it_shrinks():
    stripes = np.zeros((8, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert abs(int(resize(stripes, (8, 8)).mean()) - 127) <= 2


def test_resize_to_the_same_size_copies_nothing():
    image = decode(EDGE["png"])
    assert resize(image, (33, 21)) is image


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_resize_to_nothing_is_refused(size):
    with pytest.raises(ValueError, match="both must be positive"):
        resize(decode(EDGE["png"]), size)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        # (1333, 800) on common COCO sizes, as mmcv.rescale_size gives them
        ((640, 480), (1067, 800)),
        ((480, 640), (800, 1067)),
        ((640, 427), (1199, 800)),
        ((500, 375), (1067, 800)),
        ((640, 360), (1333, 750)),
        ((612, 612), (800, 800)),
        ((200, 145), (1103, 800)),
        ((5000, 1), (1333, 1)),
    ],
)
def test_fit_within_keeps_the_shape_inside_both_limits(size, expected):
    assert fit_within(*size, 1333, 800) == expected
    assert fit_within(*size, 800, 1333) == expected


@given(*[st.integers(1, 5000)] * 4)
def test_fit_within_never_exceeds_its_limits(width, height, long_edge, short_edge):
    new = fit_within(width, height, long_edge, short_edge)
    assert max(new) <= max(long_edge, short_edge)
    assert min(new) <= min(long_edge, short_edge)
    assert min(new) >= 1


def test_fit_within_nothing_is_refused():
    with pytest.raises(ValueError, match="all must be positive"):
        fit_within(640, 480, 0, 800)


@pytest.mark.real_data
def test_real_images_decode_as_pillow_decodes_them(real_data):
    folder = open_coco(real_data, "val2017")
    for i in range(20):
        data = folder.read_bytes(i)
        with Image.open(BytesIO(data)) as image:
            np.testing.assert_array_equal(decode(data), np.asarray(image.convert("RGB")))
