"""Pictures that encode their coordinates: what is read from them, and what is left open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ftloader.audit.conventions.base import View
from ftloader.audit.conventions.coded import SIZES, Coded, Fit, fit, marks, pictures

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float64]


def view(coded: Coded) -> View:
    return View(coded.image, coded.boxes.astype(np.float64), coded.labels)


def moved(coded: Coded, image: Callable[[Pixels], Pixels], boxes: Callable[[Boxes], Boxes]) -> Fit:
    seen = view(coded)
    return fit(seen, View(image(seen.image), boxes(seen.boxes), seen.labels))


def same(boxes: Boxes) -> Boxes:
    return boxes


def resized(width: int, height: int) -> Callable[[Pixels], Pixels]:
    return lambda image: np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    )


WITH_OBJECTS = [coded for coded in pictures() if len(coded.labels)]


def test_there_are_small_and_large_pictures_one_without_objects() -> None:
    assert 12 <= len(pictures()) <= 16
    assert {(64, 64), (96, 72), (320, 240), (640, 480), (1344, 800)} == set(SIZES)
    assert sum(len(coded.labels) == 0 for coded in pictures()) == 1
    labels = np.concatenate([coded.labels for coded in pictures()])
    assert len(np.unique(labels)) == len(labels)


def test_boxes_lie_inside_their_pictures() -> None:
    for coded in pictures():
        assert np.all(coded.boxes >= 0)
        assert np.all(coded.boxes[:, 2:] <= coded.size)
        assert np.all(coded.boxes[:, 2:] - coded.boxes[:, :2] >= 8)


def test_marks_are_no_usual_filling_and_no_blend_of_two_is_a_third() -> None:
    for levels in zip(*(marks(number) for number in range(len(SIZES))), strict=True):
        assert len(set(levels)) == len(SIZES)
        assert not set(levels) & {0, 255, 114, 128, 103, 104, 116, 123, 124}
        blends = {(one + other) // 2 for one in levels for other in levels if one != other}
        assert not blends & set(levels)


@pytest.mark.parametrize("coded", WITH_OBJECTS, ids=lambda coded: str(coded.number))
def test_upright_maps_are_read_and_wrong_boxes_told(coded: Coded) -> None:
    width, height = coded.size
    cases = {
        "as it is": (lambda image: image, same),
        "flipped": (
            lambda image: image[:, ::-1],
            lambda boxes: np.stack(
                [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1
            ),
        ),
        "upside down": (
            lambda image: image[::-1],
            lambda boxes: np.stack(
                [boxes[:, 0], height - boxes[:, 3], boxes[:, 2], height - boxes[:, 1]], 1
            ),
        ),
        "enlarged": (
            resized(2 * width, 3 * height),
            lambda boxes: boxes * (2, 3, 2, 3),
        ),
        "shrunk": (
            resized(width // 2, height // 2),
            lambda boxes: boxes / 2,
        ),
        "cropped": (
            lambda image: image[10:, 12:-5],
            lambda boxes: np.clip(
                boxes - (12, 10, 12, 10), 0, [width - 17, height - 10, width - 17, height - 10]
            ),
        ),
        "padded": (
            lambda image: np.pad(image, ((20, 30), (7, 9), (0, 0)), constant_values=114),
            lambda boxes: boxes + np.array([7, 20, 7, 20]),
        ),
    }
    for name, (image, boxes) in cases.items():
        assert moved(coded, image, boxes) == Fit(checked=4), name
        right = boxes(view(coded).boxes)
        wrong = moved(coded, image, lambda _, right=right: right + 0.1 * max(width, height))
        assert "px from its pixels" in wrong.torn, name


def test_the_order_of_channels_and_the_scale_of_levels_do_not_matter() -> None:
    coded = pictures()[0]
    assert moved(coded, lambda image: image[..., ::-1], same).checked == 4
    assert moved(coded, lambda image: (image / 255).astype("f4"), same).checked == 4
    assert moved(coded, lambda image: image.astype("f4"), same).checked == 4


def test_changed_colours_are_no_wrong_boxes() -> None:
    coded = pictures()[0]

    def brighter(image: Pixels) -> Pixels:
        return np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8)

    def stretched(image: Pixels) -> Pixels:
        low, high = image.min((0, 1)).astype(int), image.max((0, 1)).astype(int)
        ramps = (image[..., :2].astype(int) - low[:2]) * 255 // (high[:2] - low[:2])
        return np.concatenate([ramps.astype(np.uint8), image[..., 2:]], axis=2)

    def paler(image: Pixels) -> Pixels:
        """As less saturation does: the largest channel stays."""
        value = image.max(2, keepdims=True).astype(int)
        return (value - (value - image) * 6 // 10).astype(np.uint8)

    def flatter(image: Pixels) -> Pixels:
        """As less contrast around the high mark does."""
        high = marks(coded.number)[0]
        return (high - (high - image.astype(int)) * 7 // 10).astype(np.uint8)

    for change in (brighter, paler, flatter, lambda image: 255 - image, lambda image: image // 2):
        assert moved(coded, change, same).unknown == "the colours were changed or mixed"
    # What contrast does to a crop looks like another map, but for the range of the levels.
    cropped = moved(coded, lambda image: stretched(image[10:50, 10:50]), lambda boxes: boxes - 10)
    assert cropped.unknown == "the colours were changed or mixed"


def test_turned_and_warped_pictures_are_left_open() -> None:
    coded = pictures()[10]
    turned = moved(coded, lambda image: np.asarray(Image.fromarray(image).rotate(20)), same)
    assert turned.unknown == "the picture was turned or sheared"
    quarter = moved(coded, lambda image: np.rot90(image), same)
    assert quarter.unknown == "the picture was turned or sheared"
    halves = moved(coded, lambda image: np.concatenate([image[:99], image[:99]]), same)
    assert halves.unknown == "the picture was not moved as a whole"


def test_a_blend_with_another_picture_is_left_open() -> None:
    one, other = pictures()[0], pictures()[1]
    blended = moved(one, lambda image: (image // 2 + other.image // 2).astype(np.uint8), same)
    assert blended.unknown == "the colours were changed or mixed"


def test_an_object_that_shows_twice_is_left_open() -> None:
    seen = view(pictures()[0])
    twice = View(seen.image, np.tile(seen.boxes, (2, 1)), np.tile(seen.labels, 2))
    assert fit(seen, twice).unknown == "the output shows an object twice"


def test_dropped_objects_are_not_missed_but_lost_labels_are() -> None:
    seen = view(pictures()[0])
    assert fit(seen, View(seen.image, seen.boxes[1:], seen.labels[1:])) == Fit(checked=3)
    none = fit(seen, View(seen.image, seen.boxes[:0], seen.labels[:0]))
    assert none == Fit(unknown="the output has none of the input's objects")
    assert fit(seen, View(seen.image, seen.boxes[1:], seen.labels)).torn == "3 boxes have 4 labels"


def test_pictures_of_the_users_are_told_from_coded_ones() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    seen = View(noise, np.array([[1.0, 2, 30, 40]]), np.array([1]))
    assert fit(seen, seen).unknown == "the pictures do not encode their coordinates"
