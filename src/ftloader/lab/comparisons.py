"""Which arms are held against each other, and what each ratio isolates.

The arms have letters, as in the literature on free threading. A: the oldest build with the GIL,
which people have. B: a newer one. C and D: the oldest free-threaded build with the GIL on and off.
E: a newer one with it off. P: a process pool. Then B/A is what a newer Python gives by itself, C/B
(same source, same flags) the cost of the free-threaded build, D/C (same binary) the GIL alone, D/A
what somebody gains who moves, E/D how much of D is its immaturity, D/P what threads bring over
processes. No two arms that differ in more than that are compared without saying so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from .arms import Arm, flag_differences, not_comparable
from .statistics import block_ratios, estimate, holm, sign_flip_p, verdict
from .summary import GIL_ALONE, Comparison, Crossing, Point, Series


def letters(arms: Sequence[Arm]) -> Mapping[str, str]:
    """Return the letter of each arm by its name; one that has none is left out."""
    found = {}
    oldest = {kind: _oldest(arms, kind) for kind in (True, False)}
    for arm in arms:
        first = arm.release == oldest[arm.free_threaded]
        if not arm.threaded:
            found[arm.name] = "P"
        elif not arm.free_threaded:
            found[arm.name] = "A" if first else "B"
        elif first:
            found[arm.name] = "C" if arm.gil else "D"
        elif not arm.gil:
            found[arm.name] = "E"
    return found


def leading(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that a report speaks of first: all with threads, but for B where A is."""
    named = letters(arms)
    return [arm for arm in arms if arm.threaded and named.get(arm.name) != "B"]


def _oldest(arms: Sequence[Arm], free_threaded: bool) -> tuple[int, ...]:
    return min((a.release for a in arms if a.free_threaded == free_threaded), default=())


def baseline(arms: Sequence[Arm]) -> Arm:
    """Return the arm that others are held against: the oldest GIL build, or the first arm."""
    plain = [arm for arm in arms if arm.threaded and not arm.free_threaded]
    return min(plain, key=lambda arm: arm.release, default=arms[0])


def comparisons(series: Sequence[Series], seed: int) -> list[Comparison]:
    """Return the comparisons of one workload, with p-values corrected for their number.

    Args:
        series: one for each arm that ran it.
        seed: of the tests.
    """
    named = letters([one.arm for one in series])
    found = [_compared(asked, named, seed) for asked in _asked(series)]
    adjusted = holm([one.p_value for one in found])
    return [replace(one, adjusted=p) for one, p in zip(found, adjusted, strict=True)]


class _Asked(NamedTuple):
    """What is to be compared: what for, and both arms with their thread counts."""

    about: str
    one: Series
    threads: int
    other: Series
    others: int


def _asked(series: Sequence[Series]) -> Iterator[_Asked]:
    """Yield what is to be compared."""
    threaded = [one for one in series if one.arm.threaded]
    offs = [one for one in threaded if not one.arm.gil]
    for off in offs:
        yield from _without_gil(off, threaded)
    if threaded:
        oldest = baseline([one.arm for one in threaded])
        yield from _builds(threaded, oldest)
    for older in offs:
        for newer in offs:
            if newer.arm.release > older.arm.release:
                most = min(_most(newer), _most(older))
                about = "the newer free-threaded version: both with the GIL off"
                yield _Asked(about, newer, most, older, most)
    for off in offs:
        for pool in (one for one in series if not one.arm.threaded):
            mine, its = off.best(), pool.best()
            if mine and its:
                about = "threads without the GIL over a process pool, each at its best count"
                yield _Asked(about, off, mine.threads, pool, its.threads)


def _without_gil(off: Series, others: Sequence[Series]) -> Iterator[_Asked]:
    most = _most(off)
    for other in others:
        if not other.arm.gil:
            continue
        if other.arm.version == off.arm.version and other.arm.free_threaded:
            yield _Asked(f"{GIL_ALONE}: same binary, off against on", off, most, other, most)
        elif not other.arm.free_threaded and (best := other.best()):
            about = f"what a user of {other.arm.name} would gain: against its best thread count"
            yield _Asked(about, off, most, other, best.threads)


def _builds(threaded: Sequence[Series], oldest: Arm) -> Iterator[_Asked]:
    """Yield the comparisons of builds, one thread each, with the GIL on in both."""
    plain = [one for one in threaded if not one.arm.free_threaded]
    for on in (one for one in threaded if one.arm.free_threaded and one.arm.gil):
        same = [one for one in plain if one.arm.version == on.arm.version]
        about = "the cost of the free-threaded build: same source, one thread each, GIL on in both"
        if not same:
            same = [one for one in plain if one.arm == oldest]
            about = "the price of the other version and build, one thread each, GIL on in both"
        for other in same:
            yield _Asked(about, on, 1, other, 1)
    about = "a newer version without free threading, one thread each"
    for older in (one for one in plain if one.arm == oldest):
        for newer in (one for one in plain if one.arm != oldest):
            yield _Asked(about, newer, 1, older, 1)


def _most(series: Series) -> int:
    return max((point.threads for point in series.inside()), default=1)


def _compared(asked: _Asked, named: Mapping[str, str], seed: int) -> Comparison:
    about, one, threads, other, others = asked
    pair = [named.get(each.arm.name, "") for each in (one, other)]
    ratios = _ratios(one.at(threads), other.at(others))
    ratio = estimate(ratios) if ratios else None
    differ = flag_differences(one.arm, other.arm)
    return Comparison(
        pair="/".join(pair) if all(pair) else "",
        about=about,
        above=f"{one.arm.name}, {one.arm.counted(threads)}",
        below=f"{other.arm.name}, {other.arm.counted(others)}",
        ratio=ratio,
        verdict=verdict(ratio) if ratio else "not resolved",
        p_value=sign_flip_p(ratios, seed),
        adjusted=None,
        caveat=f"not comparable (build flags differ: {differ})" if differ else "",
    )


def _ratios(above: Point | None, below: Point | None) -> list[float]:
    return block_ratios(above.by_block, below.by_block) if above and below else []


def crossings(series: Sequence[Series]) -> list[Crossing]:
    """Return from how many threads on each arm without the GIL beats what has one, or a pool.

    Rivals are builds with the GIL, at one thread and at their best count, and process pools at
    their best count.
    """
    found = []
    for off in (one for one in series if one.arm.threaded and not one.arm.gil):
        for rival in series:
            plain = rival.arm.threaded and not rival.arm.free_threaded
            best = rival.best()
            counts = {1} if plain else set[int]()
            if best and (plain or not rival.arm.threaded):
                counts.add(best.threads)
            for count in sorted(counts):
                is_best = best is not None and count == best.threads
                found.append(_crossing(off, rival, count, is_best))
    return found


def _crossing(off: Series, rival: Series, count: int, best: bool) -> Crossing:
    ratio, beaten = None, None
    for point in off.inside():
        ratios = _ratios(point, rival.at(count))
        ratio = estimate(ratios) if ratios else None
        if ratio and verdict(ratio) == "faster":
            beaten = point.threads
            break
    return Crossing(
        arm=off.arm.name,
        rival=rival.arm,
        count=count,
        best=best,
        threads=beaten,
        last=_most(off),
        ratio=ratio,
        caveat=not_comparable(off.arm, rival.arm),
    )
