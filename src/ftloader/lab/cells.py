"""Which cells a run has and in which order: arms by thread counts, shuffled inside each block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arms import Arm
from .controls import JUDGED_AT
from .experiment import Experiment

_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Cell:
    """One process to run: an arm at a thread count, in a block.

    Attributes:
        arm: the arm.
        threads: thread count.
        block: number of the block.
        position: place inside the block.
        order: workloads and controls in the order to run them.
    """

    arm: Arm
    threads: int
    block: int
    position: int
    order: tuple[str, ...]


def thread_counts(cores: int, full: bool) -> list[int]:
    """Return the thread counts within the cores: 1, 2, 3, 4, 6, 8, 12, 16; powers of 2 if quick."""
    counts = [count for count in _COUNTS if count <= cores]
    if not full:
        counts = [count for count in counts if count & (count - 1) == 0]
    if cores not in counts and cores < _COUNTS[-1]:
        counts.append(cores)
    return counts


def plan(
    experiment: Experiment,
    arms: Sequence[Arm],
    threads: Sequence[int],
    oversubscribed: int,
    blocks: int,
    seed: int,
) -> list[Cell]:
    """Lay out every process of a run.

    Inside a block each (arm, thread count) comes once, in random order, and each process runs the
    workloads in random order. Controls are measured at every count within the cores from 2 up.

    Determinism: the same arguments give the same plan.
    """
    workloads = [workload.name for workload in experiment.workloads]
    controls = [control.name for control in experiment.controls]
    cells = []
    for block in range(blocks):
        rng = np.random.default_rng([seed, block])
        pairs = [(arm, count) for arm in arms for count in (*threads, oversubscribed)]
        for position, place in enumerate(rng.permutation(len(pairs))):
            arm, count = pairs[place]
            judged = count != oversubscribed and count >= JUDGED_AT
            names = workloads + (controls if judged else [])
            order = tuple(names[index] for index in rng.permutation(len(names)))
            cells.append(Cell(arm, count, block, position, order))
    return cells
