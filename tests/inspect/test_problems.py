from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ftloader.detection import CocoFolder, encode_rle, instance_masks, mask_boxes, pack_counts
from ftloader.inspect.outlines import outlines
from ftloader.inspect.problems import EXAMPLES, Problem, find_problems

from .made import CLASSES, Entry, document, entry, index, write

SIZES = [(100, 80), (60, 60)]
GOOD = [entry(n, 10 + n % 2, [5 + n, 5, 20, 20], category_id=1 + n % 3) for n in range(6)]


def found_in(tmp_path: Path, entries: list[Entry]) -> dict[str, Problem]:
    folder = write(tmp_path / "data", document(entries, SIZES))
    return {problem.name: problem for problem in find_problems(folder)}


def test_clean_data_have_no_problems(tmp_path: Path) -> None:
    assert found_in(tmp_path, GOOD) == {}


def rle(width: int, height: int, mask: Any = None) -> Entry:
    bits = np.zeros((height, width), np.uint8)
    if mask is not None:
        bits[mask] = 1
    return {"size": [height, width], "counts": pack_counts(encode_rle(bits)).decode()}


SIDES = st.integers(1, 9)
INSIDE = (slice(5, 25), slice(5, 25))  # what the box 5, 5, 20, 20 covers


@pytest.mark.parametrize(
    ("name", "level", "bad"),
    [
        ("box_larger_than_image", "wrong", entry(99, 10, [-20, 5, 130, 20])),
        ("box_outside_frame", "wrong", entry(99, 10, [90, 5, 15, 20])),
        ("duplicate", "wrong", entry(99, 10, [5.2, 5, 20, 19.9])),
        ("area_exceeds_box", "wrong", entry(99, 10, [40, 5, 20, 20], area=500)),
        ("outline_off_box", "wrong",
         entry(99, 10, [40, 5, 20, 20], segmentation=[[40, 5, 60, 5, 60, 20]])),
        ("outline_outside_frame", "wrong",
         entry(99, 10, [90, 5, 15, 20])),
        ("outline_off_box", "wrong", entry(99, 10, [40, 5, 20, 20],
         segmentation=rle(100, 80, INSIDE))),
        ("broken_rle", "wrong", entry(99, 10, [40, 5, 20, 20], segmentation=rle(80, 100))),
        ("broken_rle", "wrong", entry(99, 10, [40, 5, 20, 20],
         segmentation={"size": [80, 100], "counts": [7, -7]})),
        ("broken_polygon", "wrong",
         entry(99, 10, [40, 5, 20, 20], segmentation=[[40, 5, 60, 25]])),
        ("no_outline", "unusual", entry(99, 10, [40, 5, 20, 20], segmentation=[])),
        ("no_outline", "unusual", entry(99, 10, [40, 5, 20, 20], segmentation=rle(100, 80))),
        ("crowd_polygon", "unusual", entry(99, 10, [40, 5, 20, 20], iscrowd=1)),
        ("other_class_same_box", "unusual", entry(99, 10, [5, 5, 20, 20], category_id=2)),
        ("tiny_box", "unusual", entry(99, 10, [40, 5, 20, 3])),
        ("thin_box", "unusual", entry(99, 10, [0, 5, 95, 4.5])),
        ("skipped_unknown_image", "skipped", entry(99, 77, [5, 5, 20, 20])),
        ("skipped_ignore", "skipped", entry(99, 10, [5, 5, 20, 20], ignore=1)),
        ("skipped_outside", "skipped", entry(99, 10, [200, 5, 20, 20])),
        ("skipped_degenerate", "skipped", entry(99, 10, [5, 5, 20, 0.5])),
        ("skipped_unknown_category", "skipped", entry(99, 10, [5, 5, 20, 20], category_id=9)),
    ],
)  # fmt: skip
def test_every_rule_finds_its_problem(tmp_path: Path, name: str, level: str, bad: Entry) -> None:
    problem = found_in(tmp_path, [*GOOD, bad])[name]
    assert (problem.level, problem.count) == (level, 1)
    if level != "skipped":
        (example,) = problem.examples
        assert (example.index, example.file_name, example.annotation_id) == (0, "0.png", 99)
        assert "5.0" in example.detail


