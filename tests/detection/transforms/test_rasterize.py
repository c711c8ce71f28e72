import numpy as np
import pytest
from hypothesis import given

from ftloader.detection.annotations import Annotations, ignored
from ftloader.detection.masks import Rle
from ftloader.detection.transforms.rasterize import Rasterize, RasterizeParams
from ftloader.detection.transforms.resize import Resize, ResizeParams
from ftloader.errors import DataError

from .objects import frozen, objects, property_test, rectangle, rle, sample, sized_objects


def rasterized(before):
    return Rasterize().apply(before, Rasterize().draw(np.random.default_rng(5), before.info))


@given(sized_objects())
@property_test
def test_the_masks_stay_the_same_and_so_does_the_rest(sized):
    before = sample(*sized)
    after = rasterized(before)
    np.testing.assert_array_equal(after.masks(), before.masks())
    np.testing.assert_array_equal(
        ignored(after.info.annotations, with_masks=True),
        ignored(before.info.annotations, with_masks=True),
    )
    assert after.image is before.image
    assert after.boxes is before.boxes
    assert after.info.size == before.info.size


def test_every_outline_becomes_a_bitmap_but_one_that_encloses_nothing():
    empty, line = (), (frozen([1.0, 1.0, 2.0, 2.0]),)
    mask = frozen(np.ones((5, 7), np.uint8))
    outlines = [rectangle(1, 1, 3, 3), rle(mask), mask, empty, line]
    after = rasterized(sample((7, 5), objects(outlines))).info.annotations.segmentations
    assert [isinstance(outline, np.ndarray) for outline in after] == [True] * 3 + [False] * 2
    assert after[3] is empty
    assert after[4] is line


def test_later_steps_move_the_bitmap_and_not_the_polygon():
    before = rasterized(sample((4, 4), objects([rectangle(0.6, 0.6, 2.6, 2.6)])))
    after = Resize((8, 8)).apply(before, ResizeParams(8, 8))
    expected = before.masks()[0].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(after.masks()[0], expected)


def test_an_image_without_objects_stays_without():
    after = rasterized(sample((7, 5), Annotations.none()))
    assert after.info.annotations.segmentations == ()


def test_an_outline_that_cannot_be_rasterised_names_its_annotation():
    bad = sample((7, 5), objects([(), Rle(5, 7, frozen([3, 4]))]))
    with pytest.raises(DataError, match="annotation 101: RLE counts add up to 7"):
        Rasterize().apply(bad, RasterizeParams())
