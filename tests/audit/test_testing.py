"""``assert_thread_safe``, as a test suite uses it."""

from __future__ import annotations

from typing import Any

import pytest

from ftloader.audit import ThreadSafety, assert_thread_safe
from ftloader.errors import AuditError
from tests.audit import canaries

QUICK: dict[str, Any] = {
    "style": "sample-rng",
    "detectors": ("scan", "call", "permutation", "state"),
}


def test_a_safe_transform_passes_and_the_verdict_comes_back() -> None:
    verdict = assert_thread_safe(canaries.Good, canaries.samples, **QUICK)
    assert verdict.safety is ThreadSafety.STATELESS


def test_one_instance_per_thread_is_safe_too() -> None:
    verdict = assert_thread_safe(canaries.GoodScratch, canaries.samples, **QUICK)
    assert verdict.safety is ThreadSafety.PER_THREAD


def test_an_unsafe_one_fails_with_the_table() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_thread_safe(canaries.ModuleCounter, canaries.samples, **QUICK)
    text = str(caught.value)
    assert text.startswith("threads must not share this transform\n\ntests.audit.canaries:Mod")
    assert "changes canaries.COUNTS['calls'] in __call__()" in text
    assert "\x1b[" not in text


def test_what_cannot_be_called_is_an_error_and_no_failure() -> None:
    with pytest.raises(AuditError, match="there is no"):
        assert_thread_safe("tests.audit.canaries:Good", canaries.samples, detectors=("nonsense",))
