import numpy as np
import pytest

from ftloader.detection.annotations import (
    Annotations,
    filter_annotations,
    ignored,
    instance_masks,
    mask_boxes,
)
from ftloader.detection.coco import open_coco
from ftloader.detection.masks import Rle, encode_rle
from ftloader.errors import DataError

TRIANGLE = np.array([1.0, 1.0, 5.0, 1.0, 1.0, 6.0])
CROWD_MASK = np.pad(np.ones((2, 3), np.uint8), ((4, 4), (5, 4)))


def annotations():
    """Three objects of a 12 x 10 image: a triangle, a crowd, and one without an outline."""
    return Annotations(
        boxes=np.float32([[1, 1, 5, 6], [5, 4, 8, 6], [0, 0, 2, 9]]),
        labels=np.array([4, 5, 6]),
        crowd=np.array([False, True, False]),
        areas=np.array([10.0, 6.0, 18.0]),
        ids=np.array([100, 200, 300]),
        segmentations=((TRIANGLE,), Rle(10, 12, encode_rle(CROWD_MASK)), ()),
    )


def empty():
    return filter_annotations(annotations(), min_size=(100, 100))


def test_instance_masks_has_one_bitmap_per_object():
    masks = instance_masks(annotations(), 12, 10)
    assert masks.shape == (3, 10, 12)
    assert masks.dtype == np.uint8
    assert masks[0].sum() > 0
    np.testing.assert_array_equal(masks[1], CROWD_MASK)
    assert masks[2].sum() == 0


def test_no_objects_give_no_masks_and_no_boxes():
    masks = instance_masks(empty(), 12, 10)
    assert masks.shape == (0, 10, 12)
    assert mask_boxes(masks).shape == (0, 4)
    assert ignored(empty(), with_masks=True).shape == (0,)


def test_an_outline_that_cannot_be_drawn_names_its_annotation():
    with pytest.raises(DataError, match="annotation 200: an RLE mask of 12 x 10"):
        instance_masks(annotations(), 10, 12)


def test_filter_keeps_what_is_larger_than_the_limit_in_both_directions():
    kept = filter_annotations(annotations(), min_size=(2, 2))
    assert kept.ids.tolist() == [100]  # 3 x 2 is not higher than 2, 2 x 9 not wider than 2
    assert kept.segmentations[0][0] is TRIANGLE
    assert filter_annotations(annotations()).ids.tolist() == [100, 200, 300]


def test_filter_can_drop_crowds():
    kept = filter_annotations(annotations(), crowd=False)
    assert kept.ids.tolist() == [100, 300]
    assert kept.boxes.shape == (2, 4)
    assert len(kept.segmentations) == 2


def test_ignored_are_the_crowds_and_with_masks_those_without_an_outline():
    assert ignored(annotations()).tolist() == [False, True, False]
    assert ignored(annotations(), with_masks=True).tolist() == [False, True, True]


def test_mask_boxes_are_tight():
    boxes = mask_boxes(instance_masks(annotations(), 12, 10))
    assert boxes[1].tolist() == [5, 4, 8, 6]
    assert boxes[2].tolist() == [0, 0, 0, 0]


@pytest.mark.real_data
def test_real_masks_lie_in_their_boxes_and_have_the_annotated_area(real_data):
    folder = open_coco(real_data, "val2017")
    for i in range(len(folder)):
        info, objects = folder.info(i), folder.annotations(i)
        masks = instance_masks(objects, info.width, info.height)
        outside = (mask_boxes(masks) - objects.boxes) * np.float32([-1, -1, 1, 1])
        assert outside[masks.any(axis=(1, 2))].max(initial=0) <= 1
        # A crowd's area in the file is not that of its mask.
        large = (objects.areas > 1000) & ~objects.crowd
        np.testing.assert_allclose(masks.sum(axis=(1, 2))[large], objects.areas[large], rtol=0.05)
