"""From batches to steps: every step has the same number of batches, whatever the sampler gave.

A step is what the optimizer sees: the samples of all ranks between two updates. It is made before
anything is known of ranks, so its samples do not depend on how many there are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ftloader.batching._streams import STEPS
from ftloader.batching.cost import Costs
from ftloader.batching.packing import Places
from ftloader.rng import sample_rng

#: Costs of groups of entries, of all at once.
CostsOf = Callable[[Sequence[Places]], Costs]


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Groups of entries, step after step.

    Attributes:
        groups: the batches; each ``batches_per_step`` of them make a step.
        repeats: for each, whether it only fills a place and must not count.
        dropped: entries that make no whole step and were left out.
    """

    groups: list[Places]
    repeats: list[bool]
    dropped: list[Places]


def in_order(groups: list[Places], per_step: int, fill: bool, costs: CostsOf) -> Steps:
    """Cut groups into steps in the order they come."""
    whole = len(groups) // per_step * per_step
    if not fill:
        return Steps(groups[:whole], [False] * whole, groups[whole:])
    return Steps(*_filled(groups[:whole], groups[whole:], per_step, costs), [])


def alike(
    windows: list[list[Places]], per_step: int, fill: bool, costs: CostsOf, seed: int, epoch: int
) -> Steps:
    """Put groups of like cost into one step, and shuffle the steps of a window.

    Ranks wait for the slowest of a step. What makes no whole step goes on to the next window.
    """
    groups: list[Places] = []
    left: list[Places] = []
    for number, window in enumerate(windows):
        ready = left + window
        # Stable: among equals the order of the plan, which is the same everywhere.
        ready = [ready[place] for place in np.argsort(-costs(ready), kind="stable")]
        whole = len(ready) // per_step * per_step
        left = ready[whole:]
        order = sample_rng(seed, epoch, number, STEPS).permutation(whole // per_step)
        for step in order:
            groups += ready[step * per_step : (step + 1) * per_step]
    if not fill:
        return Steps(groups, [False] * len(groups), left)
    return Steps(*_filled(groups, left, per_step, costs), [])


def _filled(
    served: list[Places], tail: list[Places], per_step: int, costs: CostsOf
) -> tuple[list[Places], list[bool]]:
    """Make one whole step of fewer groups, and return all groups and which of them are repeats.

    The tail's own groups are split; where that ends, large groups of earlier steps give half of
    theirs; and where every group has one sample only, one is repeated.
    """
    if not tail:
        return served, [False] * len(served)
    groups, served = split(tail, costs(tail), per_step, costs), list(served)
    while len(groups) < per_step and served:
        # The largest of all, the latest among equals.
        place = max(range(len(served)), key=lambda place: (len(served[place]), place))
        group, middle = served[place], len(served[place]) // 2
        if middle == 0:
            break
        served[place] = group[: len(group) - middle]
        groups.append(group[len(group) - middle :])
    groups = split(groups, costs(groups), per_step, costs)
    missing = per_step - len(groups)
    # One image costs least.
    repeats = [False] * (len(served) + len(groups)) + [True] * missing
    return served + groups + [groups[-1][:1]] * missing, repeats


def split(groups: list[Places], known: Costs, wanted: int, costs: CostsOf) -> list[Places]:
    """Cut the costliest groups until there are as many as wanted, or every part is one sample.

    A part never costs more than the whole, so a bound that held still holds.

    Args:
        groups: to start from.
        known: what they cost.
        wanted: how many there shall be.
        costs: what others cost.

    Returns:
        The groups, the costliest first; a group that was cut is cut evenly.
    """
    # By what a part would cost if cost went with the number of samples, which is near enough.
    heap = [(-float(known[place]), place, 1) for place in range(len(groups))]
    heapq.heapify(heap)
    parts = [1] * len(groups)
    number = len(groups)
    while heap and number < wanted:
        _, place, count = heapq.heappop(heap)
        if count == len(groups[place]):
            continue
        parts[place], number = count + 1, number + 1
        heapq.heappush(heap, (-float(known[place]) / (count + 1), place, count + 1))
    cut = [
        part for group, n in zip(groups, parts, strict=True) for part in np.array_split(group, n)
    ]
    return [cut[place] for place in np.argsort(-costs(cut), kind="stable")] if cut else []


def fairly(costs: Costs, ranks: int, first: int) -> list[int]:
    """Return a rank for each batch of a step, longest processing time first.

    No rank gets more than an even share of them, rounded up, and none goes without. Graham, "Bounds
    on multiprocessing timing anomalies", SIAM J. Appl. Math. 17 (1969), with the counts bounded.

    Args:
        costs: of the batches.
        ranks: how many; at most as many as batches.
        first: which rank comes first among equals, so that it is not always the same.
    """
    most = -(-len(costs) // ranks)
    # Loads decide among ranks with room; those without a batch come before all others.
    heap = [(0.0, (rank - first) % ranks, rank, 0) for rank in range(ranks)]
    heapq.heapify(heap)
    chosen = [0] * len(costs)
    for place in np.argsort(-costs, kind="stable"):
        load, tie, rank, count = heapq.heappop(heap)
        chosen[place] = rank
        if count + 1 < most:
            heapq.heappush(heap, (load + float(costs[place]), tie, rank, count + 1))
    return chosen
