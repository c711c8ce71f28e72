"""The memory experiment's own parts: bytes are counted right, and every contender does its work."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ftloader import lab, runtime
from ftloader.errors import DigestError
from ftloader.lab.trials import describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "memory" / "run.py"
EXPERIMENT = describe.load(SCRIPT)

from memory_parts import delayed, flight, tally, trees  # noqa: E402 (the loader made them so)

NO_INPUTS = lab.Inputs((), (), seed=3)
METRICS = {metric.name for metric in EXPERIMENT.metrics}
#: Of one cell, as each contender made it.
DIGESTS: dict[str, str] = {}


@pytest.fixture(scope="module")
def images():
    made = []
    for key in range(2):
        file = BytesIO()
        Image.new("RGB", (64, 48), (80 * key, 90, 200)).save(file, "JPEG")
        records = ({"area": 3.0 + key, "bbox": [1, 2, 3, 4]},)
        made.append(lab.JpegSample(key, 64, 48, file.getvalue(), records))
    return lab.Inputs(tuple(made), (1,), seed=3)


def named(contenders):
    return pytest.mark.parametrize("contender", contenders, ids=lambda one: one.name)


def test_it_is_sound_and_compares_threads_with_as_many_processes():
    EXPERIMENT.require_sound()
    assert {cell.x for cell in EXPERIMENT.cells if cell.group == "tree"} == {2, 4, 12}


def test_a_tally_knows_what_is_alive_what_was_at_most_and_what_was_made():
    counted = tally.Tally()
    kept = [np.zeros(size, np.uint8) for size in (10, 20, 30)]
    for array in kept:
        counted.watch(array)
    del array, kept[0]
    assert counted.ask() == tally.Account(now=50, peak=60, made=60)
    kept.append(np.zeros(5, np.uint8))
    counted.watch(kept[-1])
    kept.clear()
    assert counted.ask() == tally.Account(now=0, peak=60, made=65)


@named(flight.CONTENDERS)
def test_results_in_flight_are_counted_and_none_is_lost(contender):
    before = threading.enumerate()
    outcome = contender.run(NO_INPUTS, {"workers": 2, "samples": 16, "budget_mb": 10})
    values = outcome.values
    assert values.keys() <= METRICS
    assert 1 <= values["alive_mb"] <= 16 * max(flight.WEIGHTS)
    assert values["of_budget"] == pytest.approx(values["alive_mb"] / 10)
    assert outcome.digest == DIGESTS.setdefault("flight", outcome.digest)
    if contender.name == "budget":  # the reader has one in hand
        assert values["alive_mb"] <= 10 + max(flight.WEIGHTS)
        assert values["leased_mb"] <= 10
    assert threading.enumerate() == before


def test_results_of_another_size_are_noticed():
    def opened(job):
        yield job.make((0, 5))
        return 0

    bad = flight.contender("bad", "makes too little", opened)
    with pytest.raises(DigestError, match="bad: 5 bytes were made"):
        bad.run(NO_INPUTS, {"workers": 1, "samples": 1, "budget_mb": 1})


@named(delayed.CONTENDERS)
def test_all_objects_are_dropped_while_the_workers_are_blocked(contender):
    before = threading.enumerate()
    values = contender.run(NO_INPUTS, {"workers": 2, "objects": 3}).values
    assert values.keys() - {"kept_mb"} == {"dropped_mb", "alive", "alive_at_once"}
    assert values["dropped_mb"] == pytest.approx(3 * delayed.BYTES / 1e6)
    assert 0 <= values["alive"] <= values["alive_at_once"] <= 1
    if contender.name == "loader":  # what the reader drops is the reader's
        assert values["alive_at_once"] == 0
    if contender.name == "plain_queue" and not runtime.free_threaded_build():
        assert values["alive"] == 0
    assert threading.enumerate() == before


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@named(trees.CONTENDERS)
def test_threads_and_processes_do_the_same_work(images, contender):
    before = threading.enumerate()
    outcome = contender.run(images, {"workers": 1, "samples": 8, "records": 50})
    values = outcome.values
    assert values.keys() - {"pss_mb"} == {"rate", "start_s", "cpu_ms"}
    assert min(values.values()) > 0
    assert outcome.digest == DIGESTS.setdefault("trees", outcome.digest)
    assert threading.enumerate() == before
