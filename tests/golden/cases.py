"""The transforms, parameters and samples whose results ``transforms.npz`` holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.crop import CropParams, RandomCrop
from ftloader.detection.transforms.expand import Expand, ExpandParams
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import FlipParams, RandomFlip
from ftloader.detection.transforms.iou_crop import MinIoUCropParams, MinIoURandomCrop
from ftloader.detection.transforms.mixup import MixUp, MixUpParams
from ftloader.detection.transforms.mosaic import Mosaic, MosaicParams
from ftloader.detection.transforms.normalize import Normalize
from ftloader.detection.transforms.pad import Pad
from ftloader.detection.transforms.photometric import PhotoMetricDistortion, PhotoMetricParams
from ftloader.detection.transforms.rasterize import Rasterize, RasterizeParams
from ftloader.detection.transforms.resize import Resize
from ftloader.rng import sample_rng
from tests.golden.inputs import edge_samples
from tests.golden.outcome import EXACT, Outcome, Tolerance, outcome_of

# Photometric: a float that lies on a half may be rounded to either side.
ROUNDED = Tolerance(image=1)
# Boxes: products of float32 in another order.
MIXED = Tolerance(boxes=1e-4)


class Inputs:
    """The samples, outlines as bitmaps; also the data set that mixing transforms draw from."""

    @cached_property
    def by_name(self) -> dict[str, Sample]:
        return {
            name: Rasterize().apply(sample, RasterizeParams())
            for name, sample in edge_samples().items()
        }

    def __len__(self) -> int:
        return len(self.by_name)

    def __getitem__(self, i: int) -> Sample:
        return list(self.by_name.values())[i]

    def sample_info(self, i: int, /) -> SampleInfo:
        return self[i].info


INPUTS = Inputs()


@dataclass(frozen=True, slots=True)
class Case:
    """One result to keep.

    Attributes:
        transform: with its settings.
        inputs: names of the samples that it is applied to.
        params: what it would have drawn; None lets it draw, where nothing is random.
        tolerance: how far ours may be from the reference.
    """

    transform: Transform[Any]
    inputs: tuple[str, ...]
    params: Any = None
    tolerance: Tolerance = EXACT

    @property
    def mixing(self) -> bool:
        """Whether samples are mixed: the reference has no masks then."""
        return isinstance(self.transform, Mosaic | MixUp)

    def params_for(self, sample: Sample) -> Any:
        """Return the parameters for a sample."""
        if self.params is not None:
            return self.params
        drawn = self.transform.draw(sample_rng(0, 0, sample.info.index), sample.info)
        assert drawn is not None
        return drawn

    def ours(self, sample: Sample) -> Outcome:
        """Return what our transform makes of a sample."""
        params = self.params_for(sample)
        partners = {i: INPUTS[i] for i in self.transform.partners(params)}
        result = self.transform.apply(sample, params, partners)
        return outcome_of(result, masks=not self.mixing)


ALL = ("plain", "second", "odd-objects", "crowd", "empty")
SOME = ("plain", "odd-objects", "crowd")
FIRST = ("plain", "odd-objects")
THIN = ("one-row", "one-column", "one-pixel")
MEAN = (123.675, 116.28, 103.53)

CASES = {
    "flip-horizontal": Case(RandomFlip(), ALL + THIN, FlipParams("horizontal")),
    "flip-vertical": Case(RandomFlip(), SOME, FlipParams("vertical")),
    "flip-diagonal": Case(RandomFlip(), SOME, FlipParams("diagonal")),
    "resize-larger": Case(Resize((96, 64)), ALL),
    "resize-smaller": Case(Resize((29, 17)), ALL),
    "resize-exact": Case(Resize((53, 31), keep_ratio=False), ALL + THIN),
    "pad-divisor": Case(Pad(divisor=32), ALL),
    "pad-square": Case(Pad(square=True, value=114), SOME),
    "pad-size": Case(Pad(size=(70, 61), value=(1, 2, 3)), SOME),
    "normalize": Case(Normalize(), ("plain",)),
    "crop": Case(RandomCrop((20, 15), allow_negative_crop=True), ALL, CropParams(7, 5, 20, 15)),
    "crop-recomputing": Case(
        RandomCrop((25, 25), recompute_boxes=True), ("plain", "crowd"), CropParams(10, 8, 25, 25)
    ),
    "crop-unclipped": Case(RandomCrop((25, 25), clip_boxes=False), SOME, CropParams(3, 2, 25, 25)),
    "min-iou-crop": Case(MinIoURandomCrop(), SOME, MinIoUCropParams(0.0, CropParams(2, 1, 40, 30))),
    "expand": Case(Expand(MEAN), ("plain",), ExpandParams(96, 72, 5, 9)),
    "filter": Case(FilterAnnotations((10.0, 10.0)), ALL),
    "filter-masks": Case(FilterAnnotations(min_mask_area=100), SOME),
    "brightness": Case(PhotoMetricDistortion(), FIRST, PhotoMetricParams(-20.5), ROUNDED),
    "colours": Case(
        PhotoMetricDistortion(),
        FIRST,
        PhotoMetricParams(12.25, 1.3, 1.4, -15.5, (2, 0, 1)),
        ROUNDED,
    ),
    "mosaic": Case(Mosaic(INPUTS, (48, 40)), FIRST, MosaicParams((1, 3, 4), 31, 55), MIXED),
    "mixup": Case(MixUp(INPUTS, (48, 40)), FIRST, MixUpParams(1, 1.3, True, 3, 2), MIXED),
    "mixup-smaller": Case(MixUp(INPUTS, (48, 40)), FIRST, MixUpParams(3, 0.6, False, 0, 0), MIXED),
}
