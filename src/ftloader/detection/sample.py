"""One training sample: pixels, objects, and where they come from.

Frozen dataclasses that only refer to arrays: passing one between threads copies nothing. Whoever
makes a sample never writes to its arrays again, so any thread may read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.detection.annotations import Annotations, Segmentation, instance_masks
from ftloader.detection.masks import Mask, Rle

# uint8 until somebody asks for floats, which cost four times the memory.
Image = NDArray[np.uint8 | np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SampleInfo:
    """What is known of a sample without its pixels.

    Attributes:
        width: of the image as it is now, pixels.
        height: of the image as it is now, pixels.
        annotations: the objects, in pixels of the image as it is now.
        index: position of the image in its data set.
        image_id: the image's id in the annotation file.
        file_name: path of the image below its folder.
        original_size: width and height of the image as it was read, pixels.
    """

    width: int
    height: int
    annotations: Annotations
    index: int
    image_id: int
    file_name: str
    original_size: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self.width, self.height


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image with its objects.

    Attributes:
        image: RGB, (H, W, 3), uint8 (float32 once it has been normalised).
        info: everything else.
    """

    image: Image
    info: SampleInfo

    @property
    def key(self) -> str:
        """What errors and logs call this sample: its file name."""
        return self.info.file_name

    @property
    def boxes(self) -> NDArray[np.float32]:
        """float32 (N, 4), ``x1, y1, x2, y2`` in pixels."""
        return self.info.annotations.boxes

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 (N,), positions in the class list."""
        return self.info.annotations.labels

    @property
    def crowd(self) -> NDArray[np.bool_]:
        """bool (N,), true for a region of many objects."""
        return self.info.annotations.crowd

    def masks(self) -> Mask:
        """Rasterise the outlines.

        Returns:
            uint8 (N, H, W) of 0 and 1.

        Raises:
            DataError: an outline cannot be rasterised; the message names the annotation.
        """
        return instance_masks(self.info.annotations, self.info.width, self.info.height)

    @property
    def nbytes(self) -> int:
        """Bytes that this sample keeps alive, each array once.

        A view counts as all of the array it looks into: that is what stays in memory.
        """
        notes = self.info.annotations
        arrays: list[NDArray[Any]] = [self.image, notes.boxes, notes.labels]
        arrays += [notes.crowd, notes.areas, notes.ids]
        for outline in notes.segmentations:
            arrays.extend(_arrays(outline))
        owners = {id(owner): owner.nbytes for owner in map(_owner, arrays)}
        packed = (o.counts for o in notes.segmentations if isinstance(o, Rle))
        return sum(owners.values()) + sum(len(c) for c in packed if isinstance(c, bytes))


def _arrays(outline: Segmentation) -> list[NDArray[Any]]:
    if isinstance(outline, Rle):
        return [] if isinstance(outline.counts, bytes) else [outline.counts]
    return [outline] if isinstance(outline, np.ndarray) else list(outline)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
