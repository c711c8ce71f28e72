"""Our transforms beside what the references made of the same samples, on every interpreter.

``./noxw -s oracle -- --write-golden`` wrote the file, ``tests/golden/cases.py`` says what is in it.
"""

from __future__ import annotations

import pytest

from tests.golden.cases import CASES, INPUTS
from tests.golden.files import read_outcomes
from tests.golden.outcome import Outcome, assert_close

PAIRS = [(case, name) for case in CASES for name in CASES[case].inputs]


@pytest.fixture(scope="module")
def golden() -> dict[str, Outcome]:
    return read_outcomes()


@pytest.mark.parametrize(("case", "name"), PAIRS, ids=[f"{case}-{name}" for case, name in PAIRS])
def test_a_transform_gives_what_its_reference_gave(
    case: str, name: str, golden: dict[str, Outcome]
) -> None:
    ours = CASES[case].ours(INPUTS.by_name[name])
    assert_close(ours, golden[f"{case}/{name}"], CASES[case].tolerance, f"{case}, {name}")


def test_the_file_holds_these_cases_and_no_others(golden: dict[str, Outcome]) -> None:
    assert sorted(golden) == sorted(f"{case}/{name}" for case, name in PAIRS)
