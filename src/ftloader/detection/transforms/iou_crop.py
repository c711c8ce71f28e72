"""Cutting out a piece that overlaps the objects enough: ``MinIoURandomCrop``.

The crop of SSD (Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 2.2), in the
form that mmdet gave it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ftloader.detection.annotations import Annotations
from ftloader.detection.geometry import Boxes, clipped, windowed
from ftloader.detection.sample import Image, SampleInfo
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.crop import CropParams, cut

_TRIES: Final = 50
# Nobody who can be cropped gets here; who cannot would stay whole sooner or later anyway.
_MAX_ROUNDS: Final = 200
_TINY_AREA: Final = np.float32(1e-6)

Patches = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MinIoUCropParams:
    """Which rectangle to keep, and why that one.

    Attributes:
        min_iou: the mode that it satisfies, for whoever reads a log.
        crop: the rectangle; None leaves the sample exactly as it is.
    """

    min_iou: float
    crop: CropParams | None


@dataclass(frozen=True, slots=True)
class MinIoURandomCrop(Transform[MinIoUCropParams]):
    """Keep a random rectangle that overlaps *every* object enough, as mmdet's transform.

    One of the modes 1, ``min_ious`` and 0 is chosen, all equally likely. Mode 1 leaves the sample
    exactly as it is. Any other has 50 tries at a rectangle of width ``U(m * w, w)`` and height
    ``U(m * h, h)``, where m is ``min_crop_size`` and the image has w × h pixels. A try fails

    * if height / width is outside 0.5 to 2, or a side has no pixel in it,
    * if the intersection over union of the rectangle with any object's box is below the mode,
    * or if no box has its centre inside (strictly); those that have are kept.

    After 50 failures the next mode is chosen. An image without objects takes the first rectangle
    of an allowed shape. Where no rectangle will do (an image 20 times as wide as high), the sample
    stays as it is when mode 1 comes, at the latest after 200 modes: there is always an end, where
    mmdet relies on mode 1 coming up.

    mmdet's quirk is kept: the left edge is uniform between w - width and *1*, not 0, and the upper
    edge likewise. So a rectangle starts at pixel 0 only where less than two pixels are to spare.

    Drawn, all from the sample's generator: per mode one integer and 50 × 4 real numbers (width,
    height, left, top), of mode 1 the integer alone.

    Attributes:
        min_ious: least intersection over union of each mode, 0 to 1.
        min_crop_size: least side of the rectangle, as a fraction of the image's; above 0, up to 1.
        clip_boxes: whether boxes are cut at the rectangle's edges.

    Raises:
        ValueError: a number is out of its range.
    """

    min_ious: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    min_crop_size: float = 0.3
    clip_boxes: bool = True

    def __post_init__(self) -> None:
        if not all(0 <= iou <= 1 for iou in self.min_ious):
            raise ValueError(
                f"MinIoURandomCrop: min_ious must be between 0 and 1, not {self.min_ious}"
            )
        if not 0 < self.min_crop_size <= 1:
            raise ValueError(
                f"MinIoURandomCrop: min_crop_size is a fraction above 0, up to 1, "
                f"not {self.min_crop_size}"
            )

    @property
    def reads_objects(self) -> bool:
        """True: ``draw`` looks at the objects."""
        return True

    def draw(self, rng: Generator, info: SampleInfo) -> MinIoUCropParams:
        """Choose modes and rectangles until one will do."""
        modes = (1.0, *self.min_ious, 0.0)
        boxes = info.annotations.boxes
        for _ in range(_MAX_ROUNDS):
            mode = modes[int(rng.integers(len(modes)))]
            if mode == 1:
                break
            patches = self._patches(rng.random((_TRIES, 4)), info.width, info.height)
            if len(boxes):
                patches = patches[_overlaps(patches, boxes).min(axis=1) >= mode]
                patches = patches[_centred(patches, boxes).any(axis=1)]
            if len(patches):
                x1, y1, x2, y2 = patches[0].tolist()
                return MinIoUCropParams(mode, CropParams(x1, y1, x2 - x1, y2 - y1))
        return MinIoUCropParams(1.0, None)

    def output_size(self, info: SampleInfo, params: MinIoUCropParams) -> tuple[int, int]:
        """Return the size of the rectangle."""
        return info.size if params.crop is None else params.crop.size

    def annotations_after(self, info: SampleInfo, params: MinIoUCropParams) -> Annotations:
        """Move boxes and outlines; leave out the objects whose centres are not inside."""
        crop = params.crop
        if crop is None:
            return info.annotations
        patch = np.array([[crop.x, crop.y, crop.x + crop.width, crop.y + crop.height]])
        kept = info.annotations.take(_centred(patch, info.annotations.boxes)[0])
        notes = windowed(kept, info.size, crop.corner, crop.size)
        return replace(notes, boxes=clipped(notes.boxes, crop.size)) if self.clip_boxes else notes

    def pixels(self, image: Image, params: MinIoUCropParams) -> Image:
        """Copy the rectangle."""
        return image if params.crop is None else cut(image, params.crop)

    def _patches(self, at: NDArray[np.float64], width: int, height: int) -> Patches:
        """Return x1, y1, x2, y2 of the tries that have an allowed shape, in their order."""
        whole = np.array([width, height], np.float64)
        sides = whole * (self.min_crop_size + (1 - self.min_crop_size) * at[:, :2])
        spare = whole - sides
        corner = spare + (1 - spare) * at[:, 2:]  # the quirk: from what is to spare down to 1
        patches = np.concatenate([corner, np.minimum(corner + sides, whole)], axis=1)
        patches = patches.astype(np.int64)
        shape = sides[:, 1] / sides[:, 0]
        allowed = (shape >= 0.5) & (shape <= 2) & (patches[:, 2:] > patches[:, :2]).all(axis=1)
        return patches[allowed]


def _overlaps(patches: Patches, boxes: Boxes) -> NDArray[np.float32]:
    """Return the intersection over union of K rectangles with N boxes: float32 (K, N)."""
    pieces = patches.astype(np.float32)[:, None]
    upper = np.maximum(pieces[..., :2], boxes[:, :2])
    lower = np.minimum(pieces[..., 2:], boxes[:, 2:])
    shared = np.maximum(lower - upper, 0).prod(axis=2)
    areas = (pieces[..., 2:] - pieces[..., :2]).prod(axis=2)
    union = areas + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - shared
    return np.asarray(shared / np.maximum(union, _TINY_AREA), np.float32)


def _centred(patches: Patches, boxes: Boxes) -> NDArray[np.bool_]:
    """Tell which of N boxes have their centre strictly inside which of K rectangles: (K, N)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    pieces = patches[:, None]
    return np.asarray(((centres > pieces[..., :2]) & (centres < pieces[..., 2:])).all(axis=2))
