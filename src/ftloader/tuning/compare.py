"""Which of two settings to keep: a rule for throughputs that were measured in turn.

The two settings are measured in pairs, one window right after the other, in alternating order, so
what the machine does in the meantime hits both; only ratios inside a pair are looked at. The
smaller setting is kept unless the larger one is shown to bring more:

* the interval of the gain lies below :data:`WORTH`: the smaller one, resolved;
* the interval lies above zero: the larger one, resolved;
* neither, after the last look: the larger one only if the mean gain is above :data:`WORTH`,
  unresolved.

Intervals are looked at after 4, 8 and 16 pairs, each side at 1.67 % (Student's t), so a wrong
resolved verdict comes up in at most 5 % of comparisons if gains are about normal. Before that only
a gross difference counts, in the same direction in both of the first two pairs.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

#: A gain below this share is not worth another worker. Given up twice at most, once on the way up
#: and once on the way down, so what is lost stays below 5 %.
WORTH: Final = 0.02
#: A difference above this in each of two pairs needs no further pairs.
GROSS: Final = 0.25
#: Pairs after which the interval is looked at, with the 98.33 % quantile of Student's t.
LOOKS: Final = {4: 3.740, 8: 2.642, 16: 2.343}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison came to.

    Attributes:
        larger: whether the larger setting is to be kept.
        resolved: whether the measurements tell, rather than the preference for fewer threads.
        gain: the larger setting's mean gain, as a share (0.1 is 10 % more).
        pairs: how many pairs it rests on.
        cut_short: whether time ran out before the first look; then it is no verdict at all.
    """

    larger: bool
    resolved: bool
    gain: float
    pairs: int
    cut_short: bool = False


def judge(gains: Sequence[float]) -> Verdict | None:
    """Look at the gains so far, natural logarithms of larger over smaller; ``None``: go on."""
    pairs, mean = len(gains), statistics.fmean(gains)
    if pairs == 2 and min(map(abs, gains)) > GROSS and min(gains) * max(gains) > 0:
        return Verdict(mean > 0, True, math.expm1(mean), pairs)
    if pairs not in LOOKS:
        return None
    half = LOOKS[pairs] * statistics.stdev(gains) / math.sqrt(pairs)
    if mean + half < math.log1p(WORTH):
        return Verdict(False, True, math.expm1(mean), pairs)
    if mean - half > 0:
        return Verdict(True, True, math.expm1(mean), pairs)
    return undecided(gains) if pairs == max(LOOKS) else None


def undecided(gains: Sequence[float]) -> Verdict:
    """Decide on gains that do not tell: fewer workers, unless more are likely to pay."""
    mean = statistics.fmean(gains) if gains else 0.0
    return Verdict(mean > math.log1p(WORTH), False, math.expm1(mean), len(gains))


def compare(
    smaller: Callable[[], float], larger: Callable[[], float], go_on: Callable[[], bool]
) -> Verdict:
    """Measure two settings in turn until the rule of this module tells which to keep.

    Args:
        smaller: measures the smaller setting's throughput, above 0.
        larger: measures the larger setting's.
        go_on: asked before each pair; ``False`` cuts the comparison short.
    """
    gains: list[float] = []
    while go_on():
        if len(gains) % 2:
            high, low = larger(), smaller()
        else:
            low, high = smaller(), larger()
        gains.append(math.log(high / low))
        verdict = judge(gains)
        if verdict is not None:
            return verdict
    return dataclasses.replace(undecided(gains), cut_short=len(gains) < min(LOOKS))
