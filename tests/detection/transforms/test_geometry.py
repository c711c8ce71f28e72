import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.detection.annotations import Annotations, instance_masks, mask_boxes
from ftloader.detection.geometry import (
    clipped,
    flipped,
    nearest,
    place,
    resized,
    touching,
    windowed,
)
from ftloader.detection.masks import Rle, encode_rle, unpack_counts
from ftloader.errors import DataError

from .objects import (
    assert_same,
    bitmaps,
    frozen,
    objects,
    property_test,
    rectangle,
    rle,
    sized_objects,
    sizes,
)

DIRECTIONS = ("horizontal", "vertical", "diagonal")
corners = st.tuples(st.integers(-30, 30), st.integers(-30, 30))


@given(sized_objects(), st.sampled_from(DIRECTIONS))
@property_test
def test_flipping_twice_is_the_identity(sized, direction):
    size, before = sized
    once = flipped(before, size, direction)
    assert_same(flipped(once, size, direction), before)


@given(sized_objects())
@property_test
def test_a_diagonal_flip_is_a_horizontal_and_a_vertical_one(sized):
    size, before = sized
    twice = flipped(flipped(before, size, "horizontal"), size, "vertical")
    assert_same(flipped(before, size, "diagonal"), twice)


@given(sized_objects(), corners)
@property_test
def test_a_window_that_holds_the_image_can_be_undone(sized, corner):
    (width, height), before = sized
    left, top = -abs(corner[0]), -abs(corner[1])
    larger = (width - left + 2, height - top + 3)
    padded = windowed(before, (width, height), (left, top), larger)
    assert_same(windowed(padded, larger, (-left, -top), (width, height)), before)


@given(sizes().flatmap(bitmaps), corners, sizes())
@property_test
def test_a_window_shows_what_is_there_and_nothing_around_it(mask, corner, new):
    height, width = mask.shape
    around = np.pad(mask, 60)
    x, y = corner[0] + 60, corner[1] + 60
    expected = around[y : y + new[1], x : x + new[0]]
    (shown,) = windowed(objects([mask]), (width, height), corner, new).segmentations
    np.testing.assert_array_equal(shown, expected)


@given(sizes().flatmap(bitmaps), corners, sizes(), st.booleans())
@property_test
def test_run_lengths_move_as_their_bitmap_does(mask, corner, new, packed):
    size = mask.shape[::-1]
    both = objects([mask, rle(mask, packed=packed)])
    moved = [resized(both, size, new), windowed(both, size, corner, new)]
    moved += [flipped(both, size, direction) for direction in DIRECTIONS]
    for after in moved:
        bitmap, runs = after.segmentations
        assert isinstance(runs, Rle)
        assert bitmap.dtype == np.uint8
        assert bitmap.flags.c_contiguous
        assert (runs.height, runs.width) == bitmap.shape
        counts = unpack_counts(runs.counts) if isinstance(runs.counts, bytes) else runs.counts
        np.testing.assert_array_equal(counts, encode_rle(bitmap))


def test_runs_of_no_pixels_are_left_out():
    mask = frozen(np.array([[1, 0], [1, 0], [0, 1]], np.uint8))
    odd = Rle(3, 2, np.array([0, 1, 0, 1, 3, 0, 0, 1, 0]))
    (runs,) = flipped(objects([odd]), (2, 3), "vertical").segmentations
    np.testing.assert_array_equal(runs.to_mask(2, 3), mask[::-1])
    np.testing.assert_array_equal(runs.counts, encode_rle(mask[::-1]))


@given(
    sizes(1, 9),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(-3, 9), st.integers(-3, 9), sizes(1, 9)),
)
@property_test
def test_whole_numbered_enlarging_gives_polygon_bitmap_and_box_the_same_pixels(size, times, where):
    x, y, (width, height) = where
    edges = (x, y, x + width, y + height)
    mask = instance_masks(objects([rectangle(*edges)]), *size)[0]
    new = (size[0] * times[0], size[1] * times[1])
    after = resized(objects([rectangle(*edges), mask], [edges] * 2), size, new)
    polygon, bitmap = instance_masks(after, *new)
    np.testing.assert_array_equal(polygon, bitmap)
    if bitmap.any():
        np.testing.assert_array_equal(mask_boxes([polygon])[0], after.boxes[0])


@given(sizes(8, 40), sizes(8, 60), st.data())
@property_test
def test_polygons_bitmaps_and_boxes_agree_to_a_pixel_or_two_after_resizing(size, new, data):
    corner = [data.draw(st.floats(0, 0.7)) for _ in range(2)]
    extent = [data.draw(st.floats(0.25, 1 - at)) for at in corner]
    x1, y1, x2, y2 = np.concatenate([corner, np.add(corner, extent)]) * (size * 2)
    mask = instance_masks(objects([rectangle(x1, y1, x2, y2)]), *size)[0]
    after = resized(objects([rectangle(x1, y1, x2, y2), mask], [(x1, y1, x2, y2)] * 2), size, new)
    polygon, bitmap = mask_boxes(instance_masks(after, *new))
    # Half an old pixel lost in rasterising, half a new one in each rounding after it.
    assert (np.abs(polygon - bitmap) <= np.array(new * 2) / (size * 2) + 1).all()
    assert (np.abs(polygon - after.boxes[0]) <= 1).all()


@given(sized_objects(), sizes())
@property_test
def test_boxes_lie_inside_the_resized_image(sized, new):
    size, before = sized
    boxes = resized(before, size, new).boxes
    assert (boxes >= 0).all()
    assert (boxes <= np.array(new * 2)).all()
    assert boxes.dtype == np.float32


