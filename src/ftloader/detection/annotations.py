"""The annotations of one image, and the pure functions that detection work starts with.

Everything here is thread-safe: annotations are frozen views into read-only columns, and functions
return new arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftloader.detection.masks import Mask, Rle, polygons_to_mask, usable_polygons
from ftloader.errors import DataError

# An object's outline: polygon parts (flat float64 coordinates x0, y0, x1, y1, … in pixels; none
# where the file has no outline), a run-length encoded mask, or a bitmap (uint8 (H, W) of 0 and 1).
Segmentation = tuple[NDArray[np.float64], ...] | Rle | Mask


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The objects of one image; every array has one row per object.

    Attributes:
        boxes: float32 (N, 4), ``x1, y1, x2, y2`` in pixels, not clipped to the image.
        labels: int64 (N,), positions in the class list.
        crowd: bool (N,), true for a region of many objects, which is not a training target.
        areas: float64 (N,), the file's own areas in square pixels of the original image.
        ids: int64 (N,), annotation ids.
        segmentations: N outlines: polygons and run lengths as the file has them, until a
            transform makes bitmaps of them.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    areas: NDArray[np.float64]
    ids: NDArray[np.int64]
    segmentations: tuple[Segmentation, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def none(cls) -> Annotations:
        """Return the annotations of an image without objects."""
        return cls(
            boxes=np.zeros((0, 4), np.float32),
            labels=np.zeros(0, np.int64),
            crowd=np.zeros(0, bool),
            areas=np.zeros(0, np.float64),
            ids=np.zeros(0, np.int64),
            segmentations=(),
        )

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Annotations:
        """Return some of the objects.

        Args:
            keep: bool (N,), or int (K,) positions in the order wanted.
        """
        chosen = np.flatnonzero(keep) if keep.dtype == bool else keep
        return Annotations(
            boxes=self.boxes[chosen],
            labels=self.labels[chosen],
            crowd=self.crowd[chosen],
            areas=self.areas[chosen],
            ids=self.ids[chosen],
            segmentations=tuple(self.segmentations[i] for i in chosen),
        )


def concatenate(parts: Sequence[Annotations]) -> Annotations:
    """Return the objects of several images as those of one, in this order."""
    if not parts:
        return Annotations.none()
    return Annotations(
        boxes=np.concatenate([part.boxes for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        crowd=np.concatenate([part.crowd for part in parts]),
        areas=np.concatenate([part.areas for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        segmentations=tuple(outline for part in parts for outline in part.segmentations),
    )


def filter_annotations(
    annotations: Annotations,
    *,
    min_size: tuple[float, float] = (0.0, 0.0),
    crowd: bool = True,
) -> Annotations:
    """Return the objects that are large enough and of the wanted kind, in the same order.

    Args:
        annotations: the objects of one image.
        min_size: an object stays if its box is wider *and* higher than this, pixels (strictly,
            as in mmdet's ``FilterAnnotations``).
        crowd: whether crowd regions stay.
    """
    width = annotations.boxes[:, 2] - annotations.boxes[:, 0]
    height = annotations.boxes[:, 3] - annotations.boxes[:, 1]
    keep = (width > min_size[0]) & (height > min_size[1])
    if not crowd:
        keep &= ~annotations.crowd
    return annotations.take(keep)


def instance_masks(annotations: Annotations, width: int, height: int) -> Mask:
    """Rasterise every object's outline.

    Args:
        annotations: the objects of one image.
        width: width of the image, pixels.
        height: height of the image, pixels.

    Returns:
        uint8 (N, height, width); an object without a usable outline has an empty mask.

    Raises:
        DataError: an outline cannot be rasterised, or an RLE is of another size; the message
            names the annotation.
    """
    masks = np.zeros((len(annotations), height, width), np.uint8)
    for i, outline in enumerate(annotations.segmentations):
        try:
            masks[i] = _mask(outline, width, height)
        except DataError as error:
            raise DataError(f"annotation {annotations.ids[i]}: {error}") from error
    return masks


def ignored(annotations: Annotations, *, with_masks: bool = False) -> NDArray[np.bool_]:
    """Tell which objects are no training targets: bool (N,).

    These are the crowd regions and, where masks are wanted, the objects without a usable outline.
    """
    result = annotations.crowd.copy()
    if with_masks:
        result |= np.array([not has_outline(o) for o in annotations.segmentations], bool)
    return result


def mask_boxes(masks: NDArray[np.uint8] | Sequence[Mask]) -> NDArray[np.float32]:
    """Return the tight box of every mask: float32 (N, 4), all 0 for an empty mask.

    Args:
        masks: uint8 (N, H, W).
    """
    stack = np.asarray(masks)
    boxes = np.zeros((len(stack), 4), np.float32)
    for box, mask in zip(boxes, stack, strict=True):
        columns = np.flatnonzero(mask.any(axis=0))
        rows = np.flatnonzero(mask.any(axis=1))
        if len(columns):
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def _mask(outline: Segmentation, width: int, height: int) -> Mask:
    if isinstance(outline, Rle):
        return outline.to_mask(width, height)
    if isinstance(outline, np.ndarray):
        if outline.shape != (height, width):
            raise DataError(
                f"a bitmap of {outline.shape[1]} x {outline.shape[0]} pixels does not fit an "
                f"image of {width} x {height}"
            )
        return outline
    return polygons_to_mask(outline, width, height)


def has_outline(outline: Segmentation) -> bool:
    """Tell whether there is something to rasterise: not only polygons that enclose nothing."""
    return not isinstance(outline, tuple) or bool(usable_polygons(outline))
