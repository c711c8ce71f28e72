"""Digests of augmented epochs, to be equal on every engine, interpreter and GIL mode.

As a program it prints the digests of all recipes as JSON, from the interpreter it is run with::

    python -m tests.conformance.transforms.digests                       # the made data set
    python -m tests.conformance.transforms.digests --write               # the golden file anew
    python -m tests.conformance.transforms.digests --data DIR --split S  # a COCO folder
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ftloader import Pipeline
from ftloader.detection import CocoFolder, open_coco
from ftloader.detection.augment import Augment
from ftloader.detection.masks import encode_rle
from ftloader.detection.transforms.recipes import RECIPES
from ftloader.lab.digest import full_digest
from ftloader.runtime import gil_enabled

from .samples import bitmap, diamond, picture

GOLDEN = Path(__file__).with_name("golden.json")
SEED = 20_26

#: Engine and workers.
RUNS = {
    "serial": ("serial", 1),
    "threads-1": ("threads", 1),
    "threads-2": ("threads", 2),
    "threads-8": ("threads", 8),
    "spdl": ("spdl", 4),
}


def epoch_digest(
    data: CocoFolder, recipe: str, run: str = "threads-8", *, scaled_decoding: bool = False
) -> str:
    """Return a digest of all samples of one epoch, in order, and of how many there are."""
    engine, concurrency = RUNS[run]
    augment = Augment(data, RECIPES[recipe](data), SEED, epoch=1, scaled_decoding=scaled_decoding)
    pipeline = Pipeline(range(len(data))).pipe(augment, concurrency=concurrency)
    with pipeline.run(engine) as samples:  # type: ignore[arg-type]
        digest, count, _ = full_digest(samples)
    return f"{digest} of {count}"


def plan_digest(data: CocoFolder, recipe: str) -> str:
    """Return a digest of everything that was drawn for an epoch, to the last bit."""
    augment = Augment(data, RECIPES[recipe](data), SEED, epoch=1)
    return full_digest(repr(augment.plan(i)) for i in range(len(data)))[0]


def write_made_coco(folder: Path) -> Path:
    """Write a COCO folder of whole-number arithmetic: the same bytes on every processor.

    The synthetic data set will not do for golden digests: its noise goes through a Fourier
    transform, whose last bits depend on the processor.
    """
    (folder / "annotations").mkdir(parents=True)
    (folder / "images").mkdir()
    images: list[Mapping[str, Any]] = []
    annotations: list[Mapping[str, Any]] = []
    shapes = [(160, 120), (97, 131), (200, 40), (64, 64)]
    for number, (width, height) in enumerate(shapes, 1):
        name = f"{number:012d}.jpg"
        options: dict[str, Any] = {"quality": 90, "subsampling": 2 if number % 2 else 0}
        smooth = Image.fromarray(picture(width // 4 + 1, height // 4 + 1)).resize((width, height))
        smooth.save(folder / "images" / name, **options)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        objects = _objects(width, height) if number != 4 else []
        annotations += [{**entry, "image_id": number} for entry in objects]
    document = {
        "images": images,
        "annotations": [{**entry, "id": i} for i, entry in enumerate(annotations, 1)],
        "categories": [{"id": 1, "name": "diamond"}, {"id": 2, "name": "block"}],
    }
    (folder / "annotations" / "instances_made.json").write_text(json.dumps(document))
    return folder


def _objects(width: int, height: int) -> list[dict[str, Any]]:
    wide, high = width / 2 + 0.25, height / 3 + 0.5
    corners = [(3.5, 2.25), (width / 3, height / 2), (width - wide + 4, height - high - 1)]
    objects: list[dict[str, Any]] = [
        {
            "bbox": [x, y, wide, high],
            "area": wide * high / 2,
            "category_id": 1,
            "iscrowd": 0,
            "segmentation": [diamond(x, y, x + wide, y + high)[0].tolist()],
        }
        for x, y in corners
    ]
    region = encode_rle(bitmap(width, height, 5, 4, width - 9, height - 7)).tolist()
    objects.append(
        {
            "bbox": [5, 4, width - 14, height - 11],
            "area": (width - 14) * (height - 11),
            "category_id": 2,
            "iscrowd": 1,
            "segmentation": {"size": [height, width], "counts": region},
        }
    )
    return objects


def all_digests(data: CocoFolder) -> dict[str, dict[str, str]]:
    """Return the digests of every recipe: of what was drawn, and of what came out."""
    return {
        name: {"plans": plan_digest(data, name), "samples": epoch_digest(data, name)}
        for name in RECIPES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="a COCO folder; by default the made data set")
    parser.add_argument("--split", help="its split, where there are several")
    parser.add_argument("--write", action="store_true", help="write the golden file")
    arguments = parser.parse_args()
    if arguments.data is not None:
        digests = all_digests(open_coco(arguments.data, arguments.split))
    else:
        with tempfile.TemporaryDirectory() as folder:
            digests = all_digests(open_coco(write_made_coco(Path(folder) / "made")))
    print(json.dumps({"gil": gil_enabled(), "digests": digests}, indent=1))
    if arguments.write:
        GOLDEN.write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
