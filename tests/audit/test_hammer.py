"""Real threads against the results of one: what they find, and what they leave alone."""

from __future__ import annotations

import sys
import threading

import pytest

from ftloader.audit import _rounds, hammer
from ftloader.audit._serial import Serial, caller
from ftloader.audit._tally import Tally, percent
from ftloader.audit._threads import Stuck, together
from ftloader.audit.streams import Streams
from ftloader.audit.subject import Subject, Target
from ftloader.audit.verdict import Evidence
from tests.audit import canaries, offenders


def subject(name: str, module: str = "canaries") -> Subject:
    path = f"tests.audit.{module}:{name}"
    return Subject(Target(name=name, path=path, samples="tests.audit.canaries:samples"))


def hammered(name: str, module: str = "canaries", seconds: float = 0.3) -> Evidence:
    return hammer.detect(subject(name, module), threads=(2, 4), seconds=seconds)


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("InstanceRng", "order"),
        ("ModuleCounter", "order"),
        ("MosaicCache", "order"),
        ("ReusedBuffer", "wrong data"),
        ("BoxesInPlace", "wrong data"),
    ],
)
def test_wrong_results_are_found_and_told_from_those_of_another_order(
    name: str, effect: str
) -> None:
    evidence = hammered(name)
    assert evidence.status == "found"
    assert effect in {finding.effect for finding in evidence.findings}
    assert evidence.numbers["wrong_rounds"] > 0
    assert evidence.numbers["wrong_calls"] <= evidence.numbers["calls"]


@pytest.mark.parametrize("kind", canaries.GOOD, ids=lambda kind: kind.__name__)
def test_good_transforms_are_not_accused(kind: type) -> None:
    evidence = hammered(kind.__name__)
    assert evidence.status == "clean"
    assert evidence.numbers["rounds"] >= 3
    assert "would have been seen with 99 % probability" in evidence.text


def test_draws_from_global_generators_alone_are_no_race() -> None:
    evidence = hammered("GlobalRng")
    assert evidence.status == "clean"
    assert "draws from random got a stream per call" in evidence.text


def test_a_lock_that_does_not_cover_reading_and_writing_is_found() -> None:
    evidence = hammered("LocksTooLate", "offenders")
    assert [finding.effect for finding in evidence.findings] == ["wrong data"]
    assert "no order of the calls" in evidence.findings[0].what


def test_copies_for_each_thread_that_share_their_scratch_are_found() -> None:
    evidence = hammered("CopiesShare", "offenders")
    assert [finding.effect for finding in evidence.findings] == ["wrong data"]


def test_an_exception_raised_in_threads_only_is_found_with_its_line() -> None:
    evidence = hammered("RaisesInThreads", "offenders")
    (finding,) = [found for found in evidence.findings if "RuntimeError" in found.what]
    assert finding.effect == "wrong data"
    assert finding.where.startswith("tests/audit/offenders.py:")


def test_what_is_declared_order_dependent_is_not_run() -> None:
    evidence = hammered("CountsItself", "offenders")
    assert evidence.status == "not run"
    assert "order-dependent" in evidence.text


def test_the_switch_interval_is_put_back() -> None:
    before = sys.getswitchinterval()
    hammered("Good")
    assert sys.getswitchinterval() == before


def test_the_serial_results_are_those_of_every_order_of_the_calls() -> None:
    good, cache = subject("Good"), subject("GoodCache")
    with Streams() as streams:
        assert len(Serial(good, caller(good, streams)).orders([[0, 1], [2, 3], [4, 5]])) == 1
        # Each of three calls sees what the one before it left, or nothing if it is the first.
        assert len(Serial(cache, caller(cache, streams)).orders([[0], [1], [2]])) == 6


def test_slow_samples_take_part_in_some_rounds_only() -> None:
    large = subject("LargeOnly")
    with Streams() as streams:
        serial = Serial(large, caller(large, streams))
    kinds = [serial.round(number)[0] for number in range(3)]
    assert kinds[2] == list(range(len(large.samples)))
    assert set(kinds[0]) <= set(kinds[1]) <= set(kinds[2])
    assert len(kinds[0]) < len(kinds[2])


def test_threads_that_do_not_return_are_told_with_their_line() -> None:
    release = threading.Event()

    def waits() -> bool:
        return release.wait()

    with pytest.raises(Stuck) as caught:
        together([waits, lambda: True], limit=0.3)
    release.set()
    assert caught.value.where.startswith("tests/audit/test_hammer.py:")
    wait_for_hammers()


def test_a_round_that_does_not_end_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rounds, "_LIMIT", (1.0, 1.0))
    evidence = hammered("HangsInThreads", "offenders")
    offenders.RELEASE.set()
    wait_for_hammers()
    (finding,) = [found for found in evidence.findings if found.effect == "hang"]
    assert finding.where.startswith("tests/audit/offenders.py:")


def wait_for_hammers() -> None:
    for thread in threading.enumerate():
        if thread.name == "ftloader-hammer":
            thread.join()


def test_the_text_says_how_frequent_a_race_would_have_been_seen() -> None:
    tally = Tally("of 2 threads")
    for _ in range(212):
        tally.add_round(2, 32, 0)
    text = tally.evidence("").text
    assert text == (
        "0 of 212 rounds of 2 threads (6,784 calls) wrong; a race that shows in 2.1 % of rounds "
        "or more would have been seen with 99 % probability"
    )
    assert percent(0.99) == "99 %"
