import dataclasses
import pickle

import numpy as np
import pytest

from ftloader.detection.annotations import Annotations
from ftloader.detection.masks import Rle
from ftloader.detection.sample import Sample, SampleInfo


def annotations(count, outlines=None):
    return Annotations(
        boxes=np.zeros((count, 4), np.float32),
        labels=np.zeros(count, np.int64),
        crowd=np.zeros(count, bool),
        areas=np.zeros(count, np.float64),
        ids=np.arange(count),
        segmentations=tuple(outlines or [()] * count),
    )


def sample(notes=None, image=None):
    notes = annotations(0) if notes is None else notes
    image = np.zeros((4, 6, 3), np.uint8) if image is None else image
    return Sample(image, SampleInfo(6, 4, notes, 3, 300, "a.jpg", (12, 8)))


# One object's row: a box of 4 float32, label, area and id of 8 bytes each, crowd of 1.
ROW = 16 + 8 + 8 + 8 + 1
PIXELS = 4 * 6 * 3


def test_a_sample_weighs_its_pixels_and_its_objects():
    assert sample().nbytes == PIXELS
    assert sample(annotations(5)).nbytes == PIXELS + 5 * ROW
    assert sample(image=np.zeros((4, 6, 3), np.float32)).nbytes == 4 * PIXELS


def test_a_view_weighs_all_that_it_keeps_alive():
    whole = np.zeros((100, 100, 3), np.uint8)
    assert sample(image=whole[:4, :6]).nbytes == 30_000
    assert sample(image=whole[::-1][:4, :6].transpose(1, 0, 2)).nbytes == 30_000


def test_pixels_from_foreign_memory_weigh_what_can_be_seen():
    image = np.frombuffer(bytes(PIXELS), np.uint8).reshape(4, 6, 3)
    assert sample(image=image).nbytes == PIXELS


def test_outlines_weigh_their_arrays_or_their_text():
    polygons = (np.zeros(8), np.zeros(6))
    counts = np.array([4, 20])
    bitmap = np.zeros((4, 6), np.uint8)
    outlines = [polygons, Rle(4, 6, counts), Rle(4, 6, b"4d0"), bitmap, ()]
    expected = PIXELS + 5 * ROW + 14 * 8 + 2 * 8 + 3 + 24
    assert sample(annotations(5, outlines)).nbytes == expected


def test_what_several_views_look_into_counts_once():
    columns = np.zeros(1000)
    outlines = [(columns[0:8], columns[8:16]), (columns[16:24],)]
    assert sample(annotations(2, outlines)).nbytes == PIXELS + 2 * ROW + 8000
    stack = np.zeros((2, 4, 6), np.uint8)
    assert sample(annotations(2, list(stack))).nbytes == PIXELS + 2 * ROW + 48


def test_an_outline_that_two_objects_share_counts_once():
    counts = np.array([4, 20])
    shared = [Rle(4, 6, counts), Rle(4, 6, counts)]
    assert sample(annotations(2, shared)).nbytes == PIXELS + 2 * ROW + 16


def test_short_names_lead_to_what_they_name():
    it = sample(annotations(2))
    assert it.key == "a.jpg"
    assert it.boxes is it.info.annotations.boxes
    assert it.labels is it.info.annotations.labels
    assert it.crowd is it.info.annotations.crowd
    assert it.info.size == (6, 4)


def test_masks_have_the_size_of_the_image():
    square = (np.array([1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]),)
    masks = sample(annotations(2, [square, ()])).masks()
    assert masks.shape == (2, 4, 6)
    assert masks.sum(axis=(1, 2)).tolist() == [4, 0]
    assert sample().masks().shape == (0, 4, 6)


def test_a_sample_cannot_be_changed():
    it = sample()
    with pytest.raises(dataclasses.FrozenInstanceError):
        it.image = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        it.info.width = 5


def test_a_sample_can_be_sent_to_another_process():
    square = (np.array([1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]),)
    before = sample(annotations(2, [square, Rle(4, 6, b"4d0")]))
    after = pickle.loads(pickle.dumps(before))
    np.testing.assert_array_equal(after.image, before.image)
    assert after.info.size == before.info.size
    assert after.info.original_size == (12, 8)
    assert after.info.annotations.segmentations[1].counts == b"4d0"
