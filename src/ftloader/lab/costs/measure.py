"""Measuring a cell: contenders in turns, in short windows, in one process.

A round is one window of each contender, in random order, so the two windows of a ratio lie within
a second of each other and a slow drift of the machine cancels. How much work a window holds is
found once per arm, in its first process, and the same in every later one; what is done to find
it is also the warm-up.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DigestError
from .. import provenance
from ..experiment import Inputs
from ..measure import disturbance
from .describe import Cell, Contender, Measured, Part

# Windows grow by this much more than needed, so that the next one is long enough.
_MARGIN = 1.15
_GROWTH = (1.5, 16.0)
_NEAR = 0.85
# A process that need not look for its amounts still warms up, with a part of them.
_WARM_SHARE = 4


@dataclass(frozen=True)
class Settings:
    """How long to measure.

    Attributes:
        window: shortest window in seconds; with the GIL raised to 20 switch intervals.
        rounds: rounds wanted that were not refused for the most part.
        multiples: whether a cell gets the multiple of them that it asks for.
        most: rounds at most, as a multiple of those wanted.
        pairs: accepted pairs wanted of each control.
    """

    window: float
    rounds: int
    multiples: bool
    most: int
    pairs: int


QUICK = Settings(window=0.05, rounds=1, multiples=False, most=1, pairs=1)
FULL = Settings(window=0.05, rounds=1, multiples=True, most=2, pairs=2)


def measure(
    cell: Cell,
    inputs: Inputs,
    settings: Settings,
    gil: bool,
    amounts: Mapping[str, int],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Measure a cell; see ``results`` for the fields returned.

    Args:
        cell: what to measure.
        inputs: what every contender may draw on.
        settings: how long.
        gil: whether the GIL is on.
        amounts: amount of work by contender, or nothing where it is to be found.
        rng: draws the order of contenders in each round.

    Raises:
        DigestError: two contenders, or two windows, had different outputs.
    """
    begin = time.perf_counter()
    window = max(settings.window, cell.window, 20 * sys.getswitchinterval() if gil else 0.0)
    missing = {one.name: why for one in cell.contenders if (why := one.missing())}
    able = [one for one in cell.contenders if one.name not in missing]
    digests: dict[str, str] = {}
    chosen: dict[str, int] = {}
    for one in able:
        known = amounts.get(one.name)
        if known is None:
            chosen[one.name] = _find_amount(cell, one, inputs, window, digests)
        else:
            chosen[one.name] = known
            share = 1 if cell.fixed else _whole(known / _WARM_SHARE, cell.step)
            _note(digests, cell, one, one.measure(inputs, share))
    turns: dict[str, list[_Turn]] = {one.name: [] for one in able}
    quiet, wanted = 0, settings.rounds * (cell.rounds if settings.multiples else 1)
    for _ in range(settings.most * wanted):
        for place in rng.permutation(len(able)):
            one = able[place]
            turns[one.name].append(_turn(cell, one, inputs, chosen[one.name], digests))
        good = sum(found[-1].facts["accepted"] for found in turns.values())
        quiet += 2 * good > len(turns)
        if quiet == wanted:
            break
    return {
        "digest": next(iter(digests.values()), ""),
        "seconds": round(time.perf_counter() - begin, 2),
        "contenders": {row.name: _row(row, chosen, turns, missing) for row in cell.rows()},
    }


@dataclass(frozen=True)
class _Turn:
    """A window: what it measured, and what else is known of it."""

    measured: Measured
    facts: dict[str, Any]


def _row(
    row: Contender | Part,
    chosen: Mapping[str, int],
    turns: Mapping[str, list[_Turn]],
    missing: Mapping[str, str],
) -> dict[str, Any]:
    """Return the record of a contender, or of a part: a share of its contender's windows."""
    part = row.name if isinstance(row, Part) else ""
    of = row.of if isinstance(row, Part) else row.name
    if of in missing:
        return {"missing": missing[of], "windows": []}
    windows = []
    for turn in turns[of]:
        value = turn.measured.parts[part] if part else turn.measured.value
        windows.append({"value": float(f"{value:.6g}"), **turn.facts})
    return {"amount": chosen[of], "windows": windows}


def _turn(
    cell: Cell, one: Contender, inputs: Inputs, amount: int, digests: dict[str, str]
) -> _Turn:
    before, cpu, begin = provenance.cpu_times(), time.process_time(), time.perf_counter()
    measured = one.measure(inputs, amount)
    # Start and end of a contender count too: its threads are what the disturbance is told from.
    seconds, used = time.perf_counter() - begin, time.process_time() - cpu
    _note(digests, cell, one, measured)
    steal, others, accepted = disturbance(before, provenance.cpu_times(), seconds, used)
    facts = {
        "seconds": round(measured.seconds, 5),
        "steal": round(steal, 4),
        "others": round(others, 4),
        "accepted": accepted,
    }
    return _Turn(measured, facts)


def _find_amount(
    cell: Cell, one: Contender, inputs: Inputs, window: float, digests: dict[str, str]
) -> int:
    """Raise the amount of work until a window is long enough."""
    amount = _whole(cell.first, cell.step)
    while True:
        measured = one.measure(inputs, amount)
        _note(digests, cell, one, measured)
        if cell.fixed or measured.seconds >= _NEAR * window:
            return amount
        wanted = _MARGIN * window / max(measured.seconds, 1e-9)
        amount = _whole(amount * min(max(wanted, _GROWTH[0]), _GROWTH[1]), cell.step)


def _whole(amount: float, step: int) -> int:
    return max(step, round(amount / step) * step)


def _note(digests: dict[str, str], cell: Cell, one: Contender, measured: Measured) -> None:
    """Compare the digest of a window with those before it."""
    if not measured.digest:
        return
    for other, digest in digests.items():
        if digest != measured.digest:
            raise DigestError(
                f"cell {cell.name!r}: the outputs of {one.name!r} differ from those of {other!r}; "
                "the run is refused"
            )
    digests[one.name] = measured.digest
