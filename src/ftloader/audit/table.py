"""A verdict as terminal text: what it is, why, what each detector saw, and how to mend it.

Width-aware from 60 columns on; without colour it is plain text for a log. Pure: the text depends
on the arguments alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from ..safety import ThreadSafety
from .verdict import Effect, Evidence, Finding, Status, Verdict

#: What a pipeline may do with a transform of each class.
MEANING: Final[Mapping[ThreadSafety, str]] = {
    ThreadSafety.STATELESS: "threads may share one instance",
    ThreadSafety.READ_ONLY: "threads may share one instance",
    ThreadSafety.LOCKED: "threads may share one instance, which lets in one call at a time",
    ThreadSafety.PER_THREAD: "each thread needs an instance of its own",
    ThreadSafety.ORDER_DEPENDENT: "results depend on the order of calls: one thread, in order",
    ThreadSafety.UNSAFE: "one thread only",
}
_MARKS: Final[Mapping[Status, tuple[str, str]]] = {
    "clean": ("✓", "+"),
    "found": ("✗", "x"),
    "not run": ("–", "-"),
}
_CAUTION: Final = ("!", "!")
_NARROWEST: Final = 60
#: Detectors in a row that did not run for one reason, from which on they share a line.
_ENOUGH_TO_JOIN: Final = 3
#: Findings of one kind that are listed; the JSON has all of them.
_LISTED: Final = 6
_Kind = tuple[Effect, str, str, str]
_RED, _GREEN, _YELLOW, _BOLD, _DIM = "31", "32", "33", "1", "2"


@dataclass(frozen=True, slots=True)
class Look:
    """How text may look.

    Attributes:
        width: columns.
        colour: whether terminal colours may be used.
        ascii: whether marks must be plain letters.
    """

    width: int = 80
    colour: bool = False
    ascii: bool = False

    def paint(self, text: str, code: str) -> str:
        """Return text in a colour or weight."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def wrap(self, text: str, first: int, rest: int) -> list[str]:
        """Return text as lines that leave so many columns free on the first and the other lines."""
        width = max(self.width, _NARROWEST)
        lines = textwrap.wrap(
            " " * first + text.replace(" %", "\0%"),
            width,
            subsequent_indent=" " * rest,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]
        return [lines[0][first:], *lines[1:]] if first else lines


def render(verdict: Verdict, look: Look | None = None) -> str:
    """Return a verdict as text.

    Args:
        verdict: what :func:`ftloader.audit.audit` returned.
        look: width and colour; plain text of 80 columns by default.
    """
    look = look or Look()
    blocks = [
        _head(verdict, look),
        _evidence(verdict.evidence, look),
        _findings(verdict.findings, look),
        _environment(verdict.environment, look),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return text.replace("\0", " ")


def evidence_line(evidence: Evidence, look: Look, name_width: int = 0) -> list[str]:
    """Return what one detector saw as lines: mark, name and text."""
    mark = (_CAUTION if _only_cautions(evidence) else _MARKS[evidence.status])[look.ascii]
    colour = {"clean": _GREEN, "found": _RED, "not run": _DIM}[evidence.status]
    colour = _YELLOW if _only_cautions(evidence) else colour
    column = 4 + max(name_width, len(evidence.detector)) + 2
    text = f"not run: {evidence.text}" if evidence.status == "not run" else evidence.text
    first, *rest = look.wrap(text, column, column)
    name = evidence.detector.ljust(column - 4)
    return [f"  {look.paint(mark, colour)} {name}{first}", *rest]


def _head(verdict: Verdict, look: Look) -> list[str]:
    safety = verdict.safety
    colour = _GREEN if safety.is_safe else _RED
    lines = look.wrap(f"{verdict.target}: {safety}", 0, 2)
    at = lines[-1].rfind(str(safety))
    if at >= 0:
        name, tail = lines[-1][:at], lines[-1][at:]
        lines[-1] = look.paint(name, _BOLD) + look.paint(tail, f"{_BOLD};{colour}")
    lines += look.wrap(f"  {MEANING[safety]}", 0, 2)
    lines += _labelled("because", verdict.reason, look)
    said = "nothing" if verdict.declared is None else str(verdict.declared)
    return [*lines, *_labelled("declared", said, look)]


def _labelled(label: str, text: str, look: Look) -> list[str]:
    first, *rest = look.wrap(text, 12, 12)
    return [f"  {look.paint(label.ljust(10), _DIM)}{first}", *rest]


def _evidence(parts: Sequence[Evidence], look: Look) -> list[str]:
    if not parts:
        return []
    widest = max(len(part.detector) for part in parts)
    lines = [look.paint("Evidence", _BOLD)]
    for _, same in groupby(parts, key=_stopped_by):
        alike = list(same)
        if len(alike) < _ENOUGH_TO_JOIN or alike[0].status != "not run":
            for part in alike:
                lines += evidence_line(part, look, widest)
        else:
            lines += _joined(alike, look)
    return lines


def _stopped_by(part: Evidence) -> str:
    return part.text if part.status == "not run" else ""


def _joined(alike: Sequence[Evidence], look: Look) -> list[str]:
    """Return detectors that did not run for one reason as lines."""
    mark = look.paint(_MARKS["not run"][look.ascii], _DIM)
    first, *rest = look.wrap(", ".join(part.detector for part in alike), 4, 4)
    why = look.wrap(f"    not run: {alike[0].text}", 0, 6)
    return [f"  {mark} {first}", *rest, *why]


def _findings(findings: Sequence[Finding], look: Look) -> list[str]:
    if not findings:
        return []
    lines = [look.paint("Findings", _BOLD)]
    kinds: dict[_Kind, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(_kind(finding), []).append(finding)
    for alike in kinds.values():
        lines += _group(alike, look)
    return lines


def _group(alike: Sequence[Finding], look: Look) -> list[str]:
    effect, detector, rule, hint = _kind(alike[0])
    title = f"{effect}: {detector}{f' {rule}' if rule else ''}"
    lines = [f"  {look.paint(title, _YELLOW if effect == 'caution' else _RED)}"]
    for finding in alike[:_LISTED]:
        lines += _item(finding, look)
    if len(alike) > _LISTED:
        lines.append(f"    and {len(alike) - _LISTED} more like these")
    if hint:
        first, *rest = look.wrap(hint, 10, 10)
        lines += [f"    {look.paint('mend:', _DIM)} {first}", *rest]
    return lines


def _item(finding: Finding, look: Look) -> list[str]:
    what = finding.what
    if not finding.where or finding.where in what:
        return look.wrap(f"    {what}", 0, 6)
    gap = max(look.width, _NARROWEST) - 4 - len(what) - len(finding.where)
    if gap >= 2:
        return [f"    {what}  {look.paint(finding.where, _DIM)}"]
    lines = look.wrap(f"    {what}", 0, 6)
    return [
        *lines,
        *(look.paint(line, _DIM) for line in look.wrap(f"      at {finding.where}", 0, 6)),
    ]


def _environment(environment: Mapping[str, str], look: Look) -> list[str]:
    if not environment:
        return []
    text = ", ".join(f"{name} {value}" for name, value in environment.items())
    return [look.paint(line, _DIM) for line in look.wrap(text, 0, 2)]


def _only_cautions(evidence: Evidence) -> bool:
    return bool(evidence.findings) and _effects(evidence.findings) == {"caution"}


def _effects(findings: Iterable[Finding]) -> set[Effect]:
    return {finding.effect for finding in findings}


def _kind(finding: Finding) -> _Kind:
    return finding.effect, finding.detector, finding.rule, finding.hint
