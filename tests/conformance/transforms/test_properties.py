"""What holds for every transform on samples of any size with any objects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftloader.detection.geometry import clipped
from ftloader.detection.sample import Sample

from .cases import CASES
from .samples import (
    SAMPLES,
    bitmap,
    crowd_rle,
    diamond,
    digest,
    in_memory,
    partners_of,
    sample_of,
    stream,
)

OUTLINES = ("diamond", "none", "packed", "counts", "bitmap")


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Samples of 1 to 70 pixels a side; boxes lie inside, and may have no area."""
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    along_x, along_y = (st.floats(0, side, width=32).map(float) for side in (width, height))
    boxes, outlines = [], []
    for kind in draw(st.lists(st.sampled_from(OUTLINES), max_size=4)):
        x1, x2 = sorted((draw(along_x), draw(along_x)))
        y1, y2 = sorted((draw(along_y), draw(along_y)))
        boxes.append([x1, y1, x2, y2])
        if kind in ("packed", "counts"):
            outlines.append(crowd_rle(width, height, packed=kind == "packed"))
        elif kind == "bitmap":
            outlines.append(bitmap(width, height, int(x1), int(y1), int(x2), int(y2)))
        else:
            outlines.append(diamond(x1, y1, x2, y2) if kind == "diamond" else ())
    return sample_of(width, height, boxes, outlines)


@pytest.mark.parametrize("name", CASES)
@settings(
    deadline=None,
    max_examples=12,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sample=samples(), seed=st.integers(0, 2**64 - 1))
def test_any_sample_comes_out_as_was_foretold(name: str, sample: Sample, seed: int) -> None:
    data = in_memory(sample, SAMPLES["plain"], SAMPLES["crowd"], SAMPLES["one-row"])
    transform, sample = CASES[name](data), data.load(0)
    params = transform.draw(stream(seed), sample.info)
    if params is None:
        return
    inputs = [digest(sample), digest(data.load(1))]
    result = transform.apply(sample, params, partners_of(transform, params, data))

    assert [digest(sample), digest(data.load(1))] == inputs
    assert result.image.shape[1::-1] == transform.output_size(sample.info, params)
    assert digest(result.info) == digest(transform.info_after(sample.info, params))
    np.testing.assert_array_equal(result.boxes, clipped(result.boxes, result.info.size))
    assert result.masks().shape == (len(result.boxes), *result.image.shape[:2])
