import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ftloader.detection._extents import mask_areas, tight_boxes
from ftloader.detection.annotations import instance_masks, mask_boxes
from ftloader.detection.masks import Rle, encode_rle
from ftloader.errors import DataError
from tests.detection.transforms.cases import info_of, polygon

coordinates = st.floats(-15, 45, width=32)
parts = hnp.arrays(np.float64, st.integers(0, 16), elements=coordinates)
polygons = st.lists(parts, max_size=4).map(tuple)


@st.composite
def infos(draw):
    width, height = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    bitmaps = hnp.arrays(np.uint8, (height, width), elements=st.integers(0, 1))
    rles = bitmaps.map(lambda mask: Rle(height, width, encode_rle(mask)))
    outlines = draw(st.lists(st.one_of(polygons, bitmaps, rles), max_size=4))
    return info_of([(0, 0, 1, 1)] * len(outlines), width, height, outlines)


@given(infos())
@settings(deadline=None, derandomize=True)
def test_boxes_and_areas_are_those_of_the_masks(info):
    masks = instance_masks(info.annotations, *info.size)
    boxes = tight_boxes(info.annotations, *info.size)
    assert boxes.dtype == np.float32
    np.testing.assert_array_equal(boxes, mask_boxes(masks))
    areas = mask_areas(info.annotations, *info.size)
    np.testing.assert_array_equal(areas, masks.sum(axis=(1, 2)))


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        ((polygon(0, 0, np.inf, 5),), "annotation 101: a polygon coordinate is not finite"),
        (Rle(3, 3, np.array([9])), "annotation 101: an RLE mask of 3 x 3 pixels does not fit"),
        (Rle(8, 8, np.array([1, 2])), "annotation 101: RLE counts add up to 3"),
        (np.zeros((3, 3), np.uint8), "annotation 101: a bitmap of 3 x 3 pixels does not fit"),
    ],
)
@pytest.mark.parametrize("measure", [mask_areas, tight_boxes])
def test_an_outline_that_gives_no_mask_is_named(measure, outline, message):
    info = info_of([(0, 0, 1, 1)] * 2, 8, 8, ["polygon", outline])
    with pytest.raises(DataError, match=message):
        measure(info.annotations, 8, 8)


@pytest.mark.real_data
def test_real_outlines_measure_as_their_masks(real_data):
    from ftloader.detection import open_coco

    folder = open_coco(real_data, "val2017")
    for i in range(min(len(folder), 25)):
        info = folder.sample_info(i)
        masks = instance_masks(info.annotations, *info.size)
        boxes = tight_boxes(info.annotations, *info.size)
        np.testing.assert_array_equal(boxes, mask_boxes(masks))
        areas = mask_areas(info.annotations, *info.size)
        np.testing.assert_array_equal(areas, masks.sum(axis=(1, 2)))
