"""What the end of a process is taken for."""

from __future__ import annotations

import pytest

from ftloader.audit._endings import died
from ftloader.audit.children import Ending

DUMP = """Timeout (0:01:00)!
Thread 0x00007fdde338db80 (most recent call first):
  File "{}", line 90 in {}
  File "audit/oracles/state.py", line 39 in detect
"""


@pytest.mark.parametrize("function", ["call", "fresh"])
def test_a_call_that_does_not_return_is_a_hang(function: str) -> None:
    words = DUMP.format("audit/subject.py", function)
    (finding,) = died("state", Ending(1, True, words), "it was called", 60).findings
    assert (finding.effect, finding.detector) == ("hang", "state")


def test_a_detector_that_takes_too_long_for_itself_accuses_nobody() -> None:
    words = DUMP.format("audit/_writers.py", "writer")
    evidence = died("state", Ending(1, True, words), "it was called", 60)
    assert (evidence.status, evidence.findings) == ("not run", ())
    assert "60 s of its own" in evidence.text
