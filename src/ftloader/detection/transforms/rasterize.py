"""Outlines to bitmaps: ``Rasterize``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.random import Generator

from ftloader.detection.annotations import Annotations, has_outline, instance_masks
from ftloader.detection.sample import SampleInfo
from ftloader.detection.transforms.base import Transform


@dataclass(frozen=True, slots=True)
class RasterizeParams:
    """Nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Rasterize(Transform[RasterizeParams]):
    """Make a bitmap of every outline, so that later steps move bitmaps. Draws nothing.

    As mmdet's ``LoadAnnotations(poly2mask=True)``: placed first, it gives the masks of mmdet's
    recipes, where a polygon is rasterised before it is resized. Without it polygons are moved as
    polygons, which is faster and truer, and rasterised when a mask is asked for.

    An object without a usable outline keeps none, so that it still counts as ignored where masks
    are wanted. The bitmaps of one image share one block of memory, a byte per pixel and object.

    Raises:
        DataError: (when applied) an outline cannot be rasterised; the message names the annotation.
    """

    def draw(self, rng: Generator, info: SampleInfo) -> RasterizeParams:
        """Draw nothing."""
        return RasterizeParams()

    def output_size(self, info: SampleInfo, params: RasterizeParams) -> tuple[int, int]:
        """Return the size, which stays as it is."""
        return info.size

    def annotations_after(self, info: SampleInfo, params: RasterizeParams) -> Annotations:
        """Rasterise the outlines."""
        objects = info.annotations
        bitmaps = instance_masks(objects, *info.size)
        outlines = tuple(
            bitmap if has_outline(outline) else outline
            for outline, bitmap in zip(objects.segmentations, bitmaps, strict=True)
        )
        return replace(objects, segmentations=outlines)
