from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftloader.audit.oracles.state import detect

from . import canaries
from .state_cases import accuses, subject

CAUGHT = [each.kind for each in canaries.CANARIES if "state" in each.must]
CLEAN = [
    each.kind
    for each in canaries.CANARIES
    if "state" not in each.must and each.kind is not canaries.KillsInterpreter
]


@pytest.mark.parametrize("kind", CAUGHT)
def test_an_undeclared_write_is_found(kind: type[Any]) -> None:
    evidence = detect(subject(kind))
    assert accuses(evidence)
    assert {finding.effect for finding in evidence.findings} == {"latent"}


@pytest.mark.parametrize("kind", [*canaries.GOOD, *CLEAN])
def test_who_writes_to_nothing_undeclared_is_clean(kind: type[Any]) -> None:
    assert detect(subject(kind)).status == "clean"


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("Nested", "writes self.resize.scale"),
        ("CountsOnItsClass", "writes CountsOnItsClass.calls"),
        ("through_a_helper", "writes tests.audit.state_cases._LAST"),
        ("HoldsAClosure", "writes self.step (closure of step: count)"),
        ("KeepsInADefault", "writes KeepsInADefault.keep (default of keep: seen)"),
        ("Slotted", "writes self.gain"),
    ],
)
def test_a_finding_names_the_path(kind: str, what: str) -> None:
    assert [finding.what for finding in detect(subject(kind)).findings] == [what]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("Nested", "self.resize.scale = float(rng.random())"),
        ("CountsOnItsClass", "type(self).calls += 1"),
        ("through_a_helper", 'last, _LAST = _LAST, sample["index"]'),
    ],
)
def test_a_finding_points_to_the_line(kind: str, line: str) -> None:
    file, _, number = detect(subject(kind)).findings[0].where.rpartition(":")
    assert Path(file).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip() == line


def test_a_new_attribute_is_called_lazy() -> None:
    found = detect(subject(canaries.ParameterOnSelf)).findings
    assert [finding.what for finding in found] == [
        "adds self.scale, which a fresh instance does not have (lazy initialisation)"
    ]


def test_a_write_to_a_declared_attribute_is_no_finding_and_is_mentioned() -> None:
    evidence = detect(subject(canaries.GoodScratch))
    assert "but for what is declared (self._scratch)" in evidence.text


def test_a_child_is_excused_by_what_its_own_class_declares() -> None:
    assert detect(subject("DeclaredNested")).status == "clean"


def test_a_cache_of_a_pure_function_is_no_write() -> None:
    assert detect(subject("cached_table")).status == "clean"


def test_tables_are_counted_for_those_who_hold_some() -> None:
    assert detect(subject(canaries.GoodTable)).numbers["tables"] == 1
    assert detect(subject(canaries.Good)).numbers["tables"] == 0


def test_a_picture_that_is_read_at_the_first_call_is_found_and_one_read_before_is_not() -> None:
    (finding,) = detect(subject("OpensPicture")).findings
    assert finding.what == "writes self.picture"
    assert detect(subject("ReadsPicture")).status == "clean"


def test_what_comes_into_sight_with_a_kept_object_is_no_write() -> None:
    assert [finding.what for finding in detect(subject("Keeps")).findings] == ["writes self.kept"]
