"""Mosaic, MixUp and photometric distortion beside mmdet's, with the same parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms.mixup import MixUp
from ftloader.detection.transforms.mosaic import Mosaic
from ftloader.detection.transforms.photometric import PhotoMetricDistortion, distorted
from tests.golden.outcome import Tolerance, assert_close, outcome_of
from tests.oracle.mmdet_side import distort, mixup, mosaic
from tests.oracle.results import Results, from_results, to_results

# Objects may differ by the rounding of one product in float32, pixels of an image of 1,280.
MIXED = Tolerance(boxes=2e-4)


@dataclass(frozen=True)
class Listed:
    """A data set of samples in memory."""

    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def sample_info(self, i: int) -> SampleInfo:
        return self.samples[i].info


def without_masks(sample: Sample) -> Results:
    return to_results(sample, outlines="none")


@pytest.fixture(scope="module")
def dataset(samples: dict[str, Sample]) -> Listed:
    return Listed(tuple(samples.values()))


@pytest.mark.parametrize("size", [(640, 640), (320, 200)])
def test_a_mosaic_is_that_of_mmdet(size: tuple[int, int], dataset: Listed) -> None:
    transform = Mosaic(dataset, size)
    for i, sample in enumerate(dataset.samples):
        params = transform.draw(np.random.default_rng([1, i]), sample.info)
        partners = {index: dataset.samples[index] for index in params.partners}
        ours = transform.apply(sample, params, partners)
        four = [without_masks(one) for one in (sample, *map(partners.get, params.partners))]
        theirs = from_results(mosaic(transform, params, four))
        assert theirs is not None
        assert_close(outcome_of(ours, masks=False), theirs, MIXED, f"{sample.key}: {params}")


@pytest.mark.parametrize("size", [(640, 640), (200, 320)])
def test_a_mixup_is_that_of_mmdet(size: tuple[int, int], dataset: Listed) -> None:
    transform = MixUp(dataset, size)
    for i, sample in enumerate(dataset.samples):
        params = transform.draw(np.random.default_rng([2, i]), sample.info)
        assert params.partner is not None
        other = dataset.samples[params.partner]
        ours = transform.apply(sample, params, {params.partner: other})
        theirs = from_results(
            mixup(transform, params, [without_masks(sample), without_masks(other)])
        )
        assert theirs is not None
        assert_close(outcome_of(ours, masks=False), theirs, MIXED, f"{sample.key}: {params}")


@pytest.mark.parametrize("mode", [0, 1])
def test_colours_are_distorted_as_mmdet_does(mode: int, samples: dict[str, Sample]) -> None:
    transform = PhotoMetricDistortion()
    for i, (name, sample) in enumerate(samples.items()):
        params = transform.draw(np.random.default_rng([3, i]), sample.info)
        theirs = distort(params, without_masks(sample), mode=mode)["img"][..., ::-1]
        exact = distorted(sample.image, params)
        np.testing.assert_allclose(exact, theirs, rtol=0, atol=2e-3, err_msg=f"{name}: {params}")
        bytes_of_theirs = np.clip(np.floor(theirs + 0.5), 0, 255)
        difference = np.abs(transform.apply(sample, params).image - bytes_of_theirs)
        assert difference.max() <= 1, f"{name}: {params}"
        # A step only where the two floats lie on either side of a half.
        assert (difference > 0).mean() < 1e-3, f"{name}: {params}"
