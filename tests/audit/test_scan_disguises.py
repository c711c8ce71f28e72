"""The static scan on defects in everyday disguises, and on innocent uses of the same idioms."""

from __future__ import annotations

from typing import Any

import pytest

from ftloader.audit.scan import detect
from ftloader.audit.subject import Subject, Target
from ftloader.audit.verdict import Evidence
from tests.audit import scan_disguises


def scanned(kind: type[Any]) -> Evidence:
    path = f"{kind.__module__}:{kind.__qualname__}"
    samples = "tests.audit.canaries:samples"
    return detect(Subject(Target(name=path, path=path, samples=samples, style="sample-rng")))


@pytest.mark.parametrize("kind", scan_disguises.FOUND, ids=lambda kind: kind.__name__)
def test_a_defect_in_disguise_is_found_by_its_rule(kind: type[Any]) -> None:
    rule, _, said = (kind.__doc__ or "").partition(": ")
    evidence = scanned(kind)
    assert (rule, True) in {(each.rule, said in each.what) for each in evidence.findings}, evidence


@pytest.mark.parametrize("kind", scan_disguises.GOOD, ids=lambda kind: kind.__name__)
def test_the_same_idioms_used_well_are_not_accused(kind: type[Any]) -> None:
    evidence = scanned(kind)
    assert evidence.status == "clean", evidence.findings
