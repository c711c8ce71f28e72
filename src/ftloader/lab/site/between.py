"""The test of two runs that share no block: Mann-Whitney's, counted exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mann_whitney_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the exact two-sided Mann-Whitney p-value of "both runs have the same ratio".

    The null distribution is counted, not approximated: the number of orders with each value of U
    are the coefficients of a Gaussian binomial. Equal numbers count half, which is exact without
    ties and close with few.
    """
    below = sum((a > b) + (a == b) / 2 for a in one for b in other)
    ways = _ways(len(one), len(other))
    extreme = min(below, len(one) * len(other) - below)
    tail = sum(ways[: math.floor(extreme) + 1])
    return min(1.0, 2 * tail / sum(ways))


def _ways(m: int, n: int) -> list[int]:
    """Return how many orders of m and n numbers have U = 0, 1, … m n."""
    ways = [1] + [0] * (m * n)
    for factor in range(1, m + 1):
        for power in range(m * n, n + factor - 1, -1):  # times (1 - x^(n + factor))
            ways[power] -= ways[power - n - factor]
        for power in range(factor, m * n + 1):  # divided by (1 - x^factor)
            ways[power] += ways[power - factor]
    return ways
