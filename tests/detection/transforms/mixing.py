"""Random data sets for the tests of transforms that mix samples."""

import numpy as np
from hypothesis import strategies as st

from tests.conformance.transforms.samples import in_memory
from tests.detection.transforms.cases import OUTLINES, sample_of, seeds


def partners_of(transform, params, data):
    return {i: data.load(i) for i in transform.partners(params)}


def mixed(transform, data, params):
    """Return what becomes of the first sample."""
    return transform.apply(data.load(0), params, partners_of(transform, params, data))


@st.composite
def data_sets(draw, *, least=1, margin=0, kinds=OUTLINES):
    """Draw one to four samples of at least ``least`` pixels a side, with up to six rectangles.

    Rectangles reach at most ``margin`` pixels out of their images. From one seed: drawn number by
    number, they would take hypothesis longer than the tests.
    """
    rng = np.random.default_rng(draw(seeds))
    return in_memory(*(random_sample(rng, least, margin, kinds) for _ in range(rng.integers(1, 5))))


def random_sample(rng, least, margin, kinds):
    width, height = rng.integers(least, 41, 2).tolist()
    boxes = []
    for _ in range(rng.integers(0, 7)):
        x1 = rng.integers(-margin, width)
        y1 = rng.integers(-margin, height)
        x2 = rng.integers(max(x1, 0) + 1, width + margin + 1)
        y2 = rng.integers(max(y1, 0) + 1, height + margin + 1)
        boxes.append((x1, y1, x2, y2))
    return sample_of(boxes, width, height, rng.choice(kinds, len(boxes)).tolist())
