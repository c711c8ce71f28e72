"""What the process that calls a transform does and says."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest

from ftloader.audit import worker
from ftloader.audit._jobs import Job, pack, unpack
from ftloader.audit._places import of_dump, of_error, shown
from ftloader.audit.subject import Subject, Target
from ftloader.errors import AuditError
from ftloader.runtime import free_threaded_build

TARGET = Target("Good", "tests.audit.canaries:Good", samples="tests.audit.canaries:samples")
JOB = Job(TARGET, ("call",), (2,), 1.0, 5.0)


class Recorded(worker.Events):
    """Keeps the events."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, event: str, **facts: Any) -> None:
        self.sent.append((event, facts))


def test_it_reports_each_step() -> None:
    events = Recorded()
    worker.run(JOB, events)
    assert [name for name, _ in events.sent] == ["making", "ready", "start", "done", "end"]
    facts = dict(events.sent)
    assert facts["ready"]["declared"] == "stateless"
    assert facts["ready"]["convention"] == "sample-rng"
    assert facts["ready"]["samples"] == 16
    assert facts["start"] == {"detector": "call", "limit": 5.0}
    assert facts["done"]["evidence"]["status"] == "clean"


def test_it_tells_interpreter_gil_and_libraries() -> None:
    facts = worker.environment()
    assert facts["gil"] == ("off" if free_threaded_build() else "on")
    assert facts["python"].endswith("t") is free_threaded_build()
    assert facts["numpy"] == np.__version__


def test_a_detector_that_fails_itself_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ftloader.audit.oracles.state", None)
    evidence = worker.detect("state", Subject(TARGET), JOB)
    assert evidence.status == "not run"
    assert "the detector itself failed: ModuleNotFoundError" in evidence.text


def test_a_job_arrives_as_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/somewhere", *sys.path])
    data = pack(JOB)
    sys.path.pop(0)
    assert unpack(data) == JOB
    assert sys.path[0] == "/somewhere"


def test_a_place_is_shown_as_people_call_it() -> None:
    assert shown(__file__, 3) == "tests/audit/test_worker.py:3"
    assert shown(np.__file__, 1) == "numpy/__init__.py:1"
    with pytest.raises(TypeError) as caught:
        np.testing.assert_equal()
    assert of_error(caught.value).startswith("tests/audit/test_worker.py:")


def test_the_place_of_a_crash_is_that_of_the_current_thread() -> None:
    frames = 'most recent call first):\n  File "{}", line {} in f\n  File "{}", line 1 in g'
    mine = f"{__file__[: -len('test_worker.py')]}canaries.py"
    dump = "\n\n".join(
        (
            f"Thread 0x01 ({frames.format(threading_file(), 5, __file__)}",
            f"Current thread 0x02 ({frames.format(worker.__file__, 7, mine)}",
        )
    )
    assert of_dump(dump) == "tests/audit/canaries.py:1"
    assert of_dump("nothing of the kind") == ""


def threading_file() -> str:
    import threading

    return threading.__file__


def test_what_cannot_be_loaded_elsewhere_is_refused() -> None:
    with pytest.raises(AuditError, match="cannot be pickled"):
        pack(Job(Target("odd", "a:b", args=(threading.Lock(),)), (), (2,), 1.0, 5.0))
