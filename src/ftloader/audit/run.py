"""The audit of one transform: children that call it, their evidence, and the verdict.

The parent never calls the transform. A child that dies or hangs leaves a finding to the detector
that was running; the detectors after it run in a new child.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..errors import AuditError
from ..safety import ThreadSafety
from ._endings import died
from ._jobs import Job, pack
from ._targets import describe
from .children import Child, Ending
from .classify import judge
from .subject import Target
from .verdict import DETECTORS, Evidence, Verdict, evidence_from_json

#: Told of each detector: None when it starts, its evidence when it is done.
Progress = Callable[[str, Evidence | None], None]

#: Processes that may die before the rest is left undone.
_DEATHS: Final = 4
_CHECKED_SECONDS: Final = 1.5
_MOST_THREADS: Final = 64


def audit(
    transform: Any,
    samples: Any = None,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    style: str | None = None,
    threads: Sequence[int] = (2, 4, 8),
    seconds: float = 10.0,
    detectors: Sequence[str] | None = None,
    progress: Progress | None = None,
    patience: float = 60.0,
) -> Verdict:
    """Tell whether threads may share a transform, by calling it in processes of its own.

    Args:
        transform: ``"package.module:name"``, a class, an instance or a function. What cannot be
            imported by its name is pickled.
        samples: its inputs: a sequence of which the first 64 are used, a function that makes
            them, or ``"package.module:name"`` of either. None has the audit make some that suit.
        args: what a class or a factory is called with.
        kwargs: the same, by name. With ``args`` or ``kwargs``, even ``{}``, a function is taken
            for a factory of transforms.
        style: name of the convention by which it is called; None finds out.
        threads: thread counts of the hammer, each at least 2.
        seconds: how long the hammer runs.
        detectors: names of those to run; None runs all.
        progress: called with a detector's name and None when it starts, and with its evidence
            when it is done.
        patience: seconds after which a detector counts as hanging.

    Raises:
        AuditError: it cannot be imported, made, pickled or called, or an option makes no sense.
        KeyboardInterrupt: Ctrl-C; no process is left behind.

    Thread safety: safe to call from any thread; each call has processes of its own.
    """
    wanted = _wanted(detectors)
    counts = tuple(threads)
    if not counts or not all(2 <= count <= _MOST_THREADS for count in counts):
        raise AuditError(f"threads must be numbers from 2 to {_MOST_THREADS}, not {threads!r}")
    if not seconds >= 0 or not patience > 0:
        raise AuditError(f"seconds and patience must be positive, not {seconds} and {patience}")
    target = describe(transform, samples, tuple(args), kwargs, style)
    seen = _Seen(progress or _nothing)
    _run_all(Job(target, wanted, counts, float(seconds), float(patience)), seen)
    return _verdict(target, wanted, seen)


@dataclass
class _Seen:
    """What the children have reported so far."""

    progress: Progress
    evidence: dict[str, Evidence] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    declared: ThreadSafety | None = None

    def add(self, evidence: Evidence) -> None:
        self.evidence[evidence.detector] = evidence
        self.progress(evidence.detector, evidence)


def _run_all(job: Job, seen: _Seen) -> None:
    deaths = 0
    left = job.detectors
    while left:
        during, ending = _run(replace(job, detectors=left), seen)
        left = tuple(name for name in left if name not in seen.evidence)
        if ending is None or not left:
            break
        deaths += 1
        name = during or ("call" if "call" in left else left[0])
        doing = "it was called" if during else "it was imported, made or first called"
        seen.add(died(name, ending, doing, job.limit(during)))
        left = tuple(other for other in left if other != name)
        if name == "call" or not during or deaths == _DEATHS:
            _give_up(left, seen, deaths)
            return
    _check_memory(job, seen)


def _run(job: Job, seen: _Seen, *, checks_memory: bool = False) -> tuple[str, Ending | None]:
    """Run one child; return the detector that was running when it ended, and how if untimely."""
    during = ""
    with Child(pack(job), checks_memory=checks_memory, patience=job.limit("")) as child:
        for event in child.events():
            match event["event"]:
                case "ready":
                    said = event["declared"]
                    seen.declared = None if said is None else ThreadSafety(said)
                    seen.environment |= event["environment"]
                    seen.environment["called as"] = event["convention"]
                    seen.environment["samples"] = str(event["samples"])
                case "start":
                    during = event["detector"]
                    seen.progress(during, None)
                case "done":
                    during = ""
                    seen.add(evidence_from_json(event["evidence"]))
                case "error":
                    raise AuditError(event["message"])
                case "end":
                    seen.environment |= event["environment"]
                    return "", None
        return during, child.ending()


def _give_up(left: Sequence[str], seen: _Seen, deaths: int) -> None:
    why = "one process" if deaths == 1 else f"{deaths} processes"
    for name in left:
        seen.add(Evidence(name, "not run", f"{why} died or hung before it"))


def _check_memory(job: Job, seen: _Seen) -> None:
    """Run the hammer for a moment more with an allocator that notices overwritten memory."""
    plain = seen.evidence.get("hammer")
    fatal = ("crash", "hang")
    if plain is None or plain.status == "not run" or any(f.effect in fatal for f in plain.findings):
        return
    short = replace(job, detectors=("hammer",), seconds=min(_CHECKED_SECONDS, job.seconds / 4))
    again = _Seen(_nothing)
    during, ending = _run(short, again, checks_memory=True)
    if ending is not None and ending.hung and not during:
        text = f"{plain.text}; the transform could not be made in time with memory checked"
        seen.evidence["hammer"] = replace(plain, text=text)
        return
    if ending is None:
        checked = again.evidence["hammer"]
        rounds, wrong = (checked.numbers.get(name, 0) for name in ("rounds", "wrong_rounds"))
        text = f"{rounds:,.0f} rounds more with memory checked"
        text += f", {wrong:,.0f} of them wrong" if wrong else ""
    else:
        doing = "threads called it" if during else "it was made"
        checked = died("hammer", ending, f"{doing} with PYTHONMALLOC=debug", short.limit(during))
        rounds, text = 0, f"with memory checked, {checked.text}"
    # What both have seen is told once; the second run is there for what kills a process.
    new = tuple(f for f in checked.findings if f.effect in fatal or not plain.findings)
    seen.evidence["hammer"] = replace(
        plain,
        status="found" if plain.findings or new else "clean",
        text=f"{plain.text}; {text}",
        findings=plain.findings + new,
        numbers={**plain.numbers, "checked_rounds": rounds},
    )


def _verdict(target: Target, wanted: Sequence[str], seen: _Seen) -> Verdict:
    evidence = tuple(seen.evidence[name] for name in wanted)
    state = seen.evidence.get("state")
    has_tables = state is not None and bool(state.numbers.get("tables"))
    return judge(target.name, seen.declared, evidence, seen.environment, has_tables)


def _wanted(detectors: Sequence[str] | None) -> tuple[str, ...]:
    chosen = list(DETECTORS) if detectors is None else list(detectors)
    for name in chosen:
        if name not in DETECTORS:
            raise AuditError(f"there is no detector {name!r}; choose from {', '.join(DETECTORS)}")
    if not chosen:
        raise AuditError(f"no detector is left to run; choose from {', '.join(DETECTORS)}")
    return tuple(name for name in DETECTORS if name in chosen)


def _nothing(detector: str, evidence: Evidence | None) -> None:
    """Tell nobody."""