@given(sized_objects())
@property_test
def test_every_object_keeps_its_place_and_the_rest_of_what_is_known_of_it(sized):
    size, before = sized
    for after in (
        resized(before, size, (9, 5)),
        flipped(before, size, "diagonal"),
        windowed(before, size, (2, -1), (9, 5)),
    ):
        assert after.labels is before.labels
        assert after.ids is before.ids
        assert after.areas is before.areas
        assert after.crowd is before.crowd
        kinds = [type(outline) for outline in before.segmentations]
        assert [type(outline) for outline in after.segmentations] == kinds


def test_images_without_objects_are_moved_too():
    none = Annotations.none()
    for after in (
        resized(none, (4, 5), (9, 5)),
        flipped(none, (4, 5), "horizontal"),
        windowed(none, (4, 5), (-1, 1), (9, 5)),
    ):
        assert_same(after, none)


def test_coordinates_without_a_partner_stay_where_they_are():
    odd, pair = frozen([1.0, 2.0, 3.0]), frozen([1.0, 2.0])
    (parts,) = flipped(objects([(pair, odd, pair)]), (10, 10), "horizontal").segmentations
    assert [part.tolist() for part in parts] == [[9, 2], [1, 2, 3], [9, 2]]


def test_an_absurd_coordinate_moves_without_a_warning_and_is_refused_when_rasterised():
    far = resized(objects([rectangle(0, 0, 1e308, 1)], [(0, 0, 3e38, 1)]), (1, 1), (9, 9))
    assert far.boxes.tolist() == [[0, 0, 9, 9]]
    with pytest.raises(DataError, match="annotation 100: a polygon coordinate"):
        instance_masks(far, 9, 9)


@pytest.mark.parametrize(
    ("outline", "words"),
    [
        (rle(np.ones((3, 4), np.uint8)), "an RLE mask of 4 x 3 pixels does not fit an image"),
        (Rle(5, 5, frozen([20, 6])), "RLE counts add up to 26"),
        (Rle(5, 5, frozen([30, -5])), "RLE counts add up to 25"),
        (Rle(5, 5, b"\x7f"), "packed RLE counts are damaged"),
        (frozen(np.ones((3, 4), np.uint8)), "a bitmap of 4 x 3 pixels does not fit an image"),
    ],
)
def test_a_mask_that_cannot_be_moved_names_its_annotation(outline, words):
    both = objects([(), outline])
    for move in (
        lambda: resized(both, (5, 5), (9, 9)),
        lambda: flipped(both, (5, 5), "vertical"),
        lambda: windowed(both, (5, 5), (1, 1), (9, 9)),
    ):
        with pytest.raises(DataError, match=f"annotation 101: {words}"):
            move()


def test_a_resize_to_the_same_size_only_clips():
    before = objects([rectangle(1, 1, 3, 3)], [(-1, 2, 30, 4)])
    after = resized(before, (8, 8), (8, 8))
    assert after.boxes.tolist() == [[0, 2, 8, 4]]
    assert after.segmentations is before.segmentations


def test_the_polygons_of_one_image_share_one_array():
    after = flipped(objects([rectangle(0, 0, 1, 1)] * 2), (8, 8), "vertical")
    (first,), (second,) = after.segmentations
    assert first.base is second.base is not None


@pytest.mark.parametrize(
    ("length", "new", "shown"),
    [(3, 5, [0, 0, 1, 1, 2]), (5, 3, [0, 1, 3]), (4, 4, [0, 1, 2, 3]), (1, 3, [0, 0, 0])],
)
def test_the_nearest_row_is_the_one_that_opencv_takes(length, new, shown):
    assert nearest(length, new).tolist() == shown


@given(st.integers(1, 3000), st.integers(1, 3000))
@property_test
def test_rows_are_shown_in_order_and_exist(length, new):
    shown = nearest(length, new)
    assert len(shown) == new
    assert shown[0] == 0
    assert shown[-1] < length
    assert (np.diff(shown) >= 0).all()


def test_clipping_cuts_at_the_edges():
    boxes = frozen(np.float32([[-5, -5, 3, 3], [8, 2, 20, 30], [50, 50, 60, 60]]))
    assert clipped(boxes, (10, 7)).tolist() == [[0, 0, 3, 3], [8, 2, 10, 7], [10, 7, 10, 7]]


def test_a_box_that_shares_only_an_edge_with_the_image_does_not_touch_it():
    boxes = np.float32([[10, 0, 12, 5], [9.5, 0, 12, 5], [-3, 0, 0, 5], [0, -4, 5, 0.5]])
    assert touching(boxes, (10, 7)).tolist() == [False, True, False, True]


@given(sizes(1, 9), sizes(1, 9), corners)
@property_test
def test_placing_writes_what_it_says_and_nothing_else(canvas_size, patch_size, corner):
    canvas = np.zeros((*canvas_size[::-1], 3), np.uint8)
    patch = frozen(np.random.default_rng(1).integers(1, 255, (*patch_size[::-1], 3), np.uint8))
    x1, y1, x2, y2 = place(canvas, patch, corner)
    inside = np.zeros(canvas.shape[:2], bool)
    for y, x in np.ndindex(canvas.shape[:2]):
        v, u = y - corner[1], x - corner[0]
        inside[y, x] = 0 <= v < patch.shape[0] and 0 <= u < patch.shape[1]
        expected = patch[v, u] if inside[y, x] else 0
        assert (canvas[y, x] == expected).all()
    written = np.zeros_like(inside)
    written[y1:y2, x1:x2] = True
    np.testing.assert_array_equal(written, inside)
