"""The peers experiment's own parts, as far as they need no torch: the work, the trial, our side."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import numpy as np
import pytest

from ftloader.errors import DigestError
from ftloader.lab import tree
from ftloader.lab.trials import describe
from tests.lab.tiny_images import small_inputs

SCRIPT = Path(__file__).parents[2] / "experiments" / "peers" / "run.py"
EXPERIMENT = describe.load(SCRIPT)
CONTENDERS = {one.name: one for one in EXPERIMENT.contenders}

from peer_loaders import ours, trial, work  # noqa: E402 (the loader made them importable)

SMALL = {"workers": 2, "batch": 3, "warm": 2, "rounds": 2, "step_ms": 0, "work": "images"}
ALWAYS = {"images_per_s", "cpu", "first_batch", "end", "wait_p50", "memory"}


@pytest.fixture(scope="module")
def inputs():
    """Three small images with two objects each."""
    return small_inputs()


def expected(inputs, settings):
    """The numbers of every batch of a trial, made one after the other."""
    job = work.make(inputs, settings, trial.Plan.of(settings).total)
    return [work.numbers(job.batch(group)) for group in job.groups()]


def serial(job):
    """A contender that makes each batch when it is asked for it."""
    return trial.Opened(map(job.batch, job.groups()), lambda: None)


def test_it_is_sound_and_asks_what_the_issue_asks():
    EXPERIMENT.require_sound()
    sizes = {cell.settings["batch"] for cell in EXPERIMENT.cells if cell.group == "batch size"}
    workers = {cell.settings["workers"] for cell in EXPERIMENT.cells if cell.group == "workers"}
    assert sizes == {2, 16, 64, 256}
    assert workers == {1, 2, 4, 8, 16}
    assert any(cell.settings["step_ms"] for cell in EXPERIMENT.cells)
    assert any(cell.settings["work"] == "annotations" for cell in EXPERIMENT.cells)
    assert {one.metric for one in EXPERIMENT.hypotheses} <= {m.name for m in EXPERIMENT.metrics}


@pytest.mark.parametrize("source", ["spdl#303", "2504.20067", "torchdata", "#161044", "ours"])
def test_every_source_of_claims_has_hypotheses(source):
    assert any(source in one.text for one in EXPERIMENT.hypotheses)


def test_a_hypothesis_compares_cells_of_the_same_contender_or_contenders_of_one_cell():
    for one in EXPERIMENT.hypotheses:
        assert not (one.against and one.against_cell), one.text
        ratio = one.against or one.against_cell or one.across_gil
        assert ratio or one.metric in ("end", "stall"), one.text


def test_only_a_long_window_is_asked_for_its_99th_percentile():
    asked = {one.cell for one in EXPERIMENT.hypotheses if one.metric == "wait_p99"}
    for cell in EXPERIMENT.cells:
        if cell.name in asked:
            assert trial.Plan.of(cell.settings).count >= trial.LEAST_WAITS


def test_the_samples_are_those_of_the_recipe_and_keyed_by_their_place(inputs):
    data = work.Images(inputs, 30)
    assert data[0].image.shape == (work.SIDE, work.SIDE, 3)
    assert [data[place].info.image_id for place in (0, 3, 29)] == [0, 3, 29]
    np.testing.assert_array_equal(data[3].image, data[3].image)
    # One image at ten places: ten streams, which mirror it at some of them.
    lefts = {float(data[place].boxes[0, 0]) for place in range(0, 30, 3)}
    assert len(lefts) == 2


def test_boxes_are_scaled_with_the_image(inputs):
    data = work.Images(inputs, 3)
    sides = data[0].boxes[0, 2:] - data[0].boxes[0, :2]
    np.testing.assert_allclose(sides, [20 * 320 / 64, 16 * 320 / 48], rtol=1e-5)


@pytest.mark.parametrize("kind", ["images", "annotations"])
@pytest.mark.parametrize(
    "name", ["pipeline", "pipeline_spdl", "loader", "spdl", "pool_threads", "pool_processes"]
)
def test_contenders_give_what_a_loop_gives_and_leave_nothing_alive(inputs, name, kind):
    one = CONTENDERS[name]
    if one.missing():
        pytest.skip("not installed")
    if (name, kind) == ("loader", "annotations"):
        with pytest.raises(TypeError, match="nothing else"):
            one.run(inputs, {**SMALL, "work": kind})
        return
    threads, processes = set(threading.enumerate()), set(tree.pids())
    outcome = one.run(inputs, {**SMALL, "work": kind})
    assert set(threading.enumerate()) <= threads
    assert set(tree.pids()) <= processes
    assert outcome.digest == trial.measure(serial, inputs, {**SMALL, "work": kind}).digest
    assert set(outcome.values) == ALWAYS
    assert not outcome.notes


def test_loader_is_only_in_cells_whose_work_it_can_express():
    for cell in EXPERIMENT.cells:
        if "loader" in cell.contenders:
            assert cell.settings["work"] == "images"


def test_with_a_step_the_share_of_waiting_is_told(inputs):
    settings = {**SMALL, "step_ms": 20, "rounds": 3}
    outcome = trial.measure(serial, inputs, settings)
    # The loop makes its batches while it waits: some of each step, never all of it.
    assert 0 < outcome.values["stall"] < 1
    assert outcome.values["images_per_s"] <= 3 / 0.020


def test_a_percentile_needs_a_hundred_waits(inputs):
    outcome = trial.measure(serial, inputs, {**SMALL, "batch": 1, "rounds": 50})
    waits = outcome.points["wait_p50"]
    assert len(waits) == 100
    assert outcome.values["wait_p50"] <= outcome.values["wait_p99"] <= max(waits)


def swapped(job):
    groups = job.groups()
    groups[4], groups[5] = groups[5], groups[4]
    return trial.Opened(map(job.batch, groups), lambda: None)


def test_batches_in_another_order_have_another_digest(inputs):
    right = trial.measure(serial, inputs, SMALL).digest
    assert trial.measure(swapped, inputs, SMALL).digest != right


def test_a_loader_that_ends_early_is_refused(inputs):
    def short(job):
        return trial.Opened(map(job.batch, job.groups()[:5]), lambda: None)

    with pytest.raises(DigestError, match="ended before its epoch"):
        trial.measure(short, inputs, SMALL)


def test_a_thread_that_lives_on_is_told_and_has_no_time(inputs, monkeypatch):
    monkeypatch.setattr(trial, "END_SECONDS", 0.05)
    released = threading.Event()

    def leaving(job):
        threading.Thread(target=released.wait, daemon=True).start()
        return serial(job)

    try:
        outcome = trial.measure(leaving, inputs, SMALL)
    finally:
        released.set()
    assert "end" not in outcome.values
    (note,) = outcome.notes
    assert note.startswith("1 thread(s) and 0 process(es) of the loader lived on")


def test_what_a_loader_holds_is_its_memory(inputs):
    held = []

    def hoarding(job):
        held.append(np.ones(64 * trial.MIB, np.uint8))
        return serial(job)

    plain = trial.measure(serial, inputs, SMALL).values["memory"]
    more = trial.measure(hoarding, inputs, SMALL).values["memory"]
    held.clear()
    gc.collect()
    assert 56 < more - plain < 80


def test_cpu_time_of_processes_counts(inputs):
    settings = {**SMALL, "batch": 8, "rounds": 6}
    apart = CONTENDERS["pool_processes"].run(inputs, settings).values["cpu"]
    # All of the work is done in children; without them there would be next to nothing.
    assert apart > trial.measure(serial, inputs, settings).values["cpu"] / 4


def test_numbers_are_told_apart_from_what_holds_them(inputs):
    rows = expected(inputs, SMALL)
    assert [len(row) for row in rows] == [4] * trial.Plan.of(SMALL).total
    job = work.make(inputs, SMALL, 4)
    opened = ours.loader(job)
    batch = next(opened.batches)
    opened.end()
    for ours_, theirs in zip(work.numbers(batch), rows[0], strict=True):
        for one, other in zip(ours_, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
