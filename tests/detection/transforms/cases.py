"""Random samples for property tests: every outline kind, boxes that reach out of the image."""

from dataclasses import astuple

import numpy as np
from hypothesis import strategies as st

from ftloader.detection.annotations import Annotations
from ftloader.detection.masks import Rle, encode_rle
from ftloader.detection.sample import Sample, SampleInfo

OUTLINES = ("polygon", "rle", "bitmap", "none")

seeds = st.integers(0, 2**32 - 1)


def polygon(x1, y1, x2, y2):
    return np.array([x1, y1, x2, y1, x2, y2, x1, y2], np.float64)


def rectangle_mask(box, width, height):
    mask = np.zeros((height, width), np.uint8)
    x1, y1, x2, y2 = (max(int(edge), 0) for edge in box)
    mask[y1:y2, x1:x2] = 1
    return mask


def outline_of(box, kind, width, height):
    if kind == "none":
        return ()
    if kind == "polygon":
        return (polygon(*box),)
    mask = rectangle_mask(box, width, height)
    if kind == "rle":
        return Rle(height, width, frozen(encode_rle(mask)))
    return frozen(mask)


def frozen(array):
    """Make an array raise at any attempt to write to it."""
    array.flags.writeable = False
    return array


def info_of(boxes, width, height, outlines=None):
    """Return a sample without pixels; its objects' ids tell them apart."""
    count = len(boxes)
    kinds = outlines or ["polygon"] * count
    notes = Annotations(
        boxes=frozen(np.array(boxes, np.float32).reshape(-1, 4)),
        labels=frozen(np.arange(count) % 3),
        crowd=frozen(np.arange(count) % 4 == 3),
        areas=frozen(np.arange(count) * 1.5),
        ids=frozen(np.arange(count) + 100),
        segmentations=tuple(
            outline_of(box, kind, width, height) if isinstance(kind, str) else kind
            for box, kind in zip(boxes, kinds, strict=True)
        ),
    )
    return SampleInfo(width, height, notes, 0, 1, "a.jpg", (width, height))


def sample_of(boxes, width, height, outlines=None):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Sample(frozen(pixels), info_of(boxes, width, height, outlines))


@st.composite
def samples(draw, kinds=OUTLINES, min_objects=0, least=1, most=40):
    """Draw samples whose objects are rectangles on whole pixels, at least partly in the image."""
    width, height = draw(st.integers(least, most)), draw(st.integers(least, most))
    boxes = []
    for _ in range(draw(st.integers(min_objects, 6))):
        x1, y1 = draw(st.integers(-5, width - 1)), draw(st.integers(-5, height - 1))
        x2 = draw(st.integers(max(x1, 0) + 1, width + 5))
        y2 = draw(st.integers(max(y1, 0) + 1, height + 5))
        boxes.append((x1, y1, x2, y2))
    outlines = [draw(st.sampled_from(kinds)) for _ in boxes]
    return sample_of(boxes, width, height, outlines)


def assert_same_annotations(one, other):
    """Compare all arrays; two outlines are the same if they have the same type and numbers."""
    for name in ("boxes", "labels", "crowd", "areas", "ids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).dtype == getattr(other, name).dtype, name
    assert len(one.segmentations) == len(other.segmentations)
    for mine, theirs in zip(one.segmentations, other.segmentations, strict=True):
        assert type(mine) is type(theirs)
        if isinstance(mine, Rle):
            mine, theirs = astuple(mine), astuple(theirs)
        for left, right in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(left, right)


def assert_same_samples(one, other):
    """Compare pixels, sizes and objects."""
    np.testing.assert_array_equal(one.image, other.image)
    assert one.image.dtype == other.image.dtype
    assert one.info.size == other.info.size
    assert_same_annotations(one.info.annotations, other.info.annotations)


def assert_size_is_real(transform, sample, params, result):
    """Check that the size was known before the pixels were made."""
    height, width = result.image.shape[:2]
    assert transform.output_size(sample.info, params) == (width, height) == result.info.size


def assert_inside(boxes, size):
    """Check that boxes lie in the image."""
    assert (boxes >= 0).all()
    assert (boxes <= np.array(size * 2)).all()
    assert (boxes[:, 2:] >= boxes[:, :2]).all()
