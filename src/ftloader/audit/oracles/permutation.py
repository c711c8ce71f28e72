"""Whether results depend on what was called before.

Every sample is called in several orders, each on a fresh instance; for each sample, all results
must be the same bit for bit. The global random generators are seeded by the sample before each
call, so what differs here comes from state, not from them: the ``rng`` detector looks at those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...safety import ThreadSafety
from ..subject import Subject
from ..verdict import Evidence, Finding, found
from ._outcomes import Outcome, differ, outcome

NAME: Final = "permutation"
_MAY_DEPEND: Final = (ThreadSafety.LOCKED, ThreadSafety.ORDER_DEPENDENT)
#: Calls that are repeated in the same order, to tell an order from results that nobody can repeat.
_AGAIN: Final = 4


def detect(subject: Subject) -> Evidence:
    """Call the samples in order, again, in reverse, with another in between, on two in turn."""
    if subject.declared in _MAY_DEPEND:
        text = f"declared {subject.declared}: results may depend on the order"
        return Evidence(NAME, "not run", text)
    count = len(subject.samples)
    forward = _forward(subject, count)
    again = _differing(forward, _forward(subject, min(count, _AGAIN)))
    if again:
        what = f"{again[0][1]} on a fresh instance in the same order: {_those(again)}"
        hint = "take every draw from the sample's own random stream, and nothing from outside"
        return found(NAME, "results cannot be had again", [Finding(NAME, "order", what, "", hint)])
    orders = {
        "in reverse": _reverse(subject, count),
        "with another sample called in between": _decoy(subject, count),
        "on two instances in turn": _alternating(subject, count),
    }
    changed = {name: _differing(forward, other) for name, other in orders.items()}
    seen = [f"{_those(pairs)} {name}" for name, pairs in changed.items() if pairs]
    findings = []
    if seen:
        how = next(pairs[0][1] for pairs in changed.values() if pairs)
        what = f"{how} in another order: {'; '.join(seen)}"
        hint = "let the result depend on the sample and its random stream alone"
        findings.append(Finding(NAME, "order", what, "", hint))
    text = f"{count} samples in 5 orders: {'different results' if findings else 'equal'}"
    return found(NAME, text, findings, {"samples": count, "orders": 5})


def _forward(subject: Subject, count: int) -> list[Outcome]:
    transform = subject.fresh()
    return [outcome(subject, transform, i) for i in range(count)]


def _reverse(subject: Subject, count: int) -> list[Outcome]:
    transform = subject.fresh()
    return [outcome(subject, transform, i) for i in reversed(range(count))][::-1]


def _decoy(subject: Subject, count: int) -> list[Outcome]:
    transform, results = subject.fresh(), []
    for i in range(count):
        # The next sample, so that each is both decoy and called right after its decoy.
        outcome(subject, transform, (i + 1) % count)
        results.append(outcome(subject, transform, i))
    return results


def _alternating(subject: Subject, count: int) -> list[Outcome]:
    pair: tuple[Any, Any] = (subject.fresh(), subject.fresh())
    return [outcome(subject, pair[i % 2], i) for i in range(count)]


def _differing(serial: Sequence[Outcome], other: Sequence[Outcome]) -> list[tuple[int, str]]:
    """Return the samples whose outcomes differ, and how."""
    pairs = enumerate(zip(serial, other, strict=False))
    return [(i, differ(one, two)) for i, (one, two) in pairs if one != two]


def _those(changed: Sequence[tuple[int, str]]) -> str:
    """Name samples in the order of the call."""
    numbers = ", ".join(str(i) for i, _ in changed[:3])
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"sample{'s' if len(changed) > 1 else ''} {numbers}{more}"
