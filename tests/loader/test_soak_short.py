"""A short form of ``tests/soak/loader.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[1] / "soak" / "loader.py"


@pytest.mark.timeout(180)
def test_a_loader_leaves_nothing_behind_in_rough_weather() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SOAK), "--batches", "400", "--seed", "3"],
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert done.returncode == 0, found
    assert found["batches"] >= 400
    assert found["failed"] + found["skipped"] + found["broken_off"] > 10
