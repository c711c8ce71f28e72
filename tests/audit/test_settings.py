from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from ftloader.audit.oracles.settings import detect

from . import canaries
from .state_cases import SetsTheSameAgain, SetsWithinABlock, accuses, subject

CLEAN = [
    each.kind
    for each in canaries.CANARIES
    if "settings" not in each.must and each.kind is not canaries.KillsInterpreter
]


def test_changed_settings_are_found_with_their_lines() -> None:
    evidence = detect(subject(canaries.ChangesSettings))
    assert accuses(evidence)
    whats = [finding.what for finding in evidence.findings]
    assert whats == [
        "writes os.environ['OMP_NUM_THREADS']",
        "changes numpy.seterr (sample 0 first)",
    ]
    assert all("canaries.py:" in finding.where for finding in evidence.findings)


@pytest.mark.parametrize("kind", [*canaries.GOOD, *CLEAN, SetsWithinABlock])
def test_who_changes_none_is_clean(kind: type[Any]) -> None:
    assert detect(subject(kind)).status == "clean"


def test_setting_what_is_set_already_is_found() -> None:
    given = subject(SetsTheSameAgain)
    with np.printoptions(), warnings.catch_warnings():
        limit = sys.getrecursionlimit()
        try:
            given.call(given.fresh(), 0)
            found = {finding.what.partition(" (")[0] for finding in detect(given).findings}
        finally:
            sys.setrecursionlimit(limit)
            os.environ.pop("FTLOADER_TEST", None)
    assert found == {
        "writes os.environ['FTLOADER_TEST']",
        "changes numpy.set_printoptions",
        "changes sys.setrecursionlimit",
        "changes warnings.filters",
    }


def test_everything_is_put_back() -> None:
    before = dict(os.environ), np.geterr(), sys.getrecursionlimit(), list(warnings.filters)
    detect(subject(canaries.ChangesSettings))
    detect(subject(SetsTheSameAgain))
    after = dict(os.environ), np.geterr(), sys.getrecursionlimit(), list(warnings.filters)
    assert after == before
