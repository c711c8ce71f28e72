"""The object store experiment's own parts: one weather for all, and every request answered."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path
from statistics import median

import pytest
from PIL import Image

from ftloader import lab
from ftloader.errors import DigestError
from ftloader.lab.reading import Reading
from ftloader.lab.trials import describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "object_store" / "run.py"
EXPERIMENT = describe.load(SCRIPT)

from object_store_parts import job, store  # noqa: E402 (the loader made them importable)

SAMPLES = 24
TINY = {
    "concurrency": 4,
    "samples": SAMPLES,
    "decode": 0,
    "errors": 0.0,
    "bytes_per_second": 0.0,
}
CASES = {
    "fetch": {},
    "decode": {"decode": 1},
    "errors": {"errors": 0.3},
    "line": {"bytes_per_second": 1e6},
}
#: Of one case, as each contender made it.
DIGESTS: dict[str, str] = {}


@pytest.fixture(scope="module")
def inputs():
    made = []
    for key in range(3):
        file = BytesIO()
        Image.new("RGB", (64, 48), (80 * key, 90, 200)).save(file, "JPEG")
        made.append(lab.JpegSample(key, 64, 48, file.getvalue(), ()))
    return lab.Inputs(tuple(made), (), seed=5)


@pytest.fixture
def near(monkeypatch):
    """Have a store that answers within a millisecond or two."""
    monkeypatch.setattr(store, "MEDIAN_SECONDS", 0.001)


def test_it_is_sound_and_covers_what_was_asked():
    EXPERIMENT.require_sound()
    assert {cell.x for cell in EXPERIMENT.cells if cell.group == "fetch"} == {4, 16, 64, 256}
    assert any(cell.settings["errors"] for cell in EXPERIMENT.cells)
    assert any(cell.settings["bytes_per_second"] for cell in EXPERIMENT.cells)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("contender", EXPERIMENT.contenders, ids=lambda one: one.name)
def test_every_contender_gets_every_answer_and_leaves_no_thread(near, inputs, contender, case):
    before = threading.enumerate()
    outcome = contender.run(inputs, TINY | CASES[case])
    values = outcome.values
    assert values.keys() | {"peak_mb"} == {metric.name for metric in EXPERIMENT.metrics}
    # Nobody is faster than the waits allow; clocks and sleeps agree within a tick.
    assert 0 < values["share"] <= 1.05
    assert values["rate"] > 0 < values["cpu_ms"]
    assert values["threads"] >= 1
    assert 0 <= values["p50_ms"] <= values["p99_ms"] <= values["gap_ms"]
    assert bool(outcome.notes) == (case == "errors")
    assert outcome.digest == DIGESTS.setdefault(case, outcome.digest)
    assert threading.enumerate() == before


def test_what_a_request_meets_depends_on_seed_and_sample_alone():
    few, many = (store.Weather.draw(count, 0.1, seed=4).seconds for count in (10, 50))
    assert list(few) == list(many[:10])
    assert list(few) != list(store.Weather.draw(10, 0.1, seed=5).seconds)


def test_latency_and_stragglers_are_those_of_the_description():
    seconds = [first for first, *_ in store.Weather.draw(5_000, 0.0, seed=1).seconds]
    assert median(seconds) == pytest.approx(store.MEDIAN_SECONDS, rel=0.05)
    slow = [one for one in seconds if one > 8 * store.MEDIAN_SECONDS]
    assert 0.003 * len(seconds) < len(slow) < 0.02 * len(seconds)


@pytest.mark.parametrize(("errors", "failures"), [(0.0, 0), (1.0, 2 * 30)])
def test_an_attempt_fails_at_the_rate_asked_for_and_never_for_good(errors, failures):
    assert store.Weather.draw(30, errors, seed=1).failures == failures


@pytest.mark.parametrize(("concurrency", "ideal"), [(1, 7.0), (2, 5.0), (3, 4.0), (4, 4.0)])
def test_the_ideal_starts_a_request_as_one_ends(concurrency, ideal):
    weather = store.Weather([(1.0,), (1.0,), (4.0,), (1.0,)])
    assert weather.ideal_seconds(concurrency) == pytest.approx(ideal)


def test_the_ideal_counts_failed_attempts_and_the_pauses_after_them():
    weather = store.Weather([(1.0, 1.0, 2.0)])
    assert weather.ideal_seconds(8) == pytest.approx(4.0 + 0.01 + 0.02)


def test_the_ideal_of_a_long_run_is_little_s_law():
    weather = store.Weather.draw(4_000, 0.05, seed=2)
    alone = weather.ideal_seconds(1)
    assert weather.ideal_seconds(16) == pytest.approx(alone / 16, rel=0.05)


def test_a_line_carries_one_answer_after_the_other():
    assert store.Link(0.0).reserve(10**9) == 0.0
    line = store.Link(1000.0)
    assert line.reserve(10**6) == pytest.approx(1000.0)
    assert line.reserve(10**6) > 1000.0


def test_a_sample_that_is_lost_doubled_or_displaced_is_refused(inputs):
    made = job.Job(inputs, TINY)
    moments = [float(n) for n in range(SAMPLES + 1)]
    places = list(range(SAMPLES))
    for wrong in (places[::-1], [0, *places[:-1]]):
        with pytest.raises(DigestError, match="in input order"):
            made.outcome(Reading([(place, 0) for place in wrong], moments), "input")


def test_requests_that_were_not_repeated_are_noticed(inputs):
    made = job.Job(inputs, TINY | {"errors": 1.0})
    reading = Reading([(n, 0) for n in range(SAMPLES)], [float(n) for n in range(SAMPLES + 1)])
    with pytest.raises(DigestError, match="0 requests for 24 samples, of which 48"):
        made.outcome(reading, "input")
