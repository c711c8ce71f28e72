"""Draws from the global generators of ``random``, NumPy and torch, which all threads share.

Whoever draws from them in threads gets numbers that depend on the order of the calls; whoever
seeds them gives all threads the same numbers again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..digest import digest
from ..rngs import restore, seed_all, states
from ..subject import SEED, Subject
from ..verdict import Evidence, Finding, found
from ._lines import line_of_change

NAME: Final = "rng"
_HINTS: Final = {
    "random": "draw from the random stream that the call is given",
    "numpy.random": "draw from the numpy Generator that the call is given",
    "torch": "pass generator= with a generator made for the sample",
}


def detect(subject: Subject) -> Evidence:
    """Look at every generator's state before and after a call on each sample."""
    before = states()
    try:
        return _detect(subject)
    finally:
        restore(before)


def _detect(subject: Subject) -> Evidence:
    touched: dict[str, list[int]] = {}
    transform = subject.fresh()
    for i in range(len(subject.samples)):
        known = len(states())
        names = _touched(subject, transform, i)
        if len(states()) > known:
            # The call has loaded torch: only now can it be seen what it draws from it.
            names = _touched(subject, transform, i)
        for name in names:
            touched.setdefault(name, []).append(i)
    findings = [_finding(subject, name, called) for name, called in touched.items()]
    looked = ", ".join(states())
    text = f"{len(subject.samples)} calls; " + (
        f"touched: {', '.join(touched)}" if touched else f"left alone: {looked}"
    )
    return found(NAME, text, findings, {"calls": len(subject.samples)})


def _touched(subject: Subject, transform: Any, i: int, seed: int = SEED) -> dict[str, str]:
    """Call once, and return the generators whose state has changed, with their states."""
    seed_all(seed + i)
    before = {name: digest(state) for name, state in states().items()}
    _call(subject, transform, i)
    after = {name: digest(state) for name, state in states().items()}
    return {name: now for name, now in after.items() if before.get(name, now) != now}


def _finding(subject: Subject, name: str, called: list[int]) -> Finding:
    i = called[0]
    seen = f"{len(called)} of {len(subject.samples)} calls, sample {i} first"
    where = line_of_change(subject, i, _state_of(name))
    # From different states to the same one: it has been seeded, or set.
    one = _touched(subject, subject.fresh(), i).get(name)
    two = _touched(subject, subject.fresh(), i, SEED + 1).get(name)
    if one is not None and one == two:
        what = f"reseeds {name} for everybody in the process ({seen})"
        hint = "make a generator of its own for the sample instead of seeding the global one"
        return Finding(NAME, "latent", what, where, hint)
    what = f"draws from the global generator of {name} ({seen})"
    return Finding(NAME, "order", what, where, _HINTS[name])


def _state_of(name: str) -> Callable[[], object]:
    """Return a function that gives something small to tell a generator's states apart by."""

    def state() -> object:
        now = states()[name]
        if not isinstance(now, Mapping):
            return now if isinstance(now, tuple) else now.tobytes()
        inner = now["state"]
        return inner["pos"], int(inner["key"][0]), now["has_gauss"]

    return state


def _call(subject: Subject, transform: Any, i: int) -> None:
    try:
        subject.call(transform, i, seeded=False)
    except Exception:
        # What was drawn before it raised was drawn all the same.
        return
