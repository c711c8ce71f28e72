"""The guide for those who come from SPDL keeps its word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ftloader.interop.spdl import NOT_OFFERED

DOCS = Path(__file__).parents[3] / "docs" / "coming_from_spdl.md"
TEXT = DOCS.read_text(encoding="utf-8")
BEFORE, SHIM_IMPORT, AFTER = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
OPERATIONS = re.search(r"^async def.*?(?=^pipeline)", BEFORE, re.DOTALL | re.MULTILINE)
assert OPERATIONS


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(BEFORE, id="SPDL"),
        pytest.param(SHIM_IMPORT + BEFORE.partition("\n")[2], id="shim"),
        pytest.param(OPERATIONS[0] + AFTER, id="native"),
    ],
)
def test_the_example_prints_the_same_three_times(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[5, 5, 6]\n[6]\n"


def test_the_shims_example_differs_by_its_import_only() -> None:
    assert SHIM_IMPORT.count("\n") == 1
    assert BEFORE.startswith(SHIM_IMPORT.replace("ftloader.interop.spdl", "spdl.pipeline"))


@pytest.mark.parametrize("name", sorted(NOT_OFFERED))
def test_what_is_not_offered_is_listed(name: str) -> None:
    assert f"`{name}`" in TEXT.partition("These names are refused")[2]


@pytest.mark.parametrize("path", sorted({*re.findall(r"`((?:tests|src|docs)/[\w/.]+)`", TEXT)}))
def test_every_path_named_exists(path: str) -> None:
    assert (DOCS.parents[1] / path).exists()
