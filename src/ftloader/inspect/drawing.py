"""One sample as a picture: pixels, masks, boxes, class names.

Pure and thread-safe: every call draws on an image of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ftloader.detection import instance_masks
from ftloader.detection.sample import Sample
from ftloader.errors import DataError
from ftloader.inspect.colours import Colour, ink_on
from ftloader.inspect.ink import Font

Rectangle = tuple[float, float, float, float]

_MASK_OPACITY: Final = 0.35
_DASH: Final = 6
# A box with a shorter side on the picture gets thin lines, which leave something of it to be seen.
_SMALL_SIDE: Final = 20
_HALO: Final = (0, 0, 0)
#: A picture is enlarged at most so much, for pixels that can be seen for what they are.
_MOST_ENLARGED: Final = 4.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn sample.

    Attributes:
        image: RGB.
        notes: what could not be drawn, or needs saying, in short sentences.
    """

    image: Image.Image
    notes: tuple[str, ...]


def draw_sample(
    sample: Sample,
    names: Sequence[str],
    colours: Mapping[int, Colour],
    room: tuple[int, int],
    font: Font | None,
) -> Picture:
    """Draw a sample with its objects, scaled to fit.

    Args:
        sample: what to draw.
        names: class names by label.
        colours: colours by label; every label of the sample is in it.
        room: width and height to fit into, pixels.
        font: for class names; None leaves them out.
    """
    width, height = sample.info.size
    if not width or not height:
        return Picture(Image.new("RGB", (1, 1)), ("the image has no pixels",))
    pixels, notes = displayable(sample.image)
    scale = min(room[0] / width, room[1] / height, _MOST_ENLARGED)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    filter_ = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BILINEAR
    canvas = np.array(Image.fromarray(pixels).resize(size, filter_))
    factor = np.array([size[0] / width, size[1] / height] * 2)
    boxes = sample.boxes.astype(np.float64) * factor
    # Large ones first, so that small ones are not covered.
    spans = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = [int(i) for i in np.argsort(-spans, kind="stable")]
    notes += _paint_masks(canvas, sample, colours, order)
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    for i in order:
        _box(draw, tuple(boxes[i].tolist()), colours[int(sample.labels[i])],
             dashed=bool(sample.crowd[i]))  # fmt: skip
    if font is not None:
        left_out = _tags(draw, font, sample, boxes, names, colours, order)
        if left_out:
            notes.append(f"{left_out} of {len(order)} names left out for lack of room")
    return Picture(image, tuple(notes))


def displayable(image: NDArray[np.generic]) -> tuple[NDArray[np.uint8], list[str]]:
    """Return pixels as uint8 (H, W, 3), and a note where that took stretching."""
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image, np.uint8), []
    values = np.asarray(image, np.float64)
    low, high = float(values.min()), float(values.max())
    stretched = (values - low) * (255 / (high - low) if high > low else 0)
    note = f"{image.dtype} pixels from {low:.3g} to {high:.3g}, stretched to be shown"
    return stretched.round().astype(np.uint8), [note]


def _paint_masks(
    canvas: NDArray[np.uint8],
    sample: Sample,
    colours: Mapping[int, Colour],
    order: Sequence[int],
) -> list[str]:
    """Lay every mask over the canvas: translucent, with a solid rim."""
    notes: list[str] = []
    size = canvas.shape[1], canvas.shape[0]
    objects = sample.info.annotations
    for i in order:
        try:
            # One at a time: sixty masks of a large image together are a lot of memory.
            (mask,) = instance_masks(objects.take(np.array([i], np.intp)), *sample.info.size)
        except DataError as error:
            notes.append(f"no mask: {error}")
            continue
        shown = np.asarray(
            Image.fromarray(mask * np.uint8(255)).resize(size, Image.Resampling.BILINEAR)
        )
        inside = shown >= 128
        if not inside.any():
            continue
        colour = np.array(colours[int(sample.labels[i])], np.float64)
        blended = canvas[inside] * (1 - _MASK_OPACITY) + colour * _MASK_OPACITY
        canvas[inside] = blended.round().astype(np.uint8)
        canvas[_rim(inside)] = colour.astype(np.uint8)
    return notes


