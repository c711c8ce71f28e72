"""The dynamic-batching experiment: its own accounts, its rivals, and a report from a small run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

from ftloader.errors import DataError

FOLDER = Path(__file__).parents[2] / "experiments" / "dynamic_batching"
sys.path.insert(0, str(FOLDER))

from batching_parts import accounts, page, planned, rivals, summary  # noqa: E402 (from FOLDER)
from batching_parts.accounts import Batch  # noqa: E402

SIZES = [(640, 480), (480, 640), (640, 427), (500, 375), (333, 500), (612, 612), (640, 360)]
BUDGET = 4 * 640 * 480


def script():
    spec = importlib.util.spec_from_file_location("dynamic_batching_run", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RUN = script()


@pytest.fixture(scope="module")
def table():
    return planned.table_of(None, 96)


@pytest.fixture(scope="module")
def plans(table):
    return list(planned.measured_plans(table, [0, 1], list(planned.POLICIES)))


@pytest.fixture(scope="module")
def results(table, plans, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    arguments = type("Arguments", (), {"quick": True})
    records = [RUN.header(arguments, RUN.QUICK, table), *plans]
    records += [planned.planning(table, "fixed", name, 64, 2) for name in planned.POLICIES]
    records.append({"record": "end"})
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / summary.FILE_NAME).write_text(text)
    page.write(folder)
    return folder


def test_a_batch_is_padded_to_the_stride_by_its_largest_sides():
    batch = Batch(((600, 400), (333, 500)))
    assert batch.shape == (512, 608)
    assert batch.padded == 2 * 512 * 608
    assert batch.real == 600 * 400 + 333 * 500


def test_an_epoch_is_accounted_for_as_by_hand():
    large, small = Batch(((64, 64), (64, 32))), Batch(((32, 32),))
    found = accounts.figures([[[large], [small]], [[small], [Batch(((32, 32),), True)]]], 4096)
    assert (found.batches, found.steps, found.most_images) == (3, 2, 2)
    assert found.images_per_batch == 4 / 3
    assert found.efficiency == (64 * 64 + 64 * 32 + 2 * 1024) / (8192 + 3 * 1024)
    assert (found.over, found.peak, found.worst) == (1, 8192, 2.0)
    assert found.balance == (8192 + 1024 + 1024) / (2 * 8192 + 2 * 1024)
    assert (found.shapes, found.shapes_n) == (2, 2)
    assert found.shares[4] == 3  # a quarter of the budget
    assert found.shares[39] == 1  # twice the budget


def test_a_batch_that_costs_the_budget_exactly_is_within_it():
    found = accounts.figures([[[Batch(((64, 64),))]]], 4096)
    assert found.over == 0
    assert found.shares[19] == 1


@pytest.mark.parametrize("most", [1, 3, 32])
@pytest.mark.parametrize("exact", [False, True])
def test_rivals_serve_every_place_once(exact, most):
    sizes = SIZES * 9
    for batches in (
        list(rivals.arrival(sizes, BUDGET, most)),
        list(rivals.cells(sizes, BUDGET, most, 64, exact)),
    ):
        assert sorted(place for batch in batches for place in batch) == list(range(len(sizes)))
        assert max(map(len, batches)) <= most


def test_only_what_tests_before_adding_stays_within_the_budget():
    sizes = SIZES * 9

    def over(batches):
        costs = [Batch(tuple(sizes[place] for place in batch)).padded for batch in batches]
        return sum(cost > BUDGET for cost in costs)

    assert over(rivals.arrival(sizes, BUDGET, 32)) == 0
    assert over(rivals.cells(sizes, BUDGET, 32, 64, exact=True)) == 0
    # Three such images are within the budget, and a fourth is added all the same.
    assert over(rivals.cells([(640, 600)] * 8, BUDGET, 32, 64, exact=False)) > 0


def test_every_policy_is_planned_on_every_scale_and_shuffle(plans):
    found = {(plan["scale"], plan["seed"], plan["policy"]) for plan in plans}
    assert found == {(s, n, p) for s in planned.SCALES for n in (0, 1) for p in planned.POLICIES}


def test_the_budget_is_held_by_what_promises_it(plans):
    for plan in plans:
        if plan["policy"] in ("ours", "cells-before", "arrival", "detectron2"):
            assert plan["over"] == 0, plan
        if plan["policy"] == "ours":
            assert (plan["missing"], plan["again"]) == (0, 0)


def test_the_accounts_agree_with_the_plan(table):
    epoch = planned.Epoch.of(table, planned.SCALES["multi-scale"], seed=3)
    budget = planned.budget_of(epoch)
    plan = epoch.plan(planned.ours(epoch, budget))
    found = accounts.figures(planned.steps_of(plan, planned.RANKS, epoch), budget)
    batches = plan.batches
    assert found.peak == int(batches.padded.max())
    assert found.steps == len(plan)
    real = int(batches.areas[~plan.repeats].sum())
    assert found.efficiency == pytest.approx(real / int(batches.padded.sum()))


def test_sizes_come_from_a_table_or_are_refused_in_one_line(tmp_path):
    good, bad = tmp_path / "sizes.csv", tmp_path / "other.csv"
    good.write_text("image_id,width,height\n7,640,480\n9,333,500\n")
    bad.write_text("image_id,wide\n7,640\n")
    assert planned.table_of(good).rows == ((640, 480), (333, 500))
    for path in (bad, tmp_path / "none.csv"):
        with pytest.raises(DataError, match="no table with columns width and height") as error:
            planned.table_of(path)
        assert "\n" not in str(error.value)


def test_the_report_names_every_policy_and_hypothesis(results):
    for name in ("report.md", "report.html"):
        text = (results / name).read_text()
        assert "smoke run" in text.lower()
        for title in summary.TITLES.values():
            assert title in text
    claims = summary.claims(summary.Summary.read(results))
    assert sorted({claim.number for claim in claims}) == [1, 2, 3, 4, 5]


def test_the_report_is_made_anew_from_the_file_alone(results, monkeypatch):
    before = {name: (results / name).read_bytes() for name in ("report.md", "report.html")}
    for name in before:
        (results / name).unlink()
    monkeypatch.setattr(sys, "argv", ["run.py", "--report", str(results)])
    assert RUN.main() == 0
    assert {name: (results / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("folder", sorted(FOLDER.glob("results/*")), ids=lambda f: f.name)
def test_a_committed_report_is_what_its_figures_give(folder, tmp_path, monkeypatch):
    shutil.copy(folder / "figures.jsonl", tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py", "--report", str(tmp_path)])
    assert RUN.main() == 0
    assert (tmp_path / "report.md").read_bytes() == (folder / "report.md").read_bytes()


def test_a_file_of_another_schema_is_refused(tmp_path):
    (tmp_path / summary.FILE_NAME).write_text('{"record": "header", "schema": 99}\n')
    with pytest.raises(DataError, match="no result file of this experiment"):
        page.write(tmp_path)
