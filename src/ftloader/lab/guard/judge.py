"""Judging a check: one ratio per block, the interval over blocks, and Holm over all of them.

A work has become slower where the Holm-adjusted sign-flip test says so at 5 % *and* the whole
interval lies more than 3 % beyond 1. Of a source that has not changed at most one check in twenty
says so anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..decide import decide
from ..prose import interval
from ..statistics import NO_DIFFERENCE, Estimate, block_ratios, what_blocks_allow
from .instructions import Count
from .runner import EARLIER, NOW, Plan, Taken

#: By the outcome of a decision; "not shown" proves nothing, which the interval tells.
WORDS: Final = {"regressed": "SLOWER", "not shown": "no loss shown"}
NEW, GONE = "new: the earlier source has none", "gone: this source has none"
OTHER = "not compared: outputs differ"
_HEAD: Final = "| Arm | Work | Now / earlier (time) | Verdict |\n|---|---|--:|---|"


@dataclass(frozen=True)
class Line:
    """One work in one arm.

    Attributes:
        arm: name.
        work: name.
        ratio: seconds now over seconds earlier; None where they are not compared.
        verdict: one of the words above.
        disturbed: processes during which others used the machine.
    """

    arm: str
    work: str
    ratio: Estimate | None
    verdict: str
    disturbed: int


def lines(taken: Sequence[Taken], plan: Plan) -> list[Line]:
    """Judge every work in every arm."""
    pairs = [(arm.name, work) for arm in plan.arms for work in plan.works]
    ratios: dict[str, list[float]] = {}
    why: dict[str, str] = {}
    for arm, work in pairs:
        mine = [one for one in taken if one.arm == arm]
        reason = _incomparable(mine, work)
        if reason:
            why[_key(arm, work)] = reason
        else:
            sides = [_values(mine, source, work) for source in (NOW, EARLIER)]
            ratios[_key(arm, work)] = block_ratios(*sides)
    decided = {one.claim: one for one in decide(ratios, NO_DIFFERENCE, plan.seed)}
    found = []
    for arm, work in pairs:
        one = decided.get(_key(arm, work))
        verdict = WORDS.get(one.outcome, one.outcome) if one else why[_key(arm, work)]
        disturbed = sum(each.disturbed for each in taken if each.arm == arm)
        found.append(Line(arm, work, one.ratio if one else None, verdict, disturbed))
    return found


def worse(lines: Sequence[Line], counts: Mapping[str, Sequence[Count]]) -> bool:
    """Tell whether anything has become slower or executes more instructions."""
    return any(line.verdict == WORDS["regressed"] for line in lines) or any(
        one.worse for each in counts.values() for one in each
    )


def table(lines: Sequence[Line], counts: Mapping[str, Sequence[Count]], commit: str) -> str:
    """Return what a person reads: a Markdown table and what it rests on."""
    rows = [_HEAD]
    rows += [f"| {one.arm} | {one.work} | {_shown(one.ratio)} | {one.verdict} |" for one in lines]
    blocks = max((one.ratio.blocks for one in lines if one.ratio), default=0)
    disturbed = sum({one.arm: one.disturbed for one in lines}.values())
    rows.append(
        f"\nAgainst {commit[:12]}; {what_blocks_allow(blocks)}. In brackets: 95 % intervals. "
        f"{disturbed} processes ran while others used the machine."
    )
    if counts:
        rows.append(
            "\n| Arm | Instructions per unit of | Now / earlier | Verdict |\n|---|---|--:|---|"
        )
        for arm, each in counts.items():
            for one in each:
                word = WORDS["regressed" if one.worse else "not shown"]
                rows.append(f"| {arm} | {one.work} | {one.ratio:.3f} | {word} |")
    return "\n".join(rows)


def _shown(ratio: Estimate | None) -> str:
    return "" if ratio is None else interval(ratio)


def _key(arm: str, work: str) -> str:
    return f"{arm}, {work}"


def _values(taken: Sequence[Taken], source: str, work: str) -> dict[int, float]:
    return {one.block: one.works[work]["value"] for one in taken if one.source == source}


def _incomparable(taken: Sequence[Taken], work: str) -> str:
    """Return why a work of two sources is not compared; empty where it is."""
    sides: dict[str, list[Mapping[str, Any]]] = {EARLIER: [], NOW: []}
    for one in taken:
        sides[one.source].append(one.works[work])
    for source, reason in ((EARLIER, NEW), (NOW, GONE)):
        if any("missing" in one for one in sides[source]):
            return reason
    digests = {one["digest"] for each in sides.values() for one in each}
    return OTHER if len(digests) > 1 else ""
