"""(c) Operations that only wait, 64 at once: how near an engine comes to what waiting allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from ftloader import Pipeline, lab
from ftloader.lab.costs import Cell, Contender, Measured

from . import bare
from .window import Plan, require, timed

SECONDS = 0.004
CONCURRENCY = 64
IDEAL = CONCURRENCY / SECONDS


def wait(item: int) -> int:
    time.sleep(SECONDS)
    return item


async def await_(item: int) -> int:
    await asyncio.sleep(SECONDS)
    return item


def plan_for(amount: int) -> Plan:
    return Plan(warm=4 * CONCURRENCY, count=amount, tail=2 * CONCURRENCY)


def share(seconds: float, plan: Plan) -> Measured:
    return Measured(plan.count / seconds / IDEAL, seconds)


def contender(name: str, title: str, open_items: Callable[[int], Iterable[Any]]) -> Contender:
    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        plan = plan_for(amount)
        seconds, got = timed(open_items(plan.total), plan)
        require(got, range(plan.total))
        return share(seconds, plan)

    return Contender(name, title, measure)


def plain_asyncio(inputs: lab.Inputs, amount: int) -> Measured:
    plan = plan_for(amount)
    marks = (plan.warm, plan.warm + plan.count)
    seconds, got = bare.asyncio_limit(range(plan.total), await_, CONCURRENCY, marks)
    require(got, range(plan.total), "completion")
    return share(seconds, plan)


def engines(op: Callable[[int], Any], spdl_threads: int) -> tuple[Contender, ...]:
    return (
        contender(
            "ftloader",
            "ftloader",
            lambda n: Pipeline(range(n)).pipe(op, concurrency=CONCURRENCY).run("threads"),
        ),
        contender(
            "spdl",
            "SPDL 0.8",
            lambda n: bare.spdl_run(
                bare.spdl_builder(range(n), [op], CONCURRENCY, "input"), spdl_threads
            ),
        ),
    )


def cell(name: str, title: str, how: str, contenders: tuple[Contender, ...]) -> Cell:
    return Cell(
        name=name,
        title=title,
        about=f"{how} for {1000 * SECONDS:g} ms, {CONCURRENCY} at once, input order; the value is "
        f"the rate as a share of {IDEAL:,.0f} items/s, which overhead-free waiting would give",
        unit="share of ideal",
        better="higher",
        baseline=contenders[-1].name,
        contenders=contenders,
        first=4 * CONCURRENCY,
        step=CONCURRENCY,
        window=0.2,
    )


CELLS = (
    cell(
        "sleep_sync",
        "Waiting on threads",
        "`time.sleep`",
        (
            *engines(wait, CONCURRENCY),
            contender(
                "pool_window",
                "ThreadPoolExecutor, one submit per item, window of 128",
                lambda n: bare.pool_window(range(n), wait, CONCURRENCY, 2 * CONCURRENCY),
            ),
        ),
    ),
    cell(
        "sleep_async",
        "Waiting on the event loop",
        "`asyncio.sleep`",
        (
            *engines(await_, 1),
            Contender(
                "asyncio", "asyncio, a task per item behind a semaphore, any order", plain_asyncio
            ),
        ),
    ),
)
