"""Boxes and outlines under the three motions of detection transforms: resize, flip, window.

A *window* is a rectangle of the image that becomes the whole image: a crop where it lies inside,
padding where it reaches out. Polygons stay polygons (the COCO rule rasterises what lies outside
correctly, so nothing has to be clipped); run lengths stay run lengths, bitmaps stay bitmaps, and
both are moved pixel by pixel, to the same result. The mask of a moved polygon may differ from the
moved mask in the pixels along its outline, as rounding differs.

All functions are pure and thread-safe; inputs are never written. Outputs may share memory: the
moved polygons of one image are views of one array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ftloader.detection._spans import Spans
from ftloader.detection.annotations import Annotations, Segmentation
from ftloader.detection.masks import Mask, Rle
from ftloader.errors import DataError

Boxes = NDArray[np.float32]
Part = NDArray[np.float64]
Size = tuple[int, int]
Direction = Literal["horizontal", "vertical", "diagonal"]


def resized(annotations: Annotations, size: Size, new: Size) -> Annotations:
    """Return the objects of an image that is resized; boxes are clipped to the new image.

    As mmdet's ``Resize``: each axis has its own factor, ``new / size``; masks are resized with
    OpenCV's nearest-neighbour rule.

    Args:
        annotations: the objects.
        size: width and height so far, pixels.
        new: new width and height, pixels.

    Raises:
        DataError: a mask is not of this size, or damaged; the message names the annotation.
    """
    if size == new:
        return replace(annotations, boxes=clipped(annotations.boxes, new))
    motion = _Motion(
        scale=(new[0] / size[0], new[1] / size[1]),
        shift=(0, 0),
        spans=lambda spans: spans.resized(new, *_shown(size, new)),
        bitmap=lambda mask: _chosen(mask, *_shown(size, new)),
    )
    boxes, outlines = _moved(annotations, size, motion)
    return replace(annotations, boxes=clipped(boxes, new), segmentations=outlines)


def flipped(annotations: Annotations, size: Size, direction: Direction) -> Annotations:
    """Return the objects of an image that is mirrored.

    Args:
        annotations: the objects.
        size: width and height, pixels.
        direction: ``"horizontal"`` swaps left and right, ``"vertical"`` top and bottom,
            ``"diagonal"`` both.

    Raises:
        DataError: a mask is not of this size, or damaged; the message names the annotation.
    """
    across, down = direction != "vertical", direction != "horizontal"
    scale = (-1 if across else 1, -1 if down else 1)
    motion = _Motion(
        scale=scale,
        shift=(size[0] if across else 0, size[1] if down else 0),
        spans=lambda spans: spans.flipped(columns=across, rows=down),
        bitmap=lambda mask: np.ascontiguousarray(mask[:: scale[1], :: scale[0]]),
    )
    boxes, outlines = _moved(annotations, size, motion)
    # What was the right edge is now the left one.
    edges = [2 if across else 0, 3 if down else 1, 0 if across else 2, 1 if down else 3]
    return replace(annotations, boxes=boxes.take(edges, axis=1), segmentations=outlines)


def windowed(annotations: Annotations, size: Size, corner: Size, new: Size) -> Annotations:
    """Return the objects as a window shows them: moved, neither clipped nor dropped.

    Args:
        annotations: the objects.
        size: width and height of the image, pixels.
        corner: x and y of the window's upper left corner in the image, pixels; may be negative.
        new: width and height of the window, pixels.

    Raises:
        DataError: a mask is not of this size, or damaged; the message names the annotation.
    """
    if corner == (0, 0) and size == new:
        return annotations
    motion = _Motion(
        scale=(1, 1),
        shift=(-corner[0], -corner[1]),
        spans=lambda spans: spans.windowed(corner, new),
        bitmap=lambda mask: _windowed_mask(mask, corner, new),
    )
    boxes, outlines = _moved(annotations, size, motion)
    return replace(annotations, boxes=boxes, segmentations=outlines)


def clipped(boxes: Boxes, size: Size) -> Boxes:
    """Return boxes cut at the image's edges."""
    width, height = size
    return np.minimum(np.maximum(boxes, 0), np.array([width, height, width, height], np.float32))