def _rim(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a shape that touch what is not in it."""
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rim: NDArray[np.bool_] = inside & ~core
    return rim


def _box(draw: ImageDraw.ImageDraw, box: Rectangle, colour: Colour, *, dashed: bool) -> None:
    """Draw a box: its colour between two dark lines, to be seen on any background."""
    width, height = draw.im.size
    # Never outside the picture, where a line along the border could not be seen.
    x1, y1 = min(max(box[0], 1), width - 2), min(max(box[1], 1), height - 2)
    x2, y2 = max(min(box[2], width - 2), x1), max(min(box[3], height - 2), y1)
    x1, y1, x2, y2 = map(round, (x1, y1, x2, y2))
    if dashed:
        draw.rectangle((x1, y1, x2, y2), outline=_HALO, width=2)
        for x in range(x1, x2 + 1, 2 * _DASH):
            for y in (y1, y2):
                draw.line((x, y, min(x + _DASH, x2), y), fill=colour, width=2)
        for y in range(y1, y2 + 1, 2 * _DASH):
            for x in (x1, x2):
                draw.line((x, y, x, min(y + _DASH, y2)), fill=colour, width=2)
        return
    small = min(x2 - x1, y2 - y1) < _SMALL_SIDE
    draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=_HALO, width=1)
    draw.rectangle((x1, y1, x2, y2), outline=colour, width=1 if small else 2)
    if not small:
        draw.rectangle((x1 + 2, y1 + 2, x2 - 2, y2 - 2), outline=_HALO, width=1)


def _tags(
    draw: ImageDraw.ImageDraw,
    font: Font,
    sample: Sample,
    boxes: NDArray[np.float64],
    names: Sequence[str],
    colours: Mapping[int, Colour],
    order: Sequence[int],
) -> int:
    """Write class names where they cover no other name; returns how many found no place."""
    limits = draw.im.size
    taken: list[Rectangle] = []
    left_out = 0
    for i in order:
        label = int(sample.labels[i])
        text = f"{names[label]} (crowd)" if sample.crowd[i] else names[label]
        # One height for all names, whatever letters are in them.
        size = font.getlength(text) + 6, _line(font)
        spot = _best_spot(i, boxes, size, limits, taken)
        if spot is None:
            left_out += 1
            continue
        taken.append(spot)
        colour = colours[label]
        draw.rectangle(tuple(map(round, spot)), fill=colour, outline=_HALO)
        draw.text((round(spot[0]) + 3, round(spot[1])), text, fill=ink_on(colour), font=font)
    return left_out


def _line(font: Font) -> int:
    box = font.getbbox("Ág")
    return int(box[3]) + 3


def _best_spot(
    own: int,
    boxes: NDArray[np.float64],
    size: tuple[float, float],
    limits: tuple[int, int],
    taken: Sequence[Rectangle],
) -> Rectangle | None:
    """Return where a tag fits beside or in its box, covering as little of small boxes as can be."""
    x1, y1, x2, y2 = boxes[own].tolist()
    width, height = size
    best: Rectangle | None = None
    least = float("inf")
    for left in (x1, x2 - width, x1 - width, x2):
        for top in (y1 - height, y1, y2, y2 - height):
            # Pushed into the picture where the box begins or ends at its border.
            x = min(max(left, 0), limits[0] - 1 - width)
            y = min(max(top, 0), limits[1] - 1 - height)
            spot = x, y, x + width, y + height
            near = x <= x2 and x + width >= x1 and y <= y2 and y + height >= y1
            if x < 0 or y < 0 or not near or any(_overlap(spot, other) for other in taken):
                continue
            if (covers := _covered(spot, boxes)) < least - 1e-6:
                best, least = spot, covers
    return best


def _covered(spot: Rectangle, boxes: NDArray[np.float64]) -> float:
    """Return how much of all boxes a tag covers, each as a share of the box."""
    low, high = np.maximum(boxes[:, :2], spot[:2]), np.minimum(boxes[:, 2:], spot[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 1, None).prod(axis=1)
    return float((shared / areas).sum())


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
