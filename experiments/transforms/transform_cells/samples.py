"""The images of a run as COCO samples: a folder on disk, and its first images decoded."""

from __future__ import annotations

import atexit
import json
import tempfile
from pathlib import Path

from ftloader import lab
from ftloader.detection.coco import CocoFolder, open_coco
from ftloader.detection.sample import Sample
from ftloader.lab.inputs import document

#: Images that a step is measured on; a pass is one call for each.
IMAGES = 8

# A process has one set of inputs and asks for it in every window; it is kept with what it gave.
_folders: dict[int, tuple[lab.Inputs, CocoFolder]] = {}
_decoded: dict[int, tuple[lab.Inputs, list[Sample]]] = {}


def folder_of(inputs: lab.Inputs) -> CocoFolder:
    """Return the images and annotations as a COCO folder in a temporary place."""
    if id(inputs) not in _folders:
        place = tempfile.TemporaryDirectory(prefix="ftloader-lab-")
        atexit.register(place.cleanup)
        _folders[id(inputs)] = (inputs, _written(inputs, Path(place.name)))
    return _folders[id(inputs)][1]


def samples_of(inputs: lab.Inputs) -> list[Sample]:
    """Return the first images, decoded once."""
    if id(inputs) not in _decoded:
        data = folder_of(inputs)
        _decoded[id(inputs)] = (inputs, [data.load(i) for i in range(min(IMAGES, len(data)))])
    return _decoded[id(inputs)][1]


def _written(inputs: lab.Inputs, place: Path) -> CocoFolder:
    (place / "annotations").mkdir()
    (place / "images").mkdir()
    described = document(inputs)
    for sample, image in zip(inputs.samples, described["images"], strict=True):
        (place / "images" / image["file_name"]).write_bytes(sample.jpeg)
    file = place / "annotations" / "instances_run.json"
    file.write_text(json.dumps(described), encoding="utf-8")
    return open_coco(place)
