"""Four images around a point: ``Mosaic``; and what all transforms that mix samples share.

A mixing transform draws its partners' indices from the sample's own stream and names them in its
parameters, so that they can be read ahead. What it needs to know of them before their pixels are
there, it asks its data set. Partners come as the data set has them, untransformed; a sample may be
drawn as its own partner.

Thread-safe and deterministic, as ``base.py`` says, if the data set is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, cast

import numpy as np
from numpy.random import Generator

from ftloader.detection.annotations import Annotations, concatenate
from ftloader.detection.geometry import Size, clipped, place, resized, touching, windowed
from ftloader.detection.image import RgbImage, resize
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms._checks import check_size
from ftloader.detection.transforms.base import NO_PARTNERS, Partners, Transform


class InfoSource(Protocol):
    """A data set that knows its samples without reading pixels.

    :class:`~ftloader.detection.CocoFolder` is one. Thread safety: must be safe to ask from any
    thread, and must always give the same answer.
    """

    def __len__(self) -> int:
        """Return the number of samples."""

    def sample_info(self, i: int, /) -> SampleInfo:
        """Return everything known of sample ``i`` without its pixels."""


@dataclass(frozen=True, slots=True)
class MosaicParams:
    """Who takes part, and where the four images meet.

    Attributes:
        partners: indices of the images at the upper right, lower left and lower right; empty
            where nothing is done.
        x: of the point where they meet, pixels of the canvas.
        y: of that point.
    """

    partners: tuple[int, ...]
    x: int
    y: int


_NOTHING: Final = MosaicParams((), 0, 0)


@dataclass(frozen=True, slots=True)
class Mosaic(Transform[MosaicParams]):
    """Put the image and three others around a point on a canvas, as mmdet's ``Mosaic``.

    From YOLOv4 (Bochkovskiy et al., 2020). The canvas is twice as wide and as high as ``size``.
    Each image is resized to fit into ``size``, and placed so that one of its corners is at the
    point: the sample itself at the upper left, then upper right, lower left, lower right. What
    reaches out of the canvas is cut off. Boxes are scaled by the factor that the image was to be
    scaled by, as in mmdet; its sides are whole pixels, so boxes and outlines may be up to a pixel
    apart. Boxes are clipped to the canvas and those outside it are dropped, with all of their
    fields; the result may be without objects.

    Where mmdet has no masks here, outlines are moved with their images.

    Drawn: whether at all, and only then three indices (also the sample's own), x and y.

    Attributes:
        dataset: where the partners come from.
        size: width and height that each image is fitted into, pixels.
        centre_range: least and greatest x and y of the point, as a fraction of ``size``, at most 2.
        fill: grey of the canvas where no image is, 0 to 255.
        probability: of doing anything.

    Raises:
        ValueError: a number is out of its range, or the data set is empty.
    """

    dataset: InfoSource = field(repr=False)
    size: Size = (640, 640)
    centre_range: tuple[float, float] = (0.5, 1.5)
    fill: int = 114
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_mixing("Mosaic", self.dataset, self.size, self.fill)
        bounds: Sequence[float] = self.centre_range
        if len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1] <= 2:
            raise ValueError(
                f"Mosaic: centre_range must be two numbers from 0 to 2, the lesser one first, "
                f"not {bounds}"
            )
        if not 0 <= self.probability <= 1:
            raise ValueError(f"Mosaic: probability must be between 0 and 1, not {self.probability}")

    def draw(self, rng: Generator, info: SampleInfo) -> MosaicParams:
        """Choose the partners and the point."""
        if rng.random() >= self.probability:
            return _NOTHING
        partners = tuple(rng.integers(len(self.dataset), size=3).tolist())
        x, y = (int(rng.uniform(*self.centre_range) * side) for side in self.size)
        return MosaicParams(partners, x, y)

    def partners(self, params: MosaicParams) -> tuple[int, ...]:
        """Return the indices of the three others, each once."""
        return tuple(dict.fromkeys(params.partners))

    def output_size(self, info: SampleInfo, params: MosaicParams) -> Size:
        """Return twice the size."""
        return (2 * self.size[0], 2 * self.size[1]) if params.partners else info.size

    def annotations_after(self, info: SampleInfo, params: MosaicParams) -> Annotations:
        """Move all four images' objects, clip boxes to the canvas, drop what is outside."""
        return self._objects([info, *map(self.dataset.sample_info, params.partners)], params)

    def apply(
        self, sample: Sample, params: MosaicParams, partners: Partners = NO_PARTNERS
    ) -> Sample:
        """Return the four images on one canvas.

        Raises:
            ValueError: a partner is missing, or an image is not uint8.
            DataError: a mask is not of its image's size, or damaged.
        """
        if not params.partners:
            return sample
        others = [partner("Mosaic", sample, index, partners) for index in params.partners]
        samples = [sample, *others]
        width, height = self.output_size(sample.info, params)
        canvas = np.full((height, width, 3), self.fill, np.uint8)
        for corner, each in enumerate(samples):
            image = resize(uint8_pixels("Mosaic", each), fitted(each.info.size, self.size)[0])
            place(canvas, image, _place(corner, image.shape[1::-1], params))
        notes = self._objects([each.info for each in samples], params)
        return Sample(canvas, replace(sample.info, width=width, height=height, annotations=notes))

    def _objects(self, infos: Sequence[SampleInfo], params: MosaicParams) -> Annotations:
        if not params.partners:
            return infos[0].annotations
        canvas = self.output_size(infos[0], params)
        parts = []
        for corner, info in enumerate(infos):
            size, factor = fitted(info.size, self.size)
            x, y = _place(corner, size, params)
            notes = resized(info.annotations, info.size, size)
            notes = replace(notes, boxes=info.annotations.boxes * np.float32(factor))
            parts.append(windowed(notes, size, (-x, -y), canvas))
        return inside(concatenate(parts), canvas)


def _place(corner: int, size: Size, params: MosaicParams) -> Size:
    """Return where the upper left corner of one of the four images goes, pixels of the canvas."""
    x = params.x if corner % 2 else params.x - size[0]
    y = params.y if corner >= 2 else params.y - size[1]
    return x, y


def check_mixing(name: str, dataset: InfoSource, size: object, fill: object) -> None:
    """Refuse settings that no mixing transform can work with.

    Raises:
        ValueError: the data set is empty, the size is none, or the grey is not a byte.
    """
    check_size(f"{name}: size", size)
    if len(dataset) < 1:
        raise ValueError(f"{name}: the data set is empty, so there is nothing to mix with")
    if not (isinstance(fill, int) and 0 <= fill <= 255):
        raise ValueError(f"{name}: fill must be a whole number from 0 to 255, not {fill!r}")


def fitted(size: Size, limit: Size) -> tuple[Size, float]:
    """Return the size that fits into a limit with the shape kept, and the factor for boxes.

    Sides are cut off to whole pixels, as mmdet's mixing transforms do (its ``Resize`` rounds); a
    side that would vanish stays 1 pixel.

    Args:
        size: width and height, pixels.
        limit: greatest width and height, pixels.
    """
    factor = min(limit[1] / size[1], limit[0] / size[0])
    return (max(1, int(size[0] * factor)), max(1, int(size[1] * factor))), factor


def inside(annotations: Annotations, size: Size, *, clip: slice = slice(None)) -> Annotations:
    """Return the objects of which something is inside the image; their boxes are clipped.

    Args:
        annotations: the objects.
        size: width and height of the image, pixels.
        clip: the objects whose boxes are clipped: all, unless the caller says otherwise.
    """
    boxes = annotations.boxes.copy()
    boxes[clip] = clipped(boxes[clip], size)
    return replace(annotations, boxes=boxes).take(touching(boxes, size))


def partner(name: str, sample: Sample, index: int, partners: Partners) -> Sample:
    """Return a partner sample.

    Raises:
        ValueError: it was not given; the message names it.
    """
    if index not in partners:
        raise ValueError(
            f"{name}: {sample.key} is to be mixed with sample {index}, which was not given: pass "
            f"apply() the samples that partners() names"
        )
    return partners[index]


def uint8_pixels(name: str, sample: Sample) -> RgbImage:
    """Return the pixels of a sample that is to be mixed.

    Raises:
        ValueError: they are not uint8.
    """
    if sample.image.dtype != np.uint8:
        raise ValueError(
            f"{name}: the image of {sample.key} is {sample.image.dtype}, not uint8: mix before "
            f"normalising"
        )
    return cast(RgbImage, sample.image)
