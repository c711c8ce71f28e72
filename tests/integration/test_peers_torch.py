"""The peers experiment where torch is: everybody gives the same batches, and ends."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import torch

from ftloader.lab import tree
from ftloader.lab.trials import describe
from ftloader.runtime import free_threaded_build
from tests.lab.tiny_images import small_inputs

SCRIPT = Path(__file__).parents[2] / "experiments" / "peers" / "run.py"
EXPERIMENT = describe.load(SCRIPT)

from peer_loaders import trial, work  # noqa: E402 (the loader made them importable)

#: The experiment's cells with less to do: what they vary is what may make a difference.
SMALLER = {2: 2, 16: 3, 64: 5, 256: 8}
CELLS = {
    cell.name: {
        **cell.settings,
        "batch": SMALLER[cell.settings["batch"]],
        "warm": 1,
        "rounds": 1,
        "step_ms": min(cell.settings["step_ms"], 1),
    }
    for cell in EXPERIMENT.cells
}
PAIRS = [(cell.name, one.name) for cell in EXPERIMENT.cells for one in EXPERIMENT.taking_part(cell)]


@pytest.fixture(scope="module")
def inputs():
    return small_inputs()


@pytest.fixture(scope="module")
def serial(inputs):
    """The digest of each cell, made one batch after the other."""

    def loop(job):
        return trial.Opened(map(job.batch, job.groups()), lambda: None)

    return {name: trial.measure(loop, inputs, settings).digest for name, settings in CELLS.items()}


@pytest.mark.parametrize(("cell", "name"), PAIRS, ids=[f"{cell}-{name}" for cell, name in PAIRS])
def test_every_contender_gives_the_same_batches_and_leaves_nothing_alive(
    inputs, serial, cell, name
):
    (one,) = (one for one in EXPERIMENT.contenders if one.name == name)
    assert one.missing() == ""
    threads, processes = set(threading.enumerate()), set(tree.pids())
    outcome = one.run(inputs, CELLS[cell])
    assert outcome.digest == serial[cell]
    assert outcome.notes == ()
    assert set(threading.enumerate()) <= threads
    assert set(tree.pids()) <= processes
    assert torch.get_num_threads() == 1


def test_nobody_turns_the_gil_on(inputs):
    for one in EXPERIMENT.contenders:
        assert one.missing() == ""
    if free_threaded_build():
        assert not sys._is_gil_enabled()


def test_the_pixels_of_processes_come_in_shared_memory(inputs):
    settings = CELLS["batch_16"]
    job = work.make(inputs, settings, trial.Plan.of(settings).total)
    from peer_loaders import others

    opened = others.torch_loader(job)
    batch = next(opened.batches)
    assert batch["images"].is_shared()
    opened.batches = iter(())
    opened.end()
