"""A whole audit: what may be given to it, what it survives, and what it leaves behind."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from ftloader.audit import Evidence, ThreadSafety, Verdict, audit
from ftloader.errors import AuditError
from tests.audit import canaries, offenders
from tests.audit.canaries import Good

QUICK: Any = {"detectors": ("call", "hammer"), "threads": (2, 4), "seconds": 0.2}
CALL: Any = {"detectors": ("call",)}


def audited(name: str, **options: Any) -> Verdict:
    return audit(f"tests.audit.offenders:{name}", canaries.samples, **options)


def test_a_class_a_path_an_instance_and_a_function_can_be_given() -> None:
    samples = canaries.samples()
    for given in (Good, "tests.audit.canaries:Good", Good(0.7), offenders.twice):
        verdict = audit(given, samples, **CALL)
        assert verdict.evidence[0].status == "clean"
        assert verdict.safety.is_safe
        assert verdict.declared == getattr(given, "thread_safety", verdict.declared)


def test_a_factory_is_called_with_its_arguments() -> None:
    for options in ({"args": (1.2,)}, {"kwargs": {"low": 0.1}}, {"kwargs": {}}):
        verdict = audited("factory", **options, **CALL)
        assert verdict.declared is ThreadSafety.STATELESS


def test_detectors_run_in_their_order_and_are_told_of() -> None:
    told: list[tuple[str, Evidence | None]] = []
    verdict = audit(
        Good,
        "tests.audit.canaries:samples",
        detectors=("hammer", "call"),
        seconds=0.1,
        progress=lambda name, evidence: told.append((name, evidence)),
    )
    assert [name for name, _ in told] == ["call", "call", "hammer", "hammer"]
    assert [evidence is None for _, evidence in told] == [True, False, True, False]
    assert [part.detector for part in verdict.evidence] == ["call", "hammer"]
    assert verdict.evidence[1].numbers["checked_rounds"] > 0
    assert verdict.environment["called as"] == "sample-rng"
    assert Verdict.from_json(verdict.to_json()) == verdict


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detectors": ("luck",)}, "no detector 'luck'; choose from scan"),
        ({"detectors": ()}, "no detector is left"),
        ({"threads": (1,)}, "threads must be numbers from 2 to 64"),
        ({"threads": ()}, "threads must be"),
        ({"seconds": -1.0}, "must be positive"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AuditError, match=message):
        audit(Good, canaries.samples, **options)


def test_what_cannot_be_had_is_told_in_one_line() -> None:
    for given, message in (
        ("tests.audit.nowhere:Good", "nowhere cannot be imported"),
        ("tests.audit.canaries:Best", "canaries has no Best"),
        (offenders.CannotBeMade, "cannot be made: ValueError: no such table"),
    ):
        with pytest.raises(AuditError, match=message) as caught:
            audit(given, canaries.samples, **CALL)
        assert "\n" not in str(caught.value)


def test_what_has_no_name_to_be_imported_by_is_sent_as_it_is() -> None:
    verdict = audit(lambda sample, rng: dict(sample), canaries.samples, **CALL)
    assert verdict.safety is ThreadSafety.STATELESS


def test_what_cannot_be_pickled_is_to_be_given_by_its_path() -> None:
    holds_a_lock = functools.partial(print, threading.Lock())
    with pytest.raises(AuditError, match=r"cannot be pickled .*give it as package\.module:name"):
        audit(holds_a_lock, canaries.samples, **CALL)


def test_without_cloudpickle_the_extra_that_brings_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(AuditError, match=r"cannot be pickled .*ftloader\[audit\]"):
        audit(lambda sample: sample, canaries.samples, **CALL)


def test_samples_must_be_some() -> None:
    with pytest.raises(AuditError, match="there are no samples"):
        audit(Good, [], **CALL)
    with pytest.raises(AuditError, match="must be a sequence or a function, not int"):
        audit(Good, 3, **CALL)


def test_a_transform_that_kills_the_interpreter_leaves_a_finding() -> None:
    verdict = audit("tests.audit.canaries:KillsInterpreter", canaries.samples, **QUICK)
    (finding,) = verdict.findings
    assert (finding.detector, finding.effect) == ("call", "crash")
    assert "SIGABRT" in finding.what
    assert finding.where.startswith("tests/audit/canaries.py:")
    assert verdict.evidence[1].status == "not run"
    assert verdict.safety is ThreadSafety.UNSAFE


def test_so_does_one_that_ends_the_process_or_dies_when_made() -> None:
    for name, words in (
        ("Leaves", "exit code 3"),
        ("Exits", "done"),
        ("DiesWhenMade", "imported, made or first called"),
    ):
        verdict = audited(name, **QUICK)
        assert verdict.safety is ThreadSafety.UNSAFE
        assert any(words in finding.what for finding in verdict.findings), name


def test_a_generator_that_threads_share_ends_in_a_finding_and_never_here() -> None:
    verdict = audit("tests.audit.canaries:SharedGenerator", canaries.samples, **QUICK)
    assert verdict.evidence[1].status == "found"
    assert not verdict.safety.is_safe


def test_a_crash_that_only_a_checking_allocator_shows_is_found() -> None:
    verdict = audited("DiesWhenMemoryIsChecked", **QUICK)
    (finding,) = verdict.findings
    assert (finding.detector, finding.effect) == ("hammer", "crash")
    assert "PYTHONMALLOC=debug" in finding.what
    assert verdict.evidence[1].numbers["wrong_rounds"] == 0


def test_a_detector_after_a_crash_runs_in_a_new_process() -> None:
    verdict = audit(
        "tests.audit.canaries:KillsInterpreter",
        canaries.samples,
        detectors=("rng", "permutation", "hammer"),
        seconds=0.1,
    )
    assert [part.findings[0].effect for part in verdict.evidence] == ["crash"] * 3


def test_a_transform_that_hangs_leaves_a_finding_with_its_line() -> None:
    verdict = audited("Hangs", **QUICK, patience=1.0)
    (finding,) = verdict.findings
    assert (finding.detector, finding.effect) == ("call", "hang")
    assert finding.where.startswith("tests/audit/offenders.py:")


def test_what_a_transform_prints_and_reads_is_not_taken_for_the_audit() -> None:
    verdict = audited("Chatters", **QUICK)
    assert [part.status for part in verdict.evidence] == ["clean", "clean"]


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    script = """
        from ftloader.audit import audit
        audit("tests.audit.offenders:Hangs", "tests.audit.canaries:samples", detectors=("call",))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, offenders.FIFO: str(fifo)},
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        child = int(fifo.read_text(encoding="ascii"))
        parent.send_signal(signal.SIGINT)
        _, words = parent.communicate()
    assert words.strip().endswith("KeyboardInterrupt")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("pickler", ["cloudpickle", "pickle"])
def test_a_class_of_a_script_needs_cloudpickle_and_is_told_so(pickler: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        ("import sys\nsys.modules['cloudpickle'] = None\n" if pickler == "pickle" else "")
        + "from ftloader.audit import audit\n"
        "class Mine:\n    def __call__(self, image): return image\n"
        "print(audit(Mine, detectors=('call',)).safety)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    if pickler == "cloudpickle":
        assert done.stdout.strip() == "stateless"
    else:
        assert "is defined in the script itself, which cannot be sent" in done.stderr
