"""Every transform beside mmdet's, with the same parameters."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ftloader.detection import ignored
from ftloader.detection.sample import Sample
from ftloader.detection.transforms.rasterize import Rasterize, RasterizeParams
from tests.golden.outcome import assert_close, outcome_of
from tests.oracle.mmdet_side import run
from tests.oracle.results import from_results, to_results
from tests.oracle.settings import COMPARED, Compared


def draw_from(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def compare(case: Compared, sample: Sample, name: str, *, polygons: bool) -> bool:
    """Compare once; tell whether there was anything to compare (a dropped sample has nothing)."""
    tolerance = case.polygons if polygons else case.tolerance
    assert tolerance is not None
    params = case.transform.draw(draw_from(name), sample.info)
    if params is None:
        return False
    results = to_results(sample, outlines="polygons" if polygons else "bitmaps")
    theirs = from_results(run(case.transform, params, results))
    assert theirs is not None, f"{name}: mmdet drops this sample"
    ours = case.transform.apply(sample, params)
    assert_close(outcome_of(ours), theirs, tolerance, f"{name}: {params}")
    return True


def polygons_of(sample: Sample) -> Sample:
    """Return the sample with its polygon objects alone."""
    outlines = sample.info.annotations.segmentations
    return taking(sample, np.array([isinstance(o, tuple) for o in outlines], bool))


def outlined(sample: Sample) -> Sample:
    """Return the sample without the objects that have no usable outline."""
    lacking = ignored(sample.info.annotations, with_masks=True) & ~sample.crowd
    return taking(sample, ~lacking)


def taking(sample: Sample, keep: NDArray[np.bool_]) -> Sample:
    notes = sample.info.annotations.take(keep)
    return Sample(sample.image, replace(sample.info, annotations=notes))


@pytest.mark.parametrize("name", COMPARED)
def test_bitmaps_go_where_mmdet_moves_them(name: str, samples: dict[str, Sample]) -> None:
    chosen = {
        key: outlined(one) if COMPARED[name].outlined else one for key, one in samples.items()
    }
    bitmaps = [(key, Rasterize().apply(one, RasterizeParams())) for key, one in chosen.items()]
    compared = [
        compare(COMPARED[name], sample, f"{name}, {key}", polygons=False) for key, sample in bitmaps
    ]
    assert sum(compared) >= len(compared) / 2


@pytest.mark.parametrize("name", [name for name, case in COMPARED.items() if case.polygons])
def test_polygons_go_where_mmdet_moves_them(name: str, samples: dict[str, Sample]) -> None:
    polygons = [(key, polygons_of(one)) for key, one in samples.items()]
    compared = [
        compare(COMPARED[name], sample, f"{name}, {key}", polygons=True) for key, sample in polygons
    ]
    assert sum(compared) >= len(compared) / 2
