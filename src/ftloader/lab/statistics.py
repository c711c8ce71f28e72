"""Statistics for paired blocks: medians of ratios, their intervals, tests, and honesty.

A block holds every cell once, in random order, so two numbers of one block were measured under the
same conditions and two numbers of different blocks were not. Everything here therefore works on
one ratio per block and summarises over blocks; nothing ever pools windows or divides medians of
one run.

The interval of a median is the exact one between two of its blocks, which covers in at least 95 %
from six blocks on, whatever the noise looks like. The percentile bootstrap lies inside it and does
not: simulated, it covers in 87.5 % at 7 blocks, 91 % at 13, 93 to 94 % at 6, 8, 10, 12 and 20. What
has no exact interval is bootstrapped: a ratio of two runs, a fitted law. All of it takes blocks for
independent; noise that lasts over several blocks makes every interval too short.

Every function is pure: the same numbers and the same seed give the same result. Intervals come
first; a test is only reported where the number of blocks lets it reach 5 %.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from .honesty import by_cores

DRAWS = 10_000
LEVEL = 0.95
# With five pairs the smallest two-sided sign-flip p-value is 2/32 = 6 %.
SMALLEST_TESTABLE = 6
# With fewer blocks even "all of them agree" happens by chance in more than 5 %.
SMALLEST_RESOLVABLE = 5
# Up to so many blocks all sign patterns are tried.
_ALL_SIGNS = 14
# "No difference" is a claim too: the whole interval must lie within 3 % of 1.
NO_DIFFERENCE = 0.03


@dataclass(frozen=True)
class Estimate:
    """A median over blocks with its interval.

    Attributes:
        value: the median.
        low: lower end of its interval.
        high: upper end.
        blocks: number of blocks it rests on.
    """

    value: float
    low: float
    high: float
    blocks: int

    def map_monotone(self, low: float, value: float, high: float) -> Estimate:
        """Return an estimate with other numbers over the same blocks, ends put in order."""
        return Estimate(value, min(low, high), max(low, high), self.blocks)


def estimate(values: Sequence[float]) -> Estimate:
    """Return the median of one value per block with its interval.

    The interval runs from one block's value to another's, the narrowest such pair that covers the
    true median in at least 95 %; see ``coverage`` for how often it does. With fewer than six blocks
    there is none, and it runs from the smallest to the largest. It draws nothing, and it turns with
    its values: the interval of 1/x is 1 over the interval of x.

    Args:
        values: one finite number per block.

    Raises:
        ValueError: there are no values, or one of them is not finite.
    """
    sample = np.sort(_finite(values))
    rank = _rank(sample.size)
    low, high = sample[rank - 1], sample[sample.size - rank]
    return Estimate(float(np.median(sample)), float(low), float(high), int(sample.size))


def coverage(blocks: int) -> float:
    """Return in what share of runs the interval of ``estimate`` covers the true median."""
    return _covered(blocks, _rank(blocks))


def _rank(blocks: int) -> int:
    """Return which smallest, and which largest, block bounds the interval; 1 for the extremes."""
    enough = (rank for rank in range(blocks // 2, 1, -1) if _covered(blocks, rank) >= LEVEL)
    return next(enough, 1)


def _covered(blocks: int, rank: int) -> float:
    # The true median lies outside if fewer than ``rank`` blocks came out on one side of it.
    outside = sum(math.comb(blocks, few) for few in range(rank))
    return 1 - outside / 2.0 ** (blocks - 1)


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    sample: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if sample.size == 0 or not np.isfinite(sample).all():
        raise ValueError(f"an estimate needs finite values, one per block, not {list(values)}")
    return sample


def ratio_of(above: Sequence[float], below: Sequence[float], seed: int) -> Estimate:
    """Return the median of one run over the median of another, independent one.

    What is divided should be ratios already, each taken inside a block of its run, so that what
    differs between the machines or days cancels in both. The interval is the percentile bootstrap
    with both runs redrawn, which covers in 95 to 97 % from five blocks in each, as simulated; where
    one run has many more blocks than the other, in no more than 90 to 94 %.

    Args:
        above: one positive number per block of one run.
        below: the same of the other run; no pairs, the numbers of blocks may differ.
        seed: of the draws.

    Raises:
        ValueError: a run has no values, or one that is not positive and finite.
    """
    runs = [_finite(values) for values in (above, below)]
    if min(run.min() for run in runs) <= 0:
        raise ValueError("a ratio of two runs needs positive values")
    rng = np.random.default_rng(seed)
    drawn = [
        np.median(run[rng.integers(0, run.size, size=(DRAWS, run.size))], axis=1) for run in runs
    ]
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn[0] / drawn[1], [tail, 100 - tail])
    value = float(np.median(runs[0]) / np.median(runs[1]))
    return Estimate(value, float(low), float(high), min(run.size for run in runs))


def bootstrap_tail(blocks: int) -> float:
    """Return the share of bootstrap draws to cut from either end for a 95 % interval.

    Redrawn blocks spread less than new ones would, by sqrt((n - 1) / n), and few of them need
    Student's t for the normal: Hesterberg's expanded percentile interval. Student's quantile is
    Cornish and Fisher's expansion, within 0.5 % from four degrees of freedom on.

    Raises:
        ValueError: fewer than five blocks.
    """
    if blocks < SMALLEST_RESOLVABLE:
        raise ValueError(f"{blocks} blocks have no bootstrap interval: {SMALLEST_RESOLVABLE} do")
    z, free = NormalDist().inv_cdf((1 + LEVEL) / 2), blocks - 1
    student = z + (z**3 + z) / (4 * free)
    student += (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    student += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * free**3)
    return NormalDist().cdf(-student * math.sqrt(blocks / free))


def block_ratios(above: Mapping[int, float], below: Mapping[int, float]) -> list[float]:
    """Divide block by block, in block order; a block that lacks either number is left out."""
    return [above[block] / below[block] for block in sorted(above.keys() & below.keys())]


def karp_flatt(speedup: float, threads: int) -> float:
    """Return the experimentally determined serial fraction e(N) = (1/C - 1/N) / (1 - 1/N).

    It is the fraction of one item's time that behaves as serial; below 0 means that the speed-up
    exceeded the number of threads, which points to a broken baseline or to noise.

    Raises:
        ValueError: fewer than two threads, or a speed-up that is not positive.
    """
    if threads < 2 or not speedup > 0:
        raise ValueError(f"Karp-Flatt needs 2 threads and a positive speed-up, not {speedup}")
    return (1 / speedup - 1 / threads) / (1 - 1 / threads)


def karp_flatt_estimate(speedup: Estimate, threads: int) -> Estimate:
    """Return Karp-Flatt with the interval carried over from the speed-up (it is monotone)."""
    return speedup.map_monotone(
        karp_flatt(speedup.low, threads),
        karp_flatt(speedup.value, threads),
        karp_flatt(speedup.high, threads),
    )


def sign_flip_p(ratios: Sequence[float], seed: int) -> float | None:
    """Return the two-sided sign-flip p-value of "the ratio is 1", or ``None`` if n is too small.

    Under the null a block's log ratio is as likely to be negative as positive. All sign patterns
    are tried up to 14 blocks, 10 000 random ones beyond.
    """
    if len(ratios) < SMALLEST_TESTABLE:
        return None
    logs = np.log(np.asarray(ratios, dtype=np.float64))
    signs = _signs(logs.size, seed)
    extra = 0 if logs.size <= _ALL_SIGNS else 1  # the observed pattern counts as one of the draws
    # The tolerance keeps sums that are equal on paper equal in floating point.
    as_far = np.abs(signs @ logs) >= abs(logs.sum()) * (1 - 1e-12)
    return float((as_far.sum() + extra) / (len(signs) + extra))


@functools.lru_cache(maxsize=8)
def _signs(blocks: int, seed: int) -> NDArray[np.float64]:
    if blocks <= _ALL_SIGNS:
        return np.array(list(itertools.product((-1.0, 1.0), repeat=blocks)))
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(DRAWS, blocks))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted for how many of them one table has (Holm's step-down procedure).

    ``None``, where no test was possible, stays ``None`` and counts for nothing. Any of the others
    at or below 5 % is then so with at most 5 % chance that one of them is a false alarm.
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for passed, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - passed)))
        adjusted[place] = largest
    return adjusted


def verdict(ratio: Estimate) -> str:
    """Say in one word what an interval of a ratio allows: faster, slower, equal or not resolved."""
    if ratio.blocks < SMALLEST_RESOLVABLE:
        return "not resolved"
    if ratio.low >= 1 - NO_DIFFERENCE and ratio.high <= 1 + NO_DIFFERENCE:
        return "equal"
    if ratio.low > 1:
        return "faster"
    if ratio.high < 1:
        return "slower"
    return "not resolved"


def what_blocks_allow(blocks: int) -> str:
    """Say what a number of blocks can and cannot support, in one sentence."""
    if blocks < SMALLEST_RESOLVABLE:
        return (
            f"n too small: {blocks} {'block' if blocks == 1 else 'blocks'} make a smoke run that "
            "shows the harness works; it resolves nothing, and no number of it should be quoted"
        )
    if blocks < SMALLEST_TESTABLE:
        return (
            f"{blocks} blocks: n too small for a test to reach 5 %, so none is shown; the widest "
            "possible interval, smallest to largest block, covers the median in "
            f"{coverage(blocks):.0%}"
        )
    if blocks < 10:
        return f"{blocks} blocks: enough for an interval and a test, below the 10 of a publication"
    return f"{blocks} blocks: enough for a published table"


def what_cores_allow(cores: int) -> str:
    """Say which scaling laws a number of real cores can identify, in one sentence."""
    return by_cores(cores).said


def finite(number: float | None) -> bool:
    """Tell whether a number is there and finite."""
    return number is not None and math.isfinite(number)
