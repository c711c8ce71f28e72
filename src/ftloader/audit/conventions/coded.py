"""Pictures whose pixels say where they come from, and what an output's pixels say of its boxes.

In the picture of a sample the first channel rises with x and the second with y, evenly and over a
part of the range only. The third is a chessboard of two marks, one high and one low, that no other
sample and no usual filling has. Where both marks are found, the map from the source to an output
can be read from the output itself: there is hardly a change of colours that keeps both. Where they
are not, or the map is no upright affine one, this says so instead of guessing.

All functions are pure; the pictures are made once and are read-only.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import View

#: Width and height of the pictures; small ones switch threads often, the large one is a photo's.
SIZES: Final = (
    *[(64, 64)] * 7,
    *[(96, 72)] * 3,
    (320, 240),
    (640, 480),
    (1344, 800),
    (64, 64),
)
# The last one shows that a transform copes with a picture without objects.
_OBJECTS: Final = (*[4] * (len(SIZES) - 1), 0)
#: Labels of sample ``k`` start at this times ``k``: each object has a label of its own.
LABELS_PER_SAMPLE: Final = 16

_LOW, _HIGH = 32.0, 224.0  # not 0 and 255: what stretches colours gets noticed
_ROUNDING = 3.0  # levels by which interpolation may overshoot
_MAX_RESIDUAL = 1.5  # levels, root mean square; rounding alone gives 0.4
_SQUARES = 4  # of the chessboard, to a side
_MAX_PIXELS = 20_000  # that a map is fitted to
_MIN_PIXELS = 64  # with their marks
_MIN_SHARE = 0.001  # of the pixels; a few have a mark by chance
_MIN_OF_EACH = 0.1  # of the pixels with a mark: as many must have each
# Whole numbers of which none is the mean of two others: so no blend of two pictures is a third.
_SPARSE = (0, 1, 3, 4, 9, 10, 12, 13, 27, 28, 30, 31, 36, 37)
_MIN_STEP = 0.01  # source pixels from one output pixel to the next
_COLOURS = "the colours were changed or mixed"


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A picture that encodes its coordinates, and its objects.

    Attributes:
        number: which sample it is, from 0.
        image: uint8 (H, W, 3), read-only.
        boxes: float32 (N, 4), ``x1, y1, x2, y2`` in pixels, read-only.
        labels: int64 (N,), read-only; no two objects of any samples have the same.
    """

    number: int
    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, slots=True)
class Fit:
    """What the pixels of an output say of its boxes.

    Attributes:
        checked: how many boxes were compared with their pixels.
        torn: what does not fit, empty if everything does.
        unknown: why the boxes could not be compared, empty if they could.
    """

    checked: int = 0
    torn: str = ""
    unknown: str = ""


@functools.cache
def pictures() -> tuple[Coded, ...]:
    """Return the samples, of several sizes, one without objects."""
    return tuple(
        Coded(number, picture(size, number), _boxes(size, count, number), _labels(count, number))
        for number, (size, count) in enumerate(zip(SIZES, _OBJECTS, strict=True))
    )


def picture(size: tuple[int, int], number: int) -> NDArray[np.uint8]:
    """Return the picture of one sample: uint8 (H, W, 3), read-only.

    Args:
        size: width and height, pixels.
        number: which sample it is, which its mark depends on.
    """
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.rint(_LOW + (_HIGH - _LOW) * (np.arange(width) + 0.5) / width)
    image[..., 1] = np.rint(_LOW + (_HIGH - _LOW) * (np.arange(height) + 0.5) / height)[:, None]
    squares = (np.arange(width) * _SQUARES // width) + (np.arange(height) * _SQUARES // height)[
        :, None
    ]
    high, low = marks(number)
    image[..., 2] = np.where(squares % 2, high, low)
    image.flags.writeable = False
    return image


def marks(number: int) -> tuple[int, int]:
    """Return the two levels that the third channel of a sample's picture has."""
    own = 2 * _SPARSE[number % len(_SPARSE)]
    return 250 - own, 10 + own


def fit(source: View, output: View) -> Fit:
    """Compare the boxes of an output with where its pixels come from.

    Args:
        source: an input that was made from a :class:`Coded`.
        output: what a transform made of it.
    """
    if len(source.labels) == 0:
        return Fit(unknown="the picture has no objects")
    number = int(source.labels[0]) // LABELS_PER_SAMPLE
    size = source.image.shape[1], source.image.shape[0]
    if not _is_coded(source, number):
        return Fit(unknown="the pictures do not encode their coordinates")
    mapped = _map(output.image, size, marks(number))
    if isinstance(mapped, str):
        return Fit(unknown=mapped)
    return _compare(source, output, mapped)


