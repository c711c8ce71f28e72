"""Objects and samples for the tests of transforms; no array of theirs can be written to."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from ftloader.detection.annotations import Annotations
from ftloader.detection.masks import Rle, encode_rle, pack_counts
from ftloader.detection.sample import Sample, SampleInfo

# Objects are drawn as a seed: number by number, hypothesis takes longer than what is tested.
property_test = settings(deadline=None, max_examples=60)
_SHARES = (0, 0.1, 0.5, 0.9, 1)


def frozen(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


def rectangle(x1, y1, x2, y2):
    return (frozen(np.array([x1, y1, x2, y1, x2, y2, x1, y2], np.float64)),)


def rle(mask, *, packed=False):
    counts = frozen(encode_rle(mask))
    return Rle(*mask.shape, pack_counts(counts) if packed else counts)


def objects(outlines, boxes=None):
    """Annotations with these outlines; boxes are all the same unless given."""
    count = len(outlines)
    boxes = np.tile([1, 2, 5, 7], (count, 1)) if boxes is None else np.array(boxes)
    return Annotations(
        boxes=frozen(boxes.reshape(count, 4).astype(np.float32)),
        labels=frozen(np.arange(count)),
        crowd=frozen(np.array([isinstance(o, Rle) for o in outlines], bool)),
        areas=frozen(np.full(count, 20.0)),
        ids=frozen(np.arange(count) + 100),
        segmentations=tuple(outlines),
    )


def info(size, annotations=None):
    annotations = objects(()) if annotations is None else annotations
    return SampleInfo(*size, annotations, 3, 300, "a.jpg", size)


def sample(size, annotations=None, dtype=np.uint8):
    """A sample with pixels that are all different."""
    count = size[0] * size[1] * 3
    pixels = np.random.default_rng(7).permutation(count).reshape(size[1], size[0], 3)
    return Sample(frozen((pixels % 251).astype(dtype)), info(size, annotations))


def sizes(low=1, high=16):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def bitmaps(size):
    """Masks of a size, from empty to full."""
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(_bitmap, st.just(size), st.sampled_from(_SHARES), seeds)


def _bitmap(size, share, seed):
    noise = np.random.default_rng(seed).random(size[::-1])
    return frozen((noise < share).astype(np.uint8))


def sized_objects(high=12):
    """An image size, and objects of every kind; coordinates are whole eighths of a pixel."""
    return st.builds(_sized, sizes(1, high), st.integers(0, 4), st.integers(0, 2**32 - 1))


def _sized(size, count, seed):
    rng = np.random.default_rng(seed)
    outlines = [_outline(rng, size) for _ in range(count)]
    return size, objects(outlines, _eighths(rng, size, (count, 4)))


def _outline(rng, size):
    mask = _bitmap(size, rng.choice(_SHARES), rng.integers(2**32))
    # Odd lengths, and too few points for an area, as careless files have them.
    lengths = rng.integers(0, 12, rng.integers(0, 4))
    parts = tuple(frozen(_eighths(rng, size, length)) for length in lengths)
    return (parts, parts, mask, rle(mask), rle(mask, packed=True))[rng.integers(5)]


def _eighths(rng, size, shape):
    return rng.integers(-16, 8 * max(size) + 16, shape) / 8


def assert_same(first, second, *, exact=True):
    """Check that two sets of annotations are equal, kinds of outlines included."""
    compare = np.testing.assert_array_equal if exact else np.testing.assert_allclose
    compare(first.boxes, second.boxes)
    assert first.boxes.dtype == second.boxes.dtype == np.float32
    for name in ("labels", "crowd", "areas", "ids"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for one, other in zip(first.segmentations, second.segmentations, strict=True):
        assert type(one) is type(other)
        if isinstance(one, Rle):
            size = one.width, one.height
            np.testing.assert_array_equal(one.to_mask(*size), other.to_mask(*size))
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        else:
            for part, expected in zip(one, other, strict=True):
                compare(part, expected)
