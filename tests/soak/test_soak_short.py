"""A short form of the soak: every way a run ends, a few times. ``soak.py`` is the long one."""

from __future__ import annotations

import pytest

from .cases import CASES, ENDS_PROCESS
from .soak import run_child

REPETITIONS = 12
SHARED = list(CASES)


@pytest.mark.parametrize("cases", [SHARED[0::2], SHARED[1::2]], ids="+".join)
def test_nothing_is_left_of_a_run_however_it_ends(cases: list[str]) -> None:
    assert run_child("short", 0, REPETITIONS, *cases).problems == []


@pytest.mark.parametrize("case", ENDS_PROCESS)
def test_a_process_with_an_open_run_ends_at_once_and_quietly(case: str) -> None:
    assert run_child("short", 0, 1, case).problems == []
