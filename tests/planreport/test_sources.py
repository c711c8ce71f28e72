from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftloader.detection import Augment
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.detection.transforms import Resize
from ftloader.errors import DataError
from ftloader.planreport.options import parse
from ftloader.planreport.sources import open_source, read_sizes


def write(folder: Path, text: str) -> Path:
    path = folder / "sizes.csv"
    path.write_bytes(text.encode())
    return path


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    text = "\ufeffHeight, boxes ,x,image_id, WIDTH\r\n480,3,a,139,640\r\n\r\n10,0,b,7,20\r\n"
    found = read_sizes(write(tmp_path, text))
    assert found.columns.widths.tolist() == [640, 20]
    assert found.columns.heights.tolist() == [480, 10]
    assert found.columns.boxes.tolist() == [3, 0]
    assert found.names == ("image 139", "image 7")


def test_samples_without_an_id_are_named_by_their_line(tmp_path: Path) -> None:
    assert read_sizes(write(tmp_path, "width,height\n1,2\n\n3,4\n")).names == ("line 2", "line 4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name the columns width and height; it has nothing"),
        ("640,480\n", "must name the columns width and height; it has '640', '480'"),
        ("width,height,Width\n1,2,3\n", "the column 'width' is there twice"),
        ("width,height\n1,2\n640,-1\n", "line 3: height -1 is not between 1 and"),
        ("width,height\n0,2\n", "line 2: width 0 is not between 1 and"),
        ("width,height\n9999999,2\n", "line 2: width 9999999 is not between 1 and 1,048,576"),
        ("width,height\n640,4.5\n", "line 2: height '4.5' is not a whole number"),
        ("width,height\n640,\n", "line 2: height '' is not a whole number"),
        ("width,height\n640\n", "line 2: 1 columns, fewer than the header has"),
        ("width,height,boxes\n6,4,-1\n", "line 2: boxes -1 is not between 0 and"),
    ],
)
def test_a_line_that_is_no_size_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_sizes(write(tmp_path, text))
    assert str(caught.value).startswith("plan: sizes.csv")
    assert said in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sizes.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"cannot read sizes\.csv as CSV: UnicodeDecodeError"):
        read_sizes(path)


def test_a_file_of_sizes_is_augmented_as_its_folder_is(tmp_path: Path) -> None:
    folder = write_synthetic_coco(SyntheticSpec(images=9), tmp_path / "data", progress=False)
    of_folder = open_source(parse(["--data", str(folder), "--multi-scale", "60:90:10,200"]))
    rows = zip(*(c.tolist() for c in (of_folder.original.widths, of_folder.original.heights,
                                      of_folder.original.boxes)), strict=True)  # fmt: skip
    text = "width,height,boxes\n" + "\n".join(f"{w},{h},{b}" for w, h, b in rows)
    path = write(tmp_path, text)
    of_file = open_source(parse(["--data", str(path), "--multi-scale", "60:90:10,200"]))
    order = np.arange(9)[::-1]
    for seed in (0, 4):
        one, other = (source.sizes(order, seed, 2) for source in (of_folder, of_file))
        for name in ("widths", "heights", "boxes"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert len(set(of_file.sizes(order, 0, 0).heights.tolist())) > 1


def test_multi_scale_draws_every_short_side_and_keeps_to_the_longest(tmp_path: Path) -> None:
    path = write(tmp_path, "width,height\n" + "200,100\n" * 200)
    source = open_source(parse(["--data", str(path), "--multi-scale", "50:60:5,114"]))
    found = source.sizes(np.arange(200), 0, 0)
    assert set(zip(found.widths.tolist(), found.heights.tolist(), strict=True)) == {
        (100, 50), (110, 55), (114, 57)}  # fmt: skip


def test_without_a_recipe_sizes_stay_as_they_are(tmp_path: Path) -> None:
    source = open_source(parse(["--data", str(write(tmp_path, "width,height\n5,6\n7,8\n"))]))
    assert source.sizes(np.array([1, 0]), 3, 4).widths.tolist() == [7, 5]
    assert source.made_by == "sizes as they are"


def test_a_file_of_sizes_has_no_pixels_to_load(tmp_path: Path) -> None:
    found = read_sizes(write(tmp_path, "width,height,image_id\n5,6,77\n"))
    with pytest.raises(DataError, match="image 77: a file of sizes has no pixels"):
        list(Augment(found, Resize((9, 9)))(0))
