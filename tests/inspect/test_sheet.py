"""Contact sheets: that they show what is there, legibly, and the same every time."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ftloader.detection import Annotations, CocoFolder, encode_rle
from ftloader.detection.augment import Augment
from ftloader.detection.masks import Rle
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms import RandomFlip
from ftloader.detection.transforms.compose import Compose
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.inspect.colours import FEW_CLASSES, class_colours, ink_on
from ftloader.inspect.drawing import displayable, draw_sample
from ftloader.inspect.ink import Fonts, wrapped
from ftloader.inspect.samples import look_at
from ftloader.inspect.sheet import SheetLook, draw_sheet

from .made import CLASSES, document, entry, write

FONTS = Fonts.of()
FLIP = Compose([RandomFlip(horizontal=1.0)])


@pytest.fixture
def folder(tmp_path: Path) -> CocoFolder:
    entries = [
        entry(n, 10 + n % 2, [5 + 9 * n, 5, 20, 30], category_id=1 + n % 3) for n in range(6)
    ]
    return write(tmp_path / "data", document(entries, [(100, 80), (60, 90), (50, 50)]))


def made(boxes: Any, size: tuple[int, int] = (60, 40), *, crowd: bool = False) -> Sample:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(rows)
    notes = Annotations(rows, np.zeros(count, np.int64), np.full(count, crowd), np.ones(count),
        np.arange(count), ((),) * count)  # fmt: skip
    info = SampleInfo(*size, notes, 0, 1, "a.jpg", size)
    return Sample(np.full((size[1], size[0], 3), 128, np.uint8), info)


def test_the_same_samples_give_the_same_pixels(folder: CocoFolder) -> None:
    picks = [(0, 0), (1, 0), (0, 1)]
    sheets = [
        np.asarray(draw_sheet(look_at(folder, picks, Augment(folder, FLIP, 5)), CLASSES))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*sheets)


def test_samples_are_augmented_as_training_does(folder: CocoFolder) -> None:
    recipe = Compose([RandomFlip(0.3, 0.3, 0.3)])
    shown = look_at(folder, [(1, 4)], Augment(folder, recipe, seed=9))
    (trained,) = Augment(folder, recipe, seed=9, epoch=4)(1)
    assert shown[0].after is not None
    np.testing.assert_array_equal(shown[0].after.image, trained.image)
    np.testing.assert_array_equal(shown[0].after.boxes, trained.boxes)


def test_what_cannot_be_shown_says_why(folder: CocoFolder) -> None:
    (folder.image_dir / "0.png").write_bytes(b"no image")
    drops = Augment(folder, Compose([FilterAnnotations(min_size=(999, 999))]))
    unreadable, dropped = look_at(folder, [(0, 0), (1, 0)], drops)
    assert "0.png" in unreadable.failure
    assert dropped.failure == "dropped by the recipe"
    assert dropped.before is not None
    draw_sheet([unreadable, dropped], CLASSES)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10])
def test_any_number_of_samples_makes_a_sheet(folder: CocoFolder, count: int) -> None:
    shown = look_at(folder, [(2, 0)] * count, None)
    columns = [1, 2, 2, 2, 3, 3][[1, 2, 3, 4, 5, 10].index(count)]
    sheet = draw_sheet(shown, CLASSES, SheetLook("a title", ("a footer",)))
    alone = draw_sheet(shown[:1], CLASSES, SheetLook("a title", ("a footer",)))
    assert (sheet.width - 28) == columns * (alone.width - 28)


def test_boxes_masks_and_names_are_drawn_in_the_colour_of_their_class() -> None:
    colour = (255, 0, 0)
    sample = made([[10, 10, 40, 30]])
    bits = np.zeros((40, 60), np.uint8)
    bits[15:25, 15:35] = 1
    object.__setattr__(sample.info.annotations, "segmentations", (Rle(40, 60, encode_rle(bits)),))
    drawn = np.asarray(draw_sample(sample, ["cat"], {0: colour}, (240, 160), None).image)
    assert drawn.shape == (160, 240, 3)
    assert tuple(drawn[40, 100]) == colour  # the box's upper side
    assert tuple(drawn[80, 100]) == (172, 83, 83)  # the mask: 35 per cent red on grey
    assert tuple(drawn[10, 10]) == (128, 128, 128)
    named = np.asarray(draw_sample(sample, ["cat"], {0: colour}, (240, 160), FONTS.tag).image)
    assert (named != drawn).any()


def test_crowd_boxes_are_dashed() -> None:
    colour = (255, 0, 0)
    sides = []
    for crowd in (False, True):
        image = draw_sample(made([[5, 5, 55, 35]], crowd=crowd), ["cat"], {0: colour}, (240, 160),
            None).image  # fmt: skip
        row = np.asarray(image)[20, 24:216]
        sides.append(int((row == colour).all(axis=1).sum()))
    assert sides[0] == 192
    assert 60 < sides[1] < 130


def test_an_outline_that_cannot_be_rasterised_is_told_not_raised() -> None:
    sample = made([[10, 10, 40, 30]])
    object.__setattr__(sample.info.annotations, "segmentations", (np.zeros((3, 3), np.uint8),))
    notes = draw_sample(sample, ["cat"], {0: (255, 0, 0)}, (240, 160), FONTS.tag).notes
    assert len(notes) == 1
    assert notes[0].startswith("no mask: annotation 0: ")


def test_names_left_out_for_lack_of_room_are_counted() -> None:
    crowded = made([[10, 10, 20, 20]] * 60)
    notes = draw_sample(crowded, ["a long name"], {0: (255, 0, 0)}, (120, 80), FONTS.tag).notes
    assert len(notes) == 1
    assert notes[0].endswith("of 60 names left out for lack of room")


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    st.lists(st.tuples(*[st.floats(-90, 150, width=32)] * 4), max_size=8),
    st.integers(1, 70),
    st.integers(1, 70),
)
def test_any_box_on_any_image_can_be_drawn(boxes: list[Any], width: int, height: int) -> None:
    ordered = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in boxes]
    for crowd in (False, True):
        sample = made(ordered, (width, height), crowd=crowd)
        drawn = draw_sample(sample, ["cat"], {0: (255, 0, 0)}, (100, 100), FONTS.tag).image
        assert max(drawn.size) <= 100


def test_floats_are_stretched_and_said_to_be() -> None:
    pixels, notes = displayable(np.linspace(-2, 2.5, 12, dtype=np.float32).reshape(2, 2, 3))
    assert (pixels.dtype, int(pixels.min()), int(pixels.max())) == (np.uint8, 0, 255)
    assert notes == ["float32 pixels from -2 to 2.5, stretched to be shown"]
    flat, _ = displayable(np.zeros((2, 2, 3), np.float32))
    assert not flat.any()


def test_few_classes_keep_their_colours_and_many_are_told_apart() -> None:
    few = class_colours(3, {2: 9})
    assert few == class_colours(3, {0: 1, 1: 5})
    many = class_colours(80, {label: 80 - label for label in range(0, 80, 5)})
    assert len(many) == 16 < FEW_CLASSES
    distances = [np.abs(np.subtract(a, b)).sum() for a, b in combinations(many.values(), 2)]
    assert min(distances) > 40


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 255, 0), (0, 0, 255)])
def test_ink_has_contrast(colour: tuple[int, int, int]) -> None:
    black = ink_on(colour) == (0, 0, 0)
    assert black == (sum(np.multiply(colour, (0.2126, 0.7152, 0.0722))) > 100)


@settings(deadline=None, derandomize=True)
@given(st.text("abc de=,()", max_size=120), st.integers(60, 300))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrapped(text, FONTS.text, width, hanging="  ")
    assert all(FONTS.text.getlength(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_names_in_other_letters_are_written_as_far_as_the_font_goes() -> None:
    assert FONTS.writable("Café") == "Cafe"
    assert FONTS.writable("人 a") == "? a"


def test_a_sheet_can_be_saved_and_read(folder: CocoFolder, tmp_path: Path) -> None:
    draw_sheet(look_at(folder, [(0, 0)], None), CLASSES).save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.mode == "RGB"
