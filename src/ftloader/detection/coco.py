"""COCO folders: an annotation index, and the images it is about.

Read-only and thread-safe once opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ftloader.detection._coco_index import CocoIndex, ImageInfo, Skipped
from ftloader.detection.annotations import Annotations
from ftloader.detection.image import decode
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.errors import CocoError
from ftloader.sizes import Sizes

__all__ = ["CocoFolder", "CocoIndex", "ImageInfo", "Skipped", "open_coco"]

_NO_OBJECTS: Final = Annotations.none()


@dataclass(frozen=True, slots=True, eq=False)
class CocoFolder:
    """An index and the folder its images lie in.

    Attributes:
        index: the annotations.
        image_dir: the folder that file names start from.
    """

    index: CocoIndex
    image_dir: Path

    def __len__(self) -> int:
        return len(self.index)

    def info(self, i: int) -> ImageInfo:
        """Return what is known of image ``i`` before its pixels are read."""
        return self.index.info(i)

    def annotations(self, i: int) -> Annotations:
        """Return the objects of image ``i``."""
        return self.index.annotations(i)

    def sample_info(self, i: int) -> SampleInfo:
        """Return everything known of image ``i`` before its pixels are read."""
        info = self.index.info(i)
        return SampleInfo(
            width=info.width,
            height=info.height,
            annotations=self.index.annotations(i),
            index=i,
            image_id=info.id,
            file_name=info.file_name,
            original_size=(info.width, info.height),
        )

    def bare_info(self, i: int) -> SampleInfo:
        """Return what :meth:`sample_info` does, without the objects: several times faster."""
        info = self.index.info(i)
        size = (info.width, info.height)
        return SampleInfo(*size, _NO_OBJECTS, i, info.id, info.file_name, size)

    def sizes(self) -> Sizes:
        """Return the size of every image as it is stored, and how many objects it has."""
        return Sizes.of(self.index.widths, self.index.heights, np.diff(self.index.offsets))

    def load(self, i: int) -> Sample:
        """Read and decode image ``i``.

        Raises:
            CocoError: the file cannot be read, or its pixels are not of the size that the
                annotations are for.
            DecodeError: the file is not an image, or is cut short.
        """
        info = self.sample_info(i)
        image = decode(self.read_bytes(i), name=info.file_name)
        if image.shape[:2] != (info.height, info.width):
            raise CocoError(
                f"image {info.image_id}, {info.file_name}, has {image.shape[1]} x "
                f"{image.shape[0]} pixels, its annotations are for {info.width} x {info.height}"
            )
        return Sample(image, info)

    def read_bytes(self, i: int) -> bytes:
        """Return the whole file of image ``i``.

        Raises:
            CocoError: the file cannot be read.
        """
        info = self.index.info(i)
        path = self.image_dir / info.file_name
        try:
            return path.read_bytes()
        except OSError as error:
            raise CocoError(
                f"cannot read image {info.id}, {path}: {error.strerror or error}"
            ) from error


def open_coco(folder: str | Path, split: str | None = None) -> CocoFolder:
    """Open a COCO folder as it is published.

    Annotations are ``annotations/instances_SPLIT.json``; images lie in ``SPLIT/``,
    ``images/SPLIT/`` or ``images/``.

    Args:
        folder: the folder that holds ``annotations``.
        split: which split, such as ``"val2017"``; may be left out where there is only one.

    Raises:
        CocoError: no such folder, no annotations or images in it, several splits and none chosen,
            or a malformed annotation file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CocoError(f"{folder} is not a folder")
    files = {
        path.stem.removeprefix("instances_"): path
        for path in sorted((folder / "annotations").glob("instances_*.json"))
    }
    if not files:
        raise CocoError(f"{folder} has no annotations/instances_*.json: not a COCO folder")
    there = ", ".join(repr(name) for name in files)
    if split is None:
        if len(files) > 1:
            raise CocoError(f"{folder} has several splits, choose one with split=: {there}")
        split = next(iter(files))
    elif split not in files:
        raise CocoError(f"{folder} has no split {split!r}; it has {there}")
    index = CocoIndex.from_json(files[split])
    return CocoFolder(index, _image_dir(folder, split, index))


def _image_dir(folder: Path, split: str, index: CocoIndex) -> Path:
    candidates = [folder / split, folder / "images" / split, folder / "images"]
    present = [path for path in candidates if path.is_dir()]
    for path in present:
        # One look tells `images/` with the files from `images/` with other splits' folders.
        if not index.file_names or (path / index.file_names[0]).is_file():
            return path
    tried = ", ".join(f"{path.relative_to(folder)}/" for path in (present or candidates))
    if present:
        raise CocoError(f"{folder}: image {index.file_names[0]} is not in {tried}")
    raise CocoError(f"{folder}: no folder with the images of {split!r}; looked for {tried}")
