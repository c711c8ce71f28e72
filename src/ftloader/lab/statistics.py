"""Statistics for paired blocks: medians of ratios, bootstrap intervals, Karp-Flatt, and honesty.

A block holds every cell once, in random order, so two numbers of one block were measured under the
same conditions and two numbers of different blocks were not. Everything here therefore works on
one ratio per block and summarises over blocks; nothing ever pools windows or divides medians.

Every function is pure: the same numbers and the same seed give the same result. Intervals come
first; a test is only reported where the number of blocks lets it reach 5 %.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
LEVEL = 0.95
# With five pairs the smallest two-sided sign-flip p-value is 2/32 = 6 %.
SMALLEST_TESTABLE = 6
# With fewer blocks even "all of them agree" happens by chance in more than 5 %.
SMALLEST_RESOLVABLE = 5
# "No difference" is a claim too: the whole interval must lie within 3 % of 1.
NO_DIFFERENCE = 0.03


@dataclass(frozen=True)
class Estimate:
    """A median over blocks with its interval.

    Attributes:
        value: the median.
        low: lower end of the percentile bootstrap interval.
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


def estimate(values: Sequence[float], seed: int) -> Estimate:
    """Return the median of one value per block with its bootstrap interval.

    The interval is the percentile bootstrap over blocks, 10 000 draws, 95 %. One block gives an
    interval of no width: read ``blocks`` before believing it.

    Args:
        values: one finite number per block.
        seed: seed of the draws; printed in the report.

    Raises:
        ValueError: there are no values, or one of them is not finite.
    """
    sample: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if sample.size == 0 or not np.isfinite(sample).all():
        raise ValueError(f"an estimate needs finite values, one per block, not {list(values)}")
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, sample.size, size=(DRAWS, sample.size))
    medians = np.median(sample[picks], axis=1)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(medians, [tail, 100 - tail])
    return Estimate(float(np.median(sample)), float(low), float(high), int(sample.size))


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
    if logs.size <= 14:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=logs.size)))
        extra = 0
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(DRAWS, logs.size))
        extra = 1  # the observed pattern counts as one of the draws
    # The tolerance keeps sums that are equal on paper equal in floating point.
    as_far = np.abs(signs @ logs) >= abs(logs.sum()) * (1 - 1e-12)
    return float((as_far.sum() + extra) / (len(signs) + extra))


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
    reach = 1 - 2 * 0.5**blocks
    if blocks < SMALLEST_TESTABLE:
        return (
            f"{blocks} blocks: n too small for a test to reach 5 %, so none is shown; the widest "
            f"possible interval, smallest to largest block, covers the median in {reach:.0%}"
        )
    if blocks < 10:
        return f"{blocks} blocks: enough for an interval and a test, below the 10 of a publication"
    return f"{blocks} blocks: enough for a published table"


def what_cores_allow(cores: int) -> str:
    """Say which scaling laws a number of real cores can identify, in one sentence."""
    if cores < 2:
        return "1 core: nothing can be said about scaling"
    if cores == 2:
        return (
            "2 cores: one speed-up, one equation; two unknowns of a scaling law cannot be fitted, "
            "so none is, and nothing is said about more than two cores"
        )
    if cores <= 4:
        return f"{cores} cores: at most Amdahl's law could be identified; no law is fitted here"
    return (
        f"{cores} cores: enough to fit Amdahl's law and the Universal Scalability Law, which this "
        "report does not do yet; it shows the serial fraction at each count instead"
    )


def finite(number: float | None) -> bool:
    """Tell whether a number is there and finite."""
    return number is not None and math.isfinite(number)