def _compare(source: View, output: View, mapped: NDArray[np.float64]) -> Fit:
    if len(np.unique(output.labels)) < len(output.labels):
        return Fit(unknown="the output shows an object twice")
    if len(output.labels) != len(output.boxes):
        return Fit(torn=f"{len(output.boxes)} boxes have {len(output.labels)} labels")
    height, width = output.image.shape[:2]
    tolerance = max(3.0, 0.03 * max(width, height))
    checked = 0
    for label, box in zip(output.labels.tolist(), output.boxes, strict=True):
        if (box[2:] <= box[:2]).any():
            continue  # an object that was dropped, and only marked as such (torchvision's crop)
        for own in source.boxes[source.labels == label]:
            corners = np.sort(own.reshape(2, 2) * mapped[0] + mapped[1], axis=0)
            expected = np.clip(corners, 0, (width, height))
            off = np.abs(np.clip(box.reshape(2, 2), 0, (width, height)) - expected).max()
            checked += 1
            if off > tolerance:
                return Fit(checked, f"the box of object {label} is {off:.0f} px from its pixels")
    return Fit(checked, unknown="" if checked else "the output has none of the input's objects")


def _map(
    image: NDArray[Any], size: tuple[int, int], pair: tuple[int, int]
) -> NDArray[np.float64] | str:
    """Return scale and offset, (2, 2) as ``[[sx, sy], [x, y]]``, from the source; or why not."""
    picture = _levels(image)
    if picture is None:
        return "the output is no picture of three channels"
    marked = _marked(picture, pair)
    if marked is None:
        picture = picture[..., ::-1]  # some swap the channels
        marked = _marked(picture, pair)
    if marked is None:
        return _COLOURS
    y, x = np.nonzero(marked)
    step = -(-len(x) // _MAX_PIXELS)
    x, y = x[::step], y[::step]
    levels = picture[y, x, :2].astype(np.float64)
    if levels.min() < _LOW - _ROUNDING or levels.max() > _HIGH + _ROUNDING:
        return _COLOURS
    columns = np.stack([x + 0.5, y + 0.5, np.ones(len(x))], axis=1)
    solution, *_ = np.linalg.lstsq(columns, levels, rcond=None)
    if np.sqrt(np.mean((columns @ solution - levels) ** 2)) > _MAX_RESIDUAL:
        return "the picture was not moved as a whole"
    # Levels to source pixels: rows are what one output pixel to the right, or below, adds.
    linear = solution[:2] * (np.array(size) / (_HIGH - _LOW))
    start = (solution[2] - _LOW) * np.array(size) / (_HIGH - _LOW)
    if np.abs(linear[[0, 1], [1, 0]]).max() > 0.02 * np.abs(np.diag(linear)).min():
        return "the picture was turned or sheared"
    if np.abs(np.diag(linear)).min() < _MIN_STEP:
        return _COLOURS
    scale = 1 / np.diag(linear)
    return np.stack([scale, -start * scale])


def _marked(picture: NDArray[Any], pair: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return which pixels have either mark, None if they are too few or scattered."""
    high, low = (np.abs(picture[..., 2] - level) < 0.5 for level in pair)
    marked: NDArray[np.bool_] = high | low
    count = np.count_nonzero(marked)
    if count < max(_MIN_PIXELS, _MIN_SHARE * marked.size):
        return None
    if min(np.count_nonzero(high), np.count_nonzero(low)) < _MIN_OF_EACH * count:
        return None
    width, height = (np.ptp(np.flatnonzero(marked.any(axis))) + 1 for axis in (0, 1))
    # Real pixels fill a rectangle; those that have a mark by chance are lines of a ramp.
    return marked if min(width, height) >= 4 and 2 * count >= width * height else None


def _levels(image: NDArray[Any]) -> NDArray[Any] | None:
    """Return a picture with levels from 0 to 255, None if it is none."""
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        return None
    if np.issubdtype(image.dtype, np.floating):
        return image * 255 if image.max() <= 1 else image
    return image.astype(np.int16) if image.dtype == np.uint8 else None


def _is_coded(view: View, number: int) -> bool:
    size = view.image.shape[1], view.image.shape[0]
    mapped = _map(view.image, size, marks(number))
    if isinstance(mapped, str):
        return False
    return bool(np.abs(mapped - [[1, 1], [0, 0]]).max(axis=1)[0] < 0.05)


def _boxes(size: tuple[int, int], count: int, number: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(number)
    corner = rng.uniform(0.05, 0.5, (count, 2))
    extent = rng.uniform(0.2, 0.45, (count, 2))
    boxes = np.concatenate([corner, corner + extent], axis=1) * (*size, *size)
    return _read_only(boxes.astype(np.float32))


def _labels(count: int, number: int) -> NDArray[np.int64]:
    return _read_only(np.arange(count, dtype=np.int64) + number * LABELS_PER_SAMPLE)


def _read_only[A: NDArray[Any]](array: A) -> A:
    array.flags.writeable = False
    return array
