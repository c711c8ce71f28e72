"""Small samples made of arithmetic alone: the same on every machine and interpreter.

No generator, no codec and no file takes part, so what a reference made of them stays valid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ftloader.detection import Annotations, Rle, Segmentation, encode_rle
from ftloader.detection.sample import Sample, SampleInfo


def picture(width: int, height: int, phase: int = 0) -> NDArray[np.uint8]:
    """Return an RGB picture with edges and slopes and without symmetry, uint8 (H, W, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    red = (7 * x + 3 * y + 11 * phase) % 256
    green = (x * y + 5 * y + 40 * phase) % 256
    blue = 255 * ((x // 5 + y // 3 + phase) % 2)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def sample_of(
    width: int,
    height: int,
    boxes: list[tuple[float, float, float, float]],
    outlines: list[Segmentation],
    crowd: tuple[int, ...] = (),
    index: int = 0,
) -> Sample:
    """Return a sample with these objects; labels and ids count up."""
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(corners)
    notes = Annotations(
        boxes=corners,
        labels=np.arange(count, dtype=np.int64) * 7 % 11,
        crowd=np.isin(np.arange(count), crowd),
        areas=(corners[:, 2:] - corners[:, :2]).prod(axis=1).astype(np.float64),
        ids=np.arange(count, dtype=np.int64) + 100 * index,
        segmentations=tuple(outlines),
    )
    info = SampleInfo(width, height, notes, index, index, f"{index}.png", (width, height))
    return Sample(picture(width, height, index), info)


def edge_samples() -> dict[str, Sample]:
    """Return samples by name; together they hold what a transform can trip over."""
    return {
        "plain": _plain(),
        "second": _second(),
        "odd-objects": _odd_objects(),
        "crowd": _crowd(),
        "empty": sample_of(30, 41, [], [], index=4),
        "one-row": sample_of(60, 1, [(5.0, 0.0, 50.5, 1.0)], [_polygon(5, 0, 50.5, 1)], index=5),
        "one-column": sample_of(1, 60, [(0.0, 3.0, 1.0, 41.0)], [_polygon(0, 3, 1, 41)], index=6),
        "one-pixel": sample_of(1, 1, [(0.0, 0.0, 1.0, 1.0)], [_polygon(0, 0, 1, 1)], index=7),
    }


def _polygon(x1: float, y1: float, x2: float, y2: float) -> tuple[NDArray[np.float64], ...]:
    """Return an outline inside a box: a hexagon that leaves two corners out."""
    w, h = x2 - x1, y2 - y1
    shape = [0.0, 0.25, 0.3, 0.0, 1.0, 0.0, 1.0, 0.7, 0.6, 1.0, 0.0, 1.0]
    points = np.array(shape).reshape(-1, 2) * [w, h] + [x1, y1]
    return (points.ravel(),)


def _plain() -> Sample:
    boxes = [(3.5, 4.25, 30.0, 28.75), (20.2, 10.1, 47.9, 35.5), (0.0, 0.0, 12.0, 9.0)]
    return sample_of(48, 36, boxes, [_polygon(*box) for box in boxes], index=0)


def _second() -> Sample:
    boxes = [(10.0, 5.5, 25.5, 50.0), (1.1, 30.3, 36.6, 55.9)]
    parts = (*_polygon(10, 5.5, 25.5, 20), *_polygon(12, 30, 24, 50))
    return sample_of(37, 57, boxes, [parts, _polygon(*boxes[1])], index=1)


def _odd_objects() -> Sample:
    """Boxes out of the frame, of no area, and thinner than a pixel; outlines of no use."""
    boxes = [
        (-8.0, -6.0, 14.5, 12.25),
        (30.0, 20.0, 60.0, 50.0),
        (12.0, 12.0, 12.0, 25.0),
        (5.0, 18.0, 5.5, 19.0),
        (15.0, 3.0, 33.0, 15.0),
    ]
    no_outline: Segmentation = ()
    outlines = [_polygon(*boxes[0]), _polygon(*boxes[1]), _polygon(12, 12, 12, 25), no_outline]
    outlines.append((np.array([15.0, 3.0, 33.0, 15.0]),))
    return sample_of(44, 33, boxes, outlines, index=2)


def _crowd() -> Sample:
    """A crowd region as run lengths beside an ordinary object."""
    y, x = np.mgrid[0:33, 0:44]
    dots = ((x % 7 < 4) & (y % 5 < 3) & (x > 10)).astype(np.uint8)
    boxes = [(11.0, 0.0, 44.0, 33.0), (2.0, 2.0, 22.2, 19.9)]
    outlines: list[Segmentation] = [Rle(33, 44, encode_rle(dots)), _polygon(*boxes[1])]
    return sample_of(44, 33, boxes, outlines, crowd=(0,), index=3)
