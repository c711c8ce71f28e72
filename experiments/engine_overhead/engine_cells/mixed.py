"""(f) One item in a hundred costs a hundred times as much: what that costs everybody else.

The operation derives a key (PBKDF2): pure arithmetic outside the GIL, no memory, and a cost that
is exactly proportional to the number of rounds, in every arm. Sleeping would hide what a busy core
does to its neighbours; NumPy would measure memory bandwidth.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ftloader import Pipeline, lab
from ftloader.lab.costs import Cell, Contender, Measured

from . import bare
from .window import Plan, require, timed

WORKERS = 2
GROUP = 100
HEAVY = 100
ROUNDS = 400


def costs_of(total: int, seed: int) -> list[tuple[int, int]]:
    """Return (place, rounds): in each hundred one heavy item, somewhere."""
    groups = -(-total // GROUP)
    heavy = np.random.default_rng([seed, GROUP]).integers(GROUP, size=groups)
    return [
        (place, ROUNDS * (HEAVY if place % GROUP == heavy[place // GROUP] else 1))
        for place in range(total)
    ]


def derive(item: tuple[int, int]) -> int:
    hashlib.pbkdf2_hmac("sha256", b"item", b"salt", item[1])
    return item[0]


def plan_for(amount: int) -> Plan:
    return Plan(warm=GROUP, count=amount, tail=GROUP)


Open = Callable[[list[tuple[int, int]]], Iterable[Any]]


def contender(name: str, title: str, opened: Open, order: str = "input") -> Contender:
    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        plan = plan_for(amount)
        seconds, got = timed(opened(costs_of(plan.total, inputs.seed)), plan)
        require(got, range(plan.total), order)
        return Measured(plan.count / seconds, seconds)

    return Contender(name, title, measure)


def ideal(inputs: lab.Inputs, amount: int) -> Measured:
    """Run the items in a bare pool and add up the time that each took by itself."""
    plan = plan_for(amount)
    own = [0.0] * plan.total

    def timed_derive(item: tuple[int, int]) -> int:
        begin = time.perf_counter()
        derive(item)
        own[item[0]] = time.perf_counter() - begin
        return item[0]

    items = costs_of(plan.total, inputs.seed)
    got = list(bare.pool_map(items, timed_derive, WORKERS))
    require(got, range(plan.total))
    seconds = sum(own[plan.warm : plan.warm + plan.count]) / WORKERS
    return Measured(plan.count / seconds, seconds)


def ours(order: Any) -> Open:
    return lambda items: Pipeline(items).pipe(derive, concurrency=WORKERS, output_order=order).run()


def spdl(items: list[tuple[int, int]]) -> Iterable[Any]:
    return bare.spdl_run(bare.spdl_builder(items, [derive], WORKERS, "input"), WORKERS)


CELLS = (
    Cell(
        name="mixed",
        title="One item in a hundred costs a hundred times as much",
        about=f"key derivation outside the GIL, about 0.1 ms, in one item of {GROUP} {HEAVY} times "
        f"as long, {WORKERS} workers; the ideal is what {WORKERS} workers would do that never "
        "wait, from the items' own times in a bare pool",
        unit="items/s",
        better="higher",
        baseline="ideal",
        contenders=(
            contender("ftloader", "ftloader, input order", ours("input")),
            contender(
                "ftloader_completion",
                "ftloader, completion order",
                ours("completion"),
                "completion",
            ),
            contender("spdl", "SPDL 0.8, input order", spdl),
            contender(
                "pool_window",
                "ThreadPoolExecutor, one submit per item, window of 8",
                lambda items: bare.pool_window(items, derive, WORKERS, 4 * WORKERS),
            ),
            contender(
                "pool",
                "ThreadPoolExecutor.map, window without bound",
                lambda items: bare.pool_map(items, derive, WORKERS),
            ),
            Contender("ideal", "the ideal of 2 workers", ideal),
        ),
        first=10 * GROUP,
        step=GROUP,
        window=0.2,
    ),
)