def test_what_rounding_may_do_is_no_problem(tmp_path: Path) -> None:
    close = entry(99, 10, [79.5, 39.5, 21, 41], segmentation=[[80.4, 40, 100.9, 40, 100, 80]])
    assert found_in(tmp_path, [*GOOD, close]) == {}


def test_a_run_length_outline_that_fits_its_box_is_no_problem(tmp_path: Path) -> None:
    fits = entry(99, 10, [5, 5, 20, 20], segmentation=rle(100, 80, INSIDE), category_id=1,
                 iscrowd=1)  # fmt: skip
    assert found_in(tmp_path, [*GOOD, fits]) == {}


def test_images_without_objects_or_with_crowds_only_are_told(tmp_path: Path) -> None:
    crowd = entry(1, 10, [5, 5, 20, 20], iscrowd=1, segmentation=rle(100, 80, INSIDE))
    found = found_in(tmp_path, [crowd])
    assert [e.index for e in found["image_of_crowds"].examples] == [0]
    assert [e.index for e in found["image_without_objects"].examples] == [1]
    assert [e.file_name for e in found["unused_class"].examples] == list(CLASSES[1:])


def test_missing_and_shared_files_are_told(tmp_path: Path) -> None:
    whole = document(GOOD, [*SIZES, (60, 60)])
    folder = write(tmp_path / "data", whole)
    (folder.image_dir / "1.png").unlink()
    whole["images"][2]["file_name"] = "0.png"
    again = index(GOOD, SIZES).from_document(whole)
    found = {p.name: p for p in find_problems(CocoFolder(again, folder.image_dir))}
    assert [e.file_name for e in found["missing_file"].examples] == ["1.png"]
    assert [e.index for e in found["file_used_twice"].examples] == [0, 2]


def test_files_in_folders_below_the_image_folder_are_found(tmp_path: Path) -> None:
    whole = document(GOOD, SIZES)
    folder = write(tmp_path / "data", whole)
    (folder.image_dir / "part").mkdir()
    (folder.image_dir / "1.png").rename(folder.image_dir / "part" / "1.png")
    whole["images"][1]["file_name"] = "./part/1.png"
    again = index(GOOD, SIZES).from_document(whole)
    assert find_problems(CocoFolder(again, folder.image_dir)) == ()


def test_a_class_name_used_twice_is_told(tmp_path: Path) -> None:
    whole = document(GOOD, SIZES)
    whole["categories"][1]["name"] = "cat"
    found = {p.name: p for p in find_problems(write(tmp_path / "data", whole))}
    assert [e.file_name for e in found["class_name_twice"].examples] == ["cat"]


def test_all_are_counted_and_the_first_are_kept(tmp_path: Path) -> None:
    many = [entry(n, 10, [n, 5, 20, 2]) for n in range(30)]
    problem = found_in(tmp_path, many)["tiny_box"]
    assert problem.count == 30
    assert [e.annotation_id for e in problem.examples] == list(range(EXAMPLES))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1))
)
def test_bounds_of_run_lengths_are_those_of_the_mask(mask: np.ndarray) -> None:
    height, width = mask.shape
    packed = {"size": [height, width], "counts": pack_counts(encode_rle(mask)).decode()}
    made = index([entry(1, 10, [0, 0, width, height], segmentation=packed)], [(width, height)])
    shapes = outlines(made, made.widths, made.heights)
    assert bool(shapes.empty_rle[0]) == (not mask.any())
    if mask.any():
        masks = instance_masks(made.annotations(0), width, height)
        np.testing.assert_array_equal(shapes.bounds, mask_boxes(masks))
