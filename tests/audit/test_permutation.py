from __future__ import annotations

from typing import Any

import pytest

from ftloader.audit.oracles.permutation import detect

from . import canaries
from .state_cases import RaisesOnLarge, Unrepeatable, accuses, subject

CAUGHT = [each.kind for each in canaries.CANARIES if "permutation" in each.must]


@pytest.mark.parametrize("kind", CAUGHT)
def test_results_that_depend_on_earlier_calls_are_found(kind: type[Any]) -> None:
    evidence = detect(subject(kind))
    assert accuses(evidence)
    assert {finding.effect for finding in evidence.findings} == {"order"}


@pytest.mark.parametrize("kind", [canaries.Good, canaries.GoodTable, canaries.GoodScratch])
def test_results_of_the_good_are_equal_in_every_order(kind: type[Any]) -> None:
    evidence = detect(subject(kind))
    assert evidence.status == "clean"
    assert evidence.text == "16 samples in 5 orders: equal"


def test_draws_from_the_global_generators_are_left_to_their_own_detector() -> None:
    assert detect(subject(canaries.GlobalRng)).status == "clean"


def test_a_constructor_may_draw() -> None:
    assert detect(subject("MadeByADraw")).status == "clean"


def test_who_is_declared_to_depend_on_the_order_is_not_asked() -> None:
    evidence = detect(subject(canaries.GoodCache))
    assert evidence.status == "not run"
    assert "declared locked" in evidence.text


def test_an_exception_and_none_are_results_like_any_other() -> None:
    assert detect(subject(RaisesOnLarge)).status == "clean"


def test_results_that_nobody_can_have_again_are_told_from_an_order() -> None:
    evidence = detect(subject(Unrepeatable))
    assert accuses(evidence)
    assert "in the same order" in evidence.findings[0].what
