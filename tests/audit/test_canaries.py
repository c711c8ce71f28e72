"""No canary escapes the audit, and nobody who is good is accused, on any arm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftloader import runtime
from ftloader.audit import ThreadSafety, Verdict
from ftloader.audit.verdict import DETECTORS

from .canaries import CANARIES, GOOD, Canary

ROOT = Path(__file__).parents[2]
HAMMER_SECONDS = 1
#: The environment of each arm that this interpreter can be: its own GIL mode, and the other one.
ARMS: Mapping[str, dict[str, str]] = (
    {"GIL off": {"PYTHON_GIL": "0"}, "GIL on": {"PYTHON_GIL": "1"}}
    if runtime.free_threaded_build()
    else {"GIL": {}}
)


def audited(kind: type[Any], arm: str) -> Verdict:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ftloader", "audit", f"tests.audit.canaries:{kind.__name__}"),
            *("--samples", "tests.audit.canaries:samples", "--json", "-"),
            *("--seconds", str(HAMMER_SECONDS), "--threads", "2,4"),
        ],
        cwd=ROOT,
        env={**os.environ, **ARMS[arm]},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    verdict = Verdict.from_json(json.loads(done.stdout))
    assert done.returncode == (0 if verdict.safety.is_safe else 1)
    return verdict


def accusers(verdict: Verdict) -> set[str]:
    return {finding.detector for finding in verdict.findings if finding.effect != "caution"}


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.kind.__name__)
def test_a_canary_is_caught_by_the_detectors_meant_for_it(canary: Canary, arm: str) -> None:
    verdict = audited(canary.kind, arm)
    assert not verdict.safety.is_safe
    assert set(canary.must) <= accusers(verdict)
    assert {part.detector for part in verdict.evidence} == set(DETECTORS)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.__name__)
def test_a_good_transform_is_what_it_says(kind: type[Any], arm: str) -> None:
    verdict = audited(kind, arm)
    assert accusers(verdict) == set()
    assert verdict.safety is ThreadSafety(kind.thread_safety)


@pytest.mark.parametrize("arm", ARMS)
def test_the_audit_runs_in_the_arm_it_was_started_in(arm: str) -> None:
    environment = audited(GOOD[0], arm).environment
    assert environment["gil"].startswith("off" if arm == "GIL off" else "on")