def touching(boxes: Boxes, size: Size) -> NDArray[np.bool_]:
    """Tell which boxes overlap the image at all: bool (N,).

    The rule of mmdet's ``HorizontalBoxes.is_inside``: one that only touches the edge does not.
    """
    width, height = size
    return (boxes[:, 0] < width) & (boxes[:, 1] < height) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0)


def nearest(length: int, new: int) -> NDArray[np.intp]:
    """Return which old row (or column) each new one shows: OpenCV's nearest-neighbour rule."""
    shown = (np.arange(new) * (1.0 / (new / length))).astype(np.intp)
    return shown.clip(max=length - 1)


def place(
    canvas: NDArray[np.generic], patch: NDArray[np.generic], corner: Size
) -> tuple[int, int, int, int]:
    """Copy an image onto another; what reaches out is cut off.

    Args:
        canvas: (H, W, …), written to.
        patch: (h, w, …) of the same dtype.
        corner: x and y of the patch's upper left corner on the canvas, pixels; may be negative.

    Returns:
        x1, y1, x2, y2 of what was written on the canvas, pixels.
    """
    x, y = corner
    x1, y1 = max(x, 0), max(y, 0)
    x2 = max(min(x + patch.shape[1], canvas.shape[1]), x1)
    y2 = max(min(y + patch.shape[0], canvas.shape[0]), y1)
    canvas[y1:y2, x1:x2] = patch[y1 - y : y2 - y, x1 - x : x2 - x]
    return x1, y1, x2, y2


@dataclass(frozen=True, slots=True)
class _Motion:
    """What one motion does to coordinates (x and y times scale plus shift) and to masks."""

    scale: tuple[float, float]
    shift: tuple[float, float]
    spans: Callable[[Spans], Spans]
    bitmap: Callable[[Mask], Mask]


def _moved(
    annotations: Annotations, size: Size, motion: _Motion
) -> tuple[Boxes, tuple[Segmentation, ...]]:
    outlines = annotations.segmentations
    parts = [p for o in outlines if isinstance(o, tuple) for p in o if len(p) % 2 == 0]
    # An absurd coordinate becomes infinite; such a polygon is refused when it is rasterised.
    with np.errstate(over="ignore"):
        boxes = annotations.boxes * np.array(motion.scale * 2, np.float32)
        boxes += np.array(motion.shift * 2, np.float32)
        moved = iter(_moved_parts(parts, motion))
    # Coordinates without a partner enclose nothing: such a part stays as it is.
    result: list[Segmentation] = [
        tuple([part if len(part) % 2 else next(moved) for part in outline])
        if isinstance(outline, tuple)
        else _moved_mask(outline, size, motion, annotations.ids[i])
        for i, outline in enumerate(outlines)
    ]
    return boxes, tuple(result)


def _moved_parts(parts: Sequence[Part], motion: _Motion) -> list[Part]:
    if not parts:
        return []
    # All in one go: part by part, NumPy's calls cost more than its arithmetic.
    flat = np.concatenate(parts)
    points = flat.reshape(-1, 2)
    points *= np.array(motion.scale, np.float64)
    points += np.array(motion.shift, np.float64)
    ends = accumulate(map(len, parts), initial=0)
    return [flat[start:end] for start, end in pairwise(ends)]


def _moved_mask(outline: Rle | Mask, size: Size, motion: _Motion, name: np.int64) -> Rle | Mask:
    try:
        if isinstance(outline, Rle):
            return motion.spans(Spans.of(outline, size)).to_rle()
    except DataError as error:
        raise DataError(f"annotation {name}: {error}") from error
    height, width = outline.shape
    if (width, height) != size:
        raise DataError(
            f"annotation {name}: a bitmap of {width} x {height} pixels does not fit an image of "
            f"{size[0]} x {size[1]}"
        )
    return motion.bitmap(outline)


def _shown(size: Size, new: Size) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return nearest(size[0], new[0]), nearest(size[1], new[1])


def _chosen(mask: Mask, columns: NDArray[np.intp], rows: NDArray[np.intp]) -> Mask:
    # Whole rows are cheap to copy: many of them last, few of them first.
    if len(rows) > len(mask):
        return mask.take(columns, axis=1).take(rows, axis=0)
    return mask.take(rows, axis=0).take(columns, axis=1)


def _windowed_mask(mask: Mask, corner: Size, new: Size) -> Mask:
    result = np.zeros((new[1], new[0]), np.uint8)
    place(result, mask, (-corner[0], -corner[1]))
    return result
