"""Compares two result sets by the ratios that each paired within its own run; never by times.

The ratio of two ratios has a bootstrap interval over the blocks of both. A difference is claimed
only where the whole interval is further from 1 than the margin and the Mann-Whitney test, after
Holm over the table, stays within 5 %. "No difference" needs the whole interval inside the margin.
All else is not resolved. There are two tables: ratios whose good direction was written before the
run, of which alone a regression can be claimed, and all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import DataError
from ..statistics import (
    NO_DIFFERENCE,
    SMALLEST_RESOLVABLE,
    Estimate,
    estimate,
    holm,
    ratio_of,
)
from . import between, ratios
from .find import ResultSet
from .ratios import Ratio

#: A difference smaller than this is none that anybody would act on.
MARGIN = NO_DIFFERENCE
LEVEL = 0.05
REGRESSED, IMPROVED, CHANGED = "regressed", "improved", "changed"
SAME, OPEN = "no difference", "not resolved"
#: The order in which they are shown.
VERDICTS = (REGRESSED, IMPROVED, CHANGED, SAME, OPEN)


@dataclass(frozen=True)
class Change:
    """One ratio in both sets.

    Attributes:
        ratio: what it is.
        before: in the first set.
        after: in the second.
        change: after over before.
        p_value: of the Mann-Whitney test, after Holm; ``None`` where blocks are too few.
        verdict: one of the words above.
    """

    ratio: Ratio
    before: Estimate
    after: Estimate
    change: Estimate
    p_value: float | None
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Two sets beside each other.

    Attributes:
        before: the first set.
        after: the second.
        changes: the ratios that both have, by verdict, then in their own order.
        only: how many ratios one of the two lacks.
        notes: what differs between the two runs beside what is compared.
    """

    before: ResultSet
    after: ResultSet
    changes: tuple[Change, ...]
    only: int
    notes: tuple[str, ...]

    def table(self, directed: bool) -> tuple[Change, ...]:
        """Return the ratios whose good direction was written before the run, or the others."""
        return tuple(one for one in self.changes if bool(one.ratio.better) is directed)

    @property
    def counts(self) -> Counter[str]:
        """How many ratios have which verdict."""
        return Counter(one.verdict for one in self.changes)


def compare(before: ResultSet, after: ResultSet) -> Comparison:
    """Compare two result sets.

    Raises:
        DataError: they are of different experiments, or have no ratio in common.
    """
    if (before.form, described(before)) != (after.form, described(after)):
        raise DataError(
            f"{after.folder} is of {described(after)!r} and {before.folder} of "
            f"{described(before)!r}: give two result sets of one experiment"
        )
    first, second = ratios.of(before), ratios.of(after)
    both = [key for key in first if key in second]
    if not both:
        raise DataError(f"{before.folder} and {after.folder} have no ratio in common")
    pairs = [(first[key], second[key]) for key in both]
    changes = [
        change
        for directed in (True, False)
        for change in judge([p for p in pairs if bool(p[1].better) is directed], seed(before))
    ]
    order = {word: place for place, word in enumerate(VERDICTS)}
    return Comparison(
        before=before,
        after=after,
        changes=tuple(sorted(changes, key=lambda one: order[one.verdict])),
        only=len(first.keys() ^ second.keys()),
        notes=tuple(differences(before, after)),
    )


def judge(pairs: Sequence[tuple[Ratio, Ratio]], seed: int) -> list[Change]:
    """Judge pairs of the same ratio together: Holm is over all of them."""
    p_values = [
        between.mann_whitney_p(one.values, other.values)
        if min(len(one.values), len(other.values)) >= SMALLEST_RESOLVABLE
        else None
        for one, other in pairs
    ]
    found = []
    for (one, other), p_value in zip(pairs, holm(p_values), strict=True):
        change = ratio_of(other.values, one.values, seed)
        word = _verdict(change, p_value, other.better)
        before, after = (estimate(side.values) for side in (one, other))
        found.append(Change(other, before, after, change, p_value, word))
    return found


def _verdict(change: Estimate, p_value: float | None, better: str) -> str:
    if p_value is None:
        return OPEN
    if change.low >= 1 - MARGIN and change.high <= 1 + MARGIN:
        return SAME
    up, down = change.low > 1 + MARGIN, change.high < 1 - MARGIN
    if p_value > LEVEL or not (up or down):
        return OPEN
    if not better:
        return CHANGED
    return IMPROVED if up == (better == "higher") else REGRESSED


def described(found: ResultSet) -> str:
    """Return the name of the experiment that a set is of."""
    return str(found.header.get("experiment", {}).get("name", "")) or found.experiment


def seed(found: ResultSet) -> int:
    """Return the seed of a set's run; 0 where its form has none."""
    return int(found.header.get("run", {}).get("seed", 0))


def differences(before: ResultSet, after: ResultSet) -> list[str]:
    """Say what else is not the same in two runs, one sentence each."""
    one, other = before.header, after.header
    said = []
    if before.machine != after.machine:
        said.append(f"The machines differ: {before.machine}; {after.machine}.")
    elif one["machine"] != other["machine"]:
        said.append("The machines have the same processor, and differ in memory or system.")
    if before.commit != after.commit:
        said.append(
            f"The code differs: commit {before.commit or 'not recorded'}, then "
            f"{after.commit or 'not recorded'}."
        )
    versions = [
        {arm["name"]: (arm["version"], arm["flags"]) for arm in side.get("arms", ())}
        for side in (one, other)
    ]
    said += [
        f"The arm {name} is of another version or build."
        for name in versions[0]
        if versions[1].get(name, versions[0][name]) != versions[0][name]
    ]
    data = [side.get("data") for side in (one, other)]
    if len({found["digest"] for found in data if isinstance(found, dict)}) > 1:
        said.append("The inputs differ, so the ratios are of different work.")
    return said
