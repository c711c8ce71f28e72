"""A plan on different numbers of ranks: the same steps, shared differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ftloader.batching import RankPlan

WORLD_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class World:
    """The plan on a number of ranks.

    Attributes:
        ranks: how many.
        steps: the same for any number of ranks.
        batches: of all ranks in the epoch.
        micro_batches: of a rank in a step, at most.
        balance: mean over steps of the ranks' mean padded pixels over the busiest rank's; 1 if no
            rank ever waits.
        fillers: batches of weight 0 that only fill a place.
    """

    ranks: int
    steps: int
    batches: int
    micro_batches: int
    balance: float
    fillers: int


def world_sizes(batches_per_step: int) -> list[int]:
    """Return numbers of ranks worth looking at: powers of two that can share a step."""
    return [ranks for ranks in WORLD_SIZES if ranks <= batches_per_step]


def balance_of(rank: RankPlan) -> NDArray[np.float64]:
    """Return, for every step, the ranks' mean padded pixels by those of the busiest."""
    # Pixels and not costs: ranks wait for time, which a model of memory does not tell.
    work = np.zeros((len(rank.plan), rank.world_size))
    np.add.at(work, (rank.steps, rank.owners), rank.batches.padded)
    shares: NDArray[np.float64] = work.mean(axis=1) / work.max(axis=1)
    return shares


def world_of(rank: RankPlan, balance: NDArray[np.float64] | None = None) -> World:
    """Describe the plan on as many ranks as this one is of."""
    shares = balance_of(rank) if balance is None else balance
    of_step = np.bincount(rank.steps * rank.world_size + rank.owners)
    return World(
        ranks=rank.world_size,
        steps=len(rank.plan),
        batches=len(rank.batches),
        micro_batches=int(of_step.max()),
        balance=float(shares.mean()),
        fillers=int(np.count_nonzero(rank.repeats)),
    )
