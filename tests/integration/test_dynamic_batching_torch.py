"""The measured part of the dynamic-batching experiment, small: real training, a real limit."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco

FOLDER = Path(__file__).parents[2] / "experiments" / "dynamic_batching"
sys.path.insert(0, str(FOLDER))

import torch  # noqa: E402
from batching_parts import detector, page, planned, summary  # noqa: E402 (from FOLDER)

IMAGES = 24
# Six processes, each of which imports torch.
pytestmark = pytest.mark.timeout(900)


def script():
    spec = importlib.util.spec_from_file_location("dynamic_batching_run", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RUN = script()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = synthetic_coco(SyntheticSpec(images=IMAGES), tmp_path_factory.mktemp("coco"))
    return list(RUN.trainings(replace(RUN.QUICK.setting, folder=str(folder)), RUN.QUICK))


def of(records, kind):
    found = [record for record in records if record["record"] == kind]
    assert found
    return found


def test_every_policy_trains_on_every_image_once_with_finite_losses(records):
    runs = {run["policy"]: run for run in of(records, "measured")}
    assert set(runs) == {"random", "groups", "ours"}
    for policy, run in runs.items():
        assert run["finite"], policy
        assert run["again"] == 0, policy
        assert run["images"] + run["left_out"] == IMAGES, policy
    assert runs["random"]["left_out"] == runs["ours"]["left_out"] == 0


def test_peak_and_padding_are_as_predicted(records):
    for run in of(records, "measured"):
        assert run["efficiency"] == pytest.approx(run["predicted_efficiency"], abs=1e-12)
        assert run["peak"] == pytest.approx(run["predicted_peak"], rel=0.05)


def test_no_policy_plans_a_batch_over_the_agreed_budget(records):
    assert all(run["over_budget"] == 0 for run in of(records, "measured"))


def test_under_the_limit_the_fixed_size_of_the_same_mean_dies_and_ours_does_not(records):
    runs = {run["case"]: run for run in of(records, "limited")}
    for case in ("ours", "groups"):
        assert runs[case]["exit"] == 0, {**runs[case], "steps": len(runs[case]["steps"])}
    assert runs["ours"]["images"] == IMAGES
    died = runs["random-mean"]
    assert died["exit"] != 0
    assert "died" in died or died["stderr"] or died["exit"] < 0


def test_a_report_is_made_of_it(records, tmp_path):
    table = planned.table_of(None, 64)
    arguments = type("Arguments", (), {"quick": True})
    every = [RUN.header(arguments, RUN.QUICK, table)]
    every += planned.measured_plans(table, [0], list(planned.POLICIES))
    every += [planned.planning(table, "fixed", "ours", 64, 1), *records, {"record": "end"}]
    text = "".join(json.dumps(record) + "\n" for record in every)
    (tmp_path / summary.FILE_NAME).write_text(text)
    page.write(tmp_path)
    numbers = {claim.number for claim in summary.claims(summary.Summary.read(tmp_path))}
    assert numbers == set(range(1, 9))
    assert "Under a limit" in (tmp_path / "report.html").read_text()


def test_a_location_learns_the_smallest_object_that_suits_its_level():
    points, levels = detector.locations(128, 128)
    boxes = torch.tensor([[10.0, 10, 40, 40], [20.0, 20, 36, 36], [0.0, 0, 128, 128]])
    target, owner = detector.assigned(points, levels, boxes, torch.tensor([5, 6, 7]))
    fine = levels == 0
    inside = ((points > 22) & (points < 34)).all(1)
    assert set(owner[fine & inside].tolist()) == {1}
    assert set(target[fine & inside].tolist()) == {6}
    assert set(target[owner < 0].tolist()) == {detector.CLASSES}
    # The whole image belongs to the levels that reach that far.
    assert set(levels[owner == 2].tolist()) <= {2, 3}


def test_a_step_on_a_batch_without_objects_is_finite():
    torch.manual_seed(0)
    model = detector.Detector()
    none = [torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.int64)]
    loss = detector.loss_of(model, torch.rand(1, 3, 64, 96), *none)
    loss.backward()
    assert torch.isfinite(loss)
