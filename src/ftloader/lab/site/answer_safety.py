"""The third headline: which detection transforms threads may share.

Verdicts are counted on the free-threaded interpreter with the GIL off; a library that it cannot
load is counted on the other one, and the sentence says so. A library that was audited again
counts once, by its newest set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .. import prose
from . import rows
from .rows import Files, Row, Sentence

TITLES = {"ours": "ftloader", "pillow": "uses of Pillow"}
SAFE, ORDER, UNSAFE = "safe", "order-dependent", "unsafe"
#: Of two verdicts on one transform, the later in this list counts.
KINDS = (SAFE, ORDER, UNSAFE)


@dataclass(frozen=True)
class Library:
    """How many transforms of a library are what, on one arm."""

    name: str
    arm: str
    counts: Counter[str]

    @property
    def title(self) -> str:
        """Its name for people."""
        return TITLES.get(self.name, self.name)

    @property
    def total(self) -> int:
        """How many transforms have a verdict."""
        return sum(self.counts.values())


def libraries(files: Files) -> tuple[list[Library], dict[str, list[Row]]]:
    """Count verdicts by library; also return the rows that were counted."""
    newest: dict[str, tuple[str, list[Row]]] = {}
    for file in sorted(files):
        by_group: dict[str, list[Row]] = {}
        for row in rows.of_kind(files[file], "verdict"):
            by_group.setdefault(row.record["group"], []).append(row)
        newest |= {group: (file, found) for group, found in by_group.items()}
    counted, used = [], {file: [files[file][0]] for file in files}
    for group, (file, found) in newest.items():
        without = [row for row in found if not row.record["arm"]["gil"]]
        mine = without or found
        counts = Counter(kind(row.record["verdict"]["safety"]) for row in mine)
        interpreter = mine[0].record["arm"]["interpreter"]
        counted.append(Library(group, "" if without else interpreter, counts))
        used[file] += mine
    return sorted(counted, key=_order), used


def _order(one: Library) -> tuple[bool, bool, float]:
    return bool(one.arm), one.name == "pillow", -one.counts[SAFE] / one.total


def kind(safety: str) -> str:
    """Return one of three words for a class of thread safety."""
    return safety if safety in (ORDER, UNSAFE) else SAFE


def shareable(files: Files) -> Sentence:
    """Say how many transforms of which library threads may share."""
    found, used = libraries(files)
    here = [_said(one) for one in found if not one.arm]
    elsewhere = [_said(one) for one in found if one.arm]
    arms = prose.join(sorted({one.arm for one in found if one.arm}))
    said = [f"Without the GIL, threads may share {prose.join(here)}."] if here else []
    if elsewhere:
        said.append(f"Audited with the GIL alone, on {arms}: {prose.join(elsewhere)}.")
    return rows.sentence(shareable, " ".join(said), used)


def _said(one: Library) -> str:
    whose = f"{one.title}'" if one.title.endswith("s") else f"{one.title}'s"
    count = f"{one.counts[SAFE]} of {one.total}"
    if one.name == "ours":
        return f"**{count} of ftloader's transforms and recipes**"
    words = f"{count} {one.title}" if one.name in TITLES else f"{count} of {whose}"
    if one.counts[ORDER]:
        words += f" ({one.counts[ORDER]} more are right, but not repeatable)"
    return words


def races(files: Files) -> Sentence:
    """Say what shared code that races does: wrong results, counted."""
    used = {file: [found[0]] for file, found in files.items()}
    counts: dict[str, list[Row]] = {}
    for file, found in files.items():
        for row in rows.of_kind(found, "race"):
            if not row.record["gil"]:
                counts.setdefault(row.record["race"], []).append(row)
                used[file].append(row)
    if not counts:
        return rows.sentence(races, "No race was run without the GIL.", used)
    said = [_wrong(name, found) for name, found in sorted(counts.items(), key=_most)]
    one = next(iter(counts.values()))[0].record
    text = (
        f"What sharing does all the same, in {_count(one['calls'])} calls of shipped code from "
        f"{one['threads']} threads without the GIL, median and range of "
        f"{len(next(iter(counts.values())))} processes: {prose.join(said)}."
    )
    return rows.sentence(races, text, used)


def _numbers(found: Sequence[Row]) -> list[int]:
    return [int(row.record["wrong"]) for row in found]


def _most(entry: tuple[str, Sequence[Row]]) -> float:
    return -median(_numbers(entry[1]))


def _wrong(name: str, found: Sequence[Row]) -> str:
    numbers = _numbers(found)
    middle, low, high = (_count(one) for one in (median(numbers), min(numbers), max(numbers)))
    return f"{middle} wrong results ({low} to {high}) of “{name}”"


def _count(number: float) -> str:
    return f"{number:,.0f}".replace(",", "\u202f")
