"""Which cells a run has and in which order: arms by thread counts, shuffled inside each block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
        threads: thread count; of an arm whose workers are processes, how many those are.
        block: number of the block.
        position: place inside the block.
        order: workloads and controls in the order to run them.
    """

    arm: Arm
    threads: int
    block: int
    position: int
    order: tuple[str, ...]

    @property
    def key(self) -> tuple[int, str, int]:
        """What tells it from the run's other processes."""
        return (self.block, self.arm.name, self.threads)


def key_of(record: Mapping[str, Any]) -> tuple[int, str, int]:
    """Return the :attr:`Cell.key` of the process that a result file's line is of."""
    return (record["block"], record["arm"], record["threads"])


def thread_counts(cores: int, full: bool) -> list[int]:
    """Return the thread counts within the CPU set: 1, 2, 3, 4, 6, 8, 12, 16; powers of 2 if quick.

    Args:
        cores: how many CPUs the set has.
        full: whether all counts are wanted.
    """
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
    controls = [control.name for control in experiment.controls]
    cells = []
    for block in range(blocks):
        rng = np.random.default_rng([seed, block])
        pairs = [(arm, count) for arm in arms for count in (*threads, oversubscribed)]
        for position, place in enumerate(rng.permutation(len(pairs))):
            arm, count = pairs[place]
            judged = count != oversubscribed and count >= JUDGED_AT
            names = experiment.names_for(arm.threaded) + (controls if judged else [])
            order = tuple(names[index] for index in rng.permutation(len(names)))
            cells.append(Cell(arm, count, block, position, order))
    return cells
