"""What is read from annotation files beside mmdet's CocoDataset and loading steps."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftloader.detection import CocoFolder, CocoIndex, ignored, instance_masks, open_coco
from tests.oracle.references import CocoDataset, LoadAnnotations

SQUARE = [1.0, 1.0, 9.0, 1.0, 9.0, 9.0, 1.0, 9.0]


def parsed_by_mmdet(file: Path, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    with contextlib.redirect_stdout(io.StringIO()):
        data = CocoDataset(
            ann_file=str(file),
            data_prefix={"img": ""},
            metainfo={"classes": classes},
            pipeline=[],
            test_mode=True,
        )
    return [data.get_data_info(i) for i in range(len(data))]


def assert_same_objects(index: CocoIndex, theirs: list[dict[str, Any]]) -> None:
    assert len(index) == len(theirs)
    step = LoadAnnotations(with_bbox=True, with_mask=True)
    folder = CocoFolder(index, Path())
    for i, record in enumerate(theirs):
        info = folder.sample_info(i)
        assert (info.image_id, info.width, info.height) == (
            record["img_id"],
            record["width"],
            record["height"],
        )
        for instance in record["instances"]:
            instance.setdefault("mask", [])  # mmdet fails where the file has no outline
        record["ori_shape"] = (info.height, info.width)
        loaded = step(record)
        notes = info.annotations
        np.testing.assert_array_equal(notes.boxes, loaded["gt_bboxes"].tensor.numpy())
        np.testing.assert_array_equal(notes.labels, loaded["gt_bboxes_labels"])
        np.testing.assert_array_equal(
            ignored(notes, with_masks=True), loaded["gt_ignore_flags"], err_msg=info.file_name
        )
        if len(notes):
            masks = loaded["gt_masks"].masks
            assert np.array_equal(instance_masks(notes, *info.size), masks), info.file_name


def test_data_sets_are_read_as_mmdet_reads_them(folders: list[tuple[Path, str]]) -> None:
    for root, split in folders:
        data = open_coco(root, split)
        file = root / "annotations" / f"instances_{split}.json"
        assert_same_objects(data.index, parsed_by_mmdet(file, data.index.classes))


def annotation(number: int, **changes: Any) -> dict[str, Any]:
    entry = {
        "id": number,
        "image_id": 1 + number % 2,
        "category_id": 7,
        "bbox": [1.0, 1.0, 8.0, 8.0],
        "area": 64.0,
        "iscrowd": 0,
        "segmentation": [SQUARE],
    }
    return entry | changes


EDGE = [
    {},
    {"ignore": True},
    {"bbox": [-20.0, 0.0, 20.0, 9.0]},
    {"bbox": [-20.0, 0.0, 20.5, 9.0]},
    {"bbox": [39.0, 29.0, 30.0, 30.0]},
    {"bbox": [40.0, 5.0, 3.0, 3.0]},
    {"area": 0},
    {"area": -3.5},
    {"bbox": [3.0, 3.0, 0.99, 5.0]},
    {"bbox": [3.0, 3.0, 1.0, 1.0]},
    {"category_id": 99},
    {"category_id": 3},
    {"bbox": [0.1, 0.2, 10.7, 20.3]},
    {"segmentation": []},
    {"segmentation": [SQUARE[:4]]},
    {"segmentation": [SQUARE[:7], SQUARE]},
    {"iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [100, 50, 1050]}},
    {"iscrowd": 1, "segmentation": {"size": [30, 40], "counts": "T3b1ZP1"}},
    {"image_id": 3},
]


def edge_document() -> dict[str, Any]:
    counts = {"size": [30, 40], "counts": "T3b1jP1"}
    entries = [annotation(i, **changes) for i, changes in enumerate(EDGE)]
    entries[17]["segmentation"] = counts
    return {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": 40, "height": 30}
            for number in (2, 1, 4)
        ],
        "categories": [{"id": 7, "name": "b"}, {"id": 3, "name": "a"}, {"id": 5, "name": "c"}],
        "annotations": entries,
    }


@pytest.mark.parametrize("classes", [("b", "a", "c"), ("b", "a"), ("a",)])
def test_odd_entries_are_skipped_as_mmdet_skips_them(
    classes: tuple[str, ...], tmp_path: Path
) -> None:
    document = edge_document()
    file = tmp_path / "edge.json"
    file.write_text(json.dumps(document))
    # mmdet does not know of annotations without an image; pycocotools would.
    index = CocoIndex.from_document(document, classes=classes)
    assert_same_objects(index, parsed_by_mmdet(file, classes))
