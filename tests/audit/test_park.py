from __future__ import annotations

from typing import Any

import pytest

from ftloader.audit._watching import Point, Watch
from ftloader.audit.oracles.park import detect

from . import canaries
from .state_cases import (
    LockedThroughout,
    LosesUpdates,
    Nested,
    OwnInThread,
    Slotted,
    TooCurious,
    accuses,
    subject,
)

CAUGHT = [each.kind for each in canaries.CANARIES if "park" in each.must]


@pytest.mark.parametrize("kind", [*CAUGHT, Nested, Slotted, LosesUpdates])
def test_harm_of_an_interruption_is_found(kind: type[Any]) -> None:
    evidence = detect(subject(kind))
    assert accuses(evidence)
    assert {finding.effect for finding in evidence.findings} == {"wrong data"}


@pytest.mark.parametrize("kind", [*canaries.GOOD, LockedThroughout, OwnInThread])
def test_who_cannot_be_harmed_is_clean(kind: type[Any]) -> None:
    assert detect(subject(kind)).status == "clean"


@pytest.mark.parametrize("kind", [canaries.ReusedBuffer, canaries.GlobalRng, canaries.StaysLocked])
def test_without_a_write_to_an_attribute_there_is_nothing_to_interrupt(kind: type[Any]) -> None:
    evidence = detect(subject(kind))
    assert (evidence.status, evidence.numbers["points"]) == ("clean", 0)


def test_a_torn_read_is_shown_with_both_lines() -> None:
    finding = detect(subject(canaries.HalfLocked)).findings[0]
    assert finding.what.startswith("reads self.gain, which another call has overwritten")
    assert "canaries.py:" in finding.what
    assert "canaries.py:" in finding.where


def test_a_lock_is_noticed() -> None:
    evidence = detect(subject(LockedThroughout))
    assert evidence.numbers["waited"] > 0
    assert "waited for a lock" in evidence.text


def test_who_behaves_otherwise_when_watched_is_not_judged() -> None:
    evidence = detect(subject(TooCurious))
    assert evidence.status == "not run"
    assert "when its attributes are watched" in evidence.text


def test_results_that_nobody_can_have_again_are_not_compared() -> None:
    evidence = detect(subject("UnrepeatableWriter"))
    assert evidence.status == "clean"
    assert "cannot be had again, not compared" in evidence.text


def test_objects_are_as_they_were_after_they_have_been_watched() -> None:
    outer = Nested()
    seen: list[Point] = []
    with Watch([("self", outer), ("self.resize", outer.resize)], lambda at, _: seen.append(at)):
        outer.resize.scale = 2.0
        assert type(outer).__qualname__ == "Nested"
        assert isinstance(outer, Nested)
    assert type(outer) is Nested
    outer.resize.scale = 3.0
    assert [(point.moment, point.path) for point in seen] == [
        ("before writing", "self.resize.scale"),
        ("after writing", "self.resize.scale"),
    ]
