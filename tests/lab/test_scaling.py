"""The scaling experiment's own operations: right, and the same on every engine."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.lab import experiment, inputs
from ftloader.lab.digest import full_digest
from ftloader.lab.measure import verify

SCRIPT = Path(__file__).parents[2] / "experiments" / "scaling" / "run.py"
EXPERIMENT = experiment.load(SCRIPT)
WORKLOADS = {workload.name: workload for workload in EXPERIMENT.workloads}


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco") / "data"
    write_synthetic_coco(SyntheticSpec(images=6, seed=3), folder, progress=False)
    return inputs.choose(folder, 4, seed=1)[0]


def test_it_has_all_three_controls():
    EXPERIMENT.require_controls()
    assert {control.name for control in EXPERIMENT.controls} >= {experiment.NATIVE}


def test_it_has_the_kinds_of_work_of_a_loader():
    expected = {"decode", "resize", "decode_resize", "annotations", "masks", "mosaic", "recipe"}
    assert set(WORKLOADS) == expected | {"collate"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_says_which_part_of_it_holds_the_gil(name):
    assert "GIL" in WORKLOADS[name].about


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_a_process_calls_gives_the_serial_output(chosen, name):
    workload = WORKLOADS[name]
    digest, count, sample = full_digest(map(workload.call, workload.prepare(chosen)))
    assert {"digest": digest, "sample": sample} == verify(workload, chosen, 1, "serial")
    assert count == len(workload.prepare(chosen))


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_runs_pass_after_pass_and_can_be_stopped(chosen, name):
    workload = WORKLOADS[name]
    items = workload.prepare(chosen)
    with workload.build(lambda: itertools.cycle(items), 2).run("threads") as run:
        twice = [full_digest(itertools.islice(run, len(items))) for _ in range(2)]
    assert twice[0] == twice[1]


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


def test_masks_are_those_of_the_parsed_annotations(chosen):
    data = inputs.in_memory(chosen)
    for place, masks in enumerate(results_of("masks", chosen)):
        assert np.array_equal(masks, data.load(place).masks())


def test_a_mosaic_is_made_of_four_images_on_a_canvas_of_twice_the_size(chosen):
    for image, boxes, labels in results_of("mosaic", chosen):
        assert image.shape == (1280, 1280, 3)
        assert len(boxes) == len(labels)
        assert boxes.min(initial=0) >= 0
        assert boxes.max(initial=0) <= 1280


def test_the_recipe_gives_an_image_boxes_and_a_mask_of_its_size_for_each(chosen):
    for image, boxes, labels, *masks in results_of("recipe", chosen):
        assert min(image.shape[:2]) <= 800
        assert len(boxes) == len(labels) == len(masks)
        assert all(mask.shape == image.shape[:2] for mask in masks)


def test_another_seed_makes_other_samples(chosen):
    other = dataclasses.replace(chosen, seed=chosen.seed + 1)
    for name in ("mosaic", "recipe"):
        one, two = (verify(WORKLOADS[name], given, 1, "serial") for given in (chosen, other))
        assert one != two


def test_batches_hold_every_image_once_padded_with_zeros(chosen):
    found = []
    for batch in results_of("collate", chosen):
        for image, (width, height) in zip(batch.images, batch.sizes, strict=True):
            assert image[:height, :width].any()
            assert not image[height:].any()
            assert not image[:, width:].any()
        found += batch.image_ids.tolist()
    assert sorted(found) == [sample.key for sample in chosen.samples]


def test_a_run_in_memory_has_the_images_and_objects_of_the_run(chosen):
    data = inputs.in_memory(chosen)
    assert [data.read_bytes(place) for place in range(len(data))] == [
        sample.jpeg for sample in chosen.samples
    ]
    for place, sample in enumerate(chosen.samples):
        assert data.info(place).id == sample.key
        assert len(data.annotations(place)) == len(sample.annotations)


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
