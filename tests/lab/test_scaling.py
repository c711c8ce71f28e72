"""The scaling experiment's own operations: right, and the same on every engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.lab import experiment, inputs
from ftloader.lab.measure import verify

SCRIPT = Path(__file__).parents[2] / "experiments" / "scaling" / "run.py"
EXPERIMENT = experiment.load(SCRIPT)
WORKLOADS = {workload.name: workload for workload in EXPERIMENT.workloads}


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco") / "data"
    write_synthetic_coco(SyntheticSpec(images=6, seed=3), folder, progress=False)
    return inputs.choose(folder, 4, seed=1)[0]


def test_it_has_both_controls():
    EXPERIMENT.require_controls()


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_workload_gives_the_serial_output_on_threads(chosen, name, threads):
    serial = verify(WORKLOADS[name], chosen, 1, "serial")
    assert verify(WORKLOADS[name], chosen, threads, "threads") == serial


def results_of(name, chosen):
    workload = WORKLOADS[name]
    items = workload.prepare(chosen)
    return list(workload.build(lambda: items, 1).run("serial"))


def test_images_fit_the_usual_training_size(chosen):
    for image, sample in zip(results_of("decode_resize", chosen), chosen.samples, strict=True):
        assert max(image.shape[:2]) <= 1333
        assert min(image.shape[:2]) <= 800
        assert (image.shape[0] > image.shape[1]) == (sample.height > sample.width)


def test_annotations_are_flipped_and_their_masks_lie_in_their_boxes(chosen):
    for found, sample in zip(results_of("annotations", chosen), chosen.samples, strict=True):
        boxes, labels, masks, tight = found
        assert len(boxes) == len(labels) == len(masks)
        assert masks.shape[1:] == (sample.height, sample.width)
        solid = masks.any(axis=(1, 2))
        # Box and outline come from different fields of a record; flipped alike, they still match.
        assert np.abs(boxes - tight)[solid].max(initial=0) <= 2.0


def test_crowds_and_boxes_that_coco_loaders_skip_are_left_out():
    sample = experiment.JpegSample(0, 100, 60, b"", tuple(RECORDS))
    ((boxes, labels, _, _),) = results_of("annotations", experiment.Inputs((sample,), (1, 2), 0))
    assert boxes.tolist() == [[50.0, 10.0, 80.0, 40.0]]
    assert labels.tolist() == [1]


def record(bbox, category=2, iscrowd=0, area=900.0):
    x, y, w, h = bbox
    outline = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    return {
        "id": 1,
        "bbox": bbox,
        "category_id": category,
        "area": area,
        "iscrowd": iscrowd,
        "segmentation": outline,
    }


RECORDS = [
    record([20.0, 10.0, 30.0, 30.0]),
    record([20.0, 10.0, 30.0, 30.0], iscrowd=1),
    record([20.0, 10.0, 30.0, 30.0], category=9),
    record([20.0, 10.0, 30.0, 30.0], area=0.0),
    record([200.0, 10.0, 30.0, 30.0]),
    record([20.0, 10.0, 0.5, 30.0]),
    record([20.0, 10.0, 3.0, 3.0]),
]
