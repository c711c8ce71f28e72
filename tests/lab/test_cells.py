"""Plans: every cell once in each block, in an order that only the seed decides."""

from __future__ import annotations

import dataclasses
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ftloader.lab.arms import Arm
from ftloader.lab.cells import plan, thread_counts

from .tiny import EXPERIMENT

ARMS = [Arm(name, "3.13.15", True, name.endswith("on"), {}) for name in ("t off", "t on")]


@given(st.integers(1, 64), st.booleans())
def test_thread_counts_start_at_one_rise_and_stay_within_the_cores(cores, full):
    counts = thread_counts(cores, full)
    assert counts[0] == 1
    assert counts == sorted(set(counts))
    assert counts[-1] == min(cores, 16)


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_every_block_holds_every_cell_once(blocks, seed):
    cells = plan(EXPERIMENT, ARMS, [1, 2], 4, blocks, seed)
    seen = Counter((cell.block, cell.arm.name, cell.threads) for cell in cells)
    assert len(seen) == blocks * 6
    assert set(seen.values()) == {1}


def test_the_seed_decides_the_order_and_blocks_differ():
    first = plan(EXPERIMENT, ARMS, [1, 2], 4, 8, seed=3)
    assert first == plan(EXPERIMENT, ARMS, [1, 2], 4, 8, seed=3)
    orders = {
        tuple((cell.arm.name, cell.threads) for cell in first if cell.block == block)
        for block in range(8)
    }
    assert len(orders) > 1


def test_controls_run_wherever_two_threads_or_more_fit_the_cores():
    for cell in plan(EXPERIMENT, ARMS, [1, 2], 4, 2, seed=0):
        controlled = {"ceiling", "contention"} <= set(cell.order)
        assert controlled == (cell.threads == 2)
        assert "sums" in cell.order


def test_a_pool_of_processes_is_not_asked_for_work_that_it_cannot_do():
    work = EXPERIMENT.workloads[0]
    others = (work, dataclasses.replace(work, name="threads only", call=None))
    both = dataclasses.replace(EXPERIMENT, workloads=others)
    pool = dataclasses.replace(ARMS[0], name="t off processes", workers="processes")
    for cell in plan(both, [ARMS[0], pool], [1, 2], 4, 1, seed=0):
        assert "sums" in cell.order
        assert ("threads only" in cell.order) == cell.arm.threaded
