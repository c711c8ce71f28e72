"""Small data sets that the tests of inspect make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ftloader.detection import CocoFolder, CocoIndex, open_coco

Entry = dict[str, Any]
CLASSES = ("cat", "dog", "hair drier")


def entry(number: int, image: int, box: list[float], **more: Any) -> Entry:
    """Return an annotation whose outline is its box, unless told otherwise."""
    x, y, w, h = box
    corners = [x, y, x + w, y, x + w, y + h, x, y + h]
    made = {"id": number, "image_id": image, "category_id": 1, "bbox": box, "area": w * h,
            "iscrowd": 0, "segmentation": [corners]}  # fmt: skip
    return {**made, **more}


def document(entries: list[Entry], sizes: list[tuple[int, int]]) -> Entry:
    images = [
        {"id": 10 + i, "file_name": f"{i}.png", "width": w, "height": h}
        for i, (w, h) in enumerate(sizes)
    ]
    categories = [{"id": 1 + i, "name": name} for i, name in enumerate(CLASSES)]
    return {"images": images, "annotations": entries, "categories": categories}


def index(entries: list[Entry], sizes: list[tuple[int, int]]) -> CocoIndex:
    return CocoIndex.from_document(document(entries, sizes))


def write(root: Path, whole: Entry) -> CocoFolder:
    """Write a document and an image for each of its files, and open the folder."""
    (root / "annotations").mkdir(parents=True)
    (root / "tiny").mkdir()
    (root / "annotations" / "instances_tiny.json").write_text(json.dumps(whole), encoding="utf-8")
    for number, image in enumerate(whole["images"]):
        size = image["height"], image["width"], 3
        pixels = np.full(size, 40 + 10 * number, np.uint8)
        Image.fromarray(pixels).save(root / "tiny" / image["file_name"])
    return open_coco(root)
