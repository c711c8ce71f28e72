"""How many batches a memory budget has room for."""

from __future__ import annotations

from typing import Any

from ftloader.batching import RankPlan
from ftloader.errors import BudgetError


def room(budget: int, nbytes: int, workers: int, in_hand: int) -> int:
    """Return how many batches fit beside what the workers hold.

    Args:
        budget: bytes that pixels may take.
        nbytes: of the largest batch.
        workers: how many there are.
        in_hand: bytes that they may hold, all together.

    Raises:
        BudgetError: fewer than two do, one in the making and one in use.
    """
    most = (budget - in_hand) // nbytes
    if most < 2:
        raise BudgetError(
            f"memory_budget={budget:,} does not hold two batches of {nbytes:,} bytes, one in the "
            f"making and one in use, and {in_hand:,} bytes in the hands of {workers} workers; give "
            f"it {2 * nbytes + in_hand:,}, or plan smaller batches"
        )
    return most


def held_by_workers(mine: RankPlan, dataset: Any, workers: int, itemsize: int) -> int:
    """Return the bytes that workers may hold: an image as stored and one as planned each."""
    planned = int(mine.plan.sizes.areas.max(initial=0))
    stored = int(dataset.sizes().areas.max(initial=0)) if hasattr(dataset, "sizes") else planned
    return workers * 3 * (stored + planned * itemsize)
