"""Outputs that share memory with another output, with the transform's state, or with an input.

All outputs of one instance are kept, and compared with what they were when they were returned: a
buffer that is used again shows at once. What merely could be overwritten shows by its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..digest import digest
from ..verdict import Evidence, Finding, found
from . import _memory
from ._memory import Part

if TYPE_CHECKING:
    from ..subject import Subject

_MOST: Final = 8
_HINT: Final = "return a copy, or make it read-only (array.flags.writeable = False)"
_VIEW_HINT: Final = "fine as long as nobody writes to it; copy it if the input is kept"
_CLASHES: Final = ("later calls overwrote it", "open to writing")


def detect(subject: Subject) -> Evidence:
    """Keep all outputs of one instance, and look for memory that they share."""
    transform = subject.fresh()
    kept: list[tuple[int, Any, Any, str]] = []
    for i in range(len(subject.samples)):
        sample = subject.private(i)
        try:
            output = subject.call(transform, i, sample)
        except Exception:  # the detector "call" has told of it
            continue
        kept.append((i, sample, output, digest(output)))
    changed = {i for i, _, output, was in kept if digest(output) != was}
    everything = _memory.state(transform)
    for i, sample, output, _ in kept:
        everything += _memory.parts("input", i, sample, "input")
        everything += _memory.parts("output", i, output, "output")
    findings: dict[tuple[str, str], Finding] = {}
    for mine, other in sorted(_memory.shared(everything), key=_rank):
        finding = _finding(mine, other, changed, subject.convention.owns_input)
        # The same part shares with many others: the first of each kind stands for all.
        if finding is not None:
            findings.setdefault((mine.path, other.kind), finding)
    listed = _without_echoes(findings)
    if changed and not any(finding.effect == "wrong data" for finding in listed):
        what = f"{len(changed)} of {len(kept)} outputs changed when later calls ran"
        listed.append(Finding("alias", "wrong data", what, hint=_HINT))
    text = f"{len(kept)} outputs kept and compared by address"
    text += f": {len(changed)} changed later" if changed else "; none changed later"
    return found("alias", text, listed[:_MOST], {"outputs": len(kept), "changed": len(changed)})


def _rank(pair: tuple[Part, Part]) -> tuple[int, bool]:
    """Put the state first, which explains the rest; and the larger parts before settings."""
    return ("state", "input", "output").index(pair[1].kind), pair[0].is_small


def _finding(mine: Part, other: Part, changed: set[int], owned: bool) -> Finding | None:
    own_input = other.kind == "input" and other.call == mine.call
    harmed = not own_input and bool(changed & {mine.call, other.call})
    if not (mine.open or harmed or (other.kind == "output" and other.open)):
        return None
    if own_input:
        # To pass a part of the input on as it is, is what most transforms do with most parts.
        if owned or mine.is_same_as(other) or mine.memory is None:
            return None
        what = f"{mine.path} is a view of its input ({other.path})"
        return Finding("alias", "caution", what, other.path, _VIEW_HINT)
    whose = {"state": "", "input": " of another call", "output": " of another call"}[other.kind]
    clash = _CLASHES[0] if harmed else _CLASHES[1]
    what = f"{mine.path} shares memory with {other.path}{whose}, {clash}"
    # A setting that is handed out and that nobody wrote to needs somebody who does.
    harmless = mine.is_small and not harmed
    return Finding("alias", "caution" if harmless else "wrong data", what, other.path, _HINT)


def _without_echoes(findings: dict[tuple[str, str], Finding]) -> list[Finding]:
    """Leave out that calls share what they all share with the state."""
    return [
        finding
        for (path, kind), finding in findings.items()
        if kind == "state" or (path, "state") not in findings
    ]
