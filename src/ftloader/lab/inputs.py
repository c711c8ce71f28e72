"""The inputs of a run: some images of a COCO folder as bytes in memory, the same for every process.

Chosen once by the orchestrator and handed to the workers in one temporary file, so that no process
parses a large annotation file and no disk is in the measured path.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..detection.coco import CocoFolder, CocoIndex, open_coco
from ..detection.masks import Rle
from ..errors import DataError
from .experiment import Inputs, JpegSample


def choose(folder: Path, images: int, seed: int) -> tuple[Inputs, dict[str, Any]]:
    """Pick images that have annotations from a COCO folder, by seed.

    Args:
        folder: a COCO folder; where it has several splits, one with ``val`` in its name is used.
        images: how many to pick; all that there are if there are fewer.
        seed: the run's seed.

    Returns:
        The inputs, and the ``data`` entry of a result file's header.

    Raises:
        DataError: the folder cannot be read, or no image in it has annotations.
    """
    data = open_coco(folder, _split(folder))
    index = data.index
    usable = np.flatnonzero(np.diff(index.offsets) > 0)
    if usable.size == 0:
        raise DataError(f"{folder}: no image has annotations; the annotation workload needs some")
    count = min(images, int(usable.size))
    picked = np.sort(np.random.default_rng(seed).choice(usable, count, replace=False))
    samples = tuple(_sample(data, int(row), key) for key, row in enumerate(picked))
    inputs = Inputs(samples, tuple(index.category_ids), seed)
    digest = hashlib.blake2b(digest_size=8)
    for sample in samples:
        digest.update(sample.jpeg)
    return inputs, {
        "images": count,
        "digest": digest.hexdigest(),
        "jpeg_bytes": sum(len(sample.jpeg) for sample in samples),
        "annotations": sum(len(sample.annotations) for sample in samples),
    }


@dataclass(frozen=True, slots=True, eq=False)
class MemoryFolder(CocoFolder):
    """A COCO folder whose files are in memory: what is measured waits for no disk.

    Attributes:
        files: the bytes of each image, by position.
    """

    files: tuple[bytes, ...]

    def read_bytes(self, i: int) -> bytes:
        """Return the whole file of image ``i``."""
        return self.files[i]


def in_memory(inputs: Inputs) -> MemoryFolder:
    """Return a run's inputs as a data set, images in their order."""
    index = CocoIndex.from_document(document(inputs))
    return MemoryFolder(index, Path(), tuple(sample.jpeg for sample in inputs.samples))


def document(inputs: Inputs) -> dict[str, Any]:
    """Return a run's inputs as a COCO document; images are called ``KEY.jpg``, six digits."""
    images, annotations = [], []
    for sample in inputs.samples:
        size = {"width": sample.width, "height": sample.height}
        images.append({"id": sample.key, "file_name": f"{sample.key:06}.jpg", **size})
        annotations += [_plain(one) | {"image_id": sample.key} for one in sample.annotations]
    categories = [{"id": one, "name": str(one)} for one in inputs.categories]
    return {"images": images, "annotations": annotations, "categories": categories}


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    outline = record["segmentation"]
    if isinstance(outline, dict) and isinstance(outline["counts"], bytes):
        return record | {"segmentation": outline | {"counts": outline["counts"].decode("ascii")}}
    return record


def save(inputs: Inputs, path: Path) -> None:
    """Write the inputs for the workers."""
    with path.open("wb") as file:
        pickle.dump(inputs, file, protocol=pickle.HIGHEST_PROTOCOL)


def _split(folder: Path) -> str | None:
    names = [
        path.stem.removeprefix("instances_")
        for path in sorted((folder / "annotations").glob("instances_*.json"))
    ]
    # The validation split is the small one everywhere.
    small = [name for name in names if "val" in name] or names
    return small[0] if len(names) > 1 else None


def _sample(data: CocoFolder, row: int, key: int) -> JpegSample:
    info = data.info(row)
    return JpegSample(key, info.width, info.height, data.read_bytes(row), _records(data, row))


def _records(data: CocoFolder, row: int) -> tuple[dict[str, Any], ...]:
    """Return the annotations as the plain COCO records that a loader parses per image."""
    found = data.annotations(row)
    records = []
    for place in range(len(found)):
        x1, y1, x2, y2 = (float(value) for value in found.boxes[place])
        outline = found.segmentations[place]
        records.append(
            {
                "id": int(found.ids[place]),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "category_id": data.index.category_ids[int(found.labels[place])],
                "area": float(found.areas[place]),
                "iscrowd": int(found.crowd[place]),
                "segmentation": _segmentation(outline),
            }
        )
    return tuple(records)


def _segmentation(outline: Any) -> list[list[float]] | Mapping[str, Any]:
    if isinstance(outline, Rle):
        counts = outline.counts
        plain = counts if isinstance(counts, bytes) else [int(count) for count in counts]
        return {"size": [outline.height, outline.width], "counts": plain}
    return [[float(value) for value in part] for part in outline]


def synthetic(images: int, seed: int, say: Callable[[str], None]) -> Path:
    """Return a folder of generated COCO data, made now or found in the cache."""
    from ..detection.synthetic import SyntheticSpec, synthetic_coco

    say(f"data: synthetic COCO, {images} images, seed {seed} (made once, then cached)")
    return synthetic_coco(SyntheticSpec(images=images, seed=seed))
