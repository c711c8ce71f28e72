"""(a) Items that need no work: what it costs to move one, beside every usual way to do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ftloader import Pipeline, lab
from ftloader.lab.costs import Cell, Contender, Measured

from . import bare
from .window import Plan, require, timed

WORKERS = 2
Open = Callable[[int], Iterable[Any]]


def numbers(total: int) -> Iterator[int]:
    """Give what ``range`` gives, one by one: a source of which an engine can know nothing."""
    yield from range(total)


def pipeline(source: Any, stages: int, order: Any, **options: Any) -> Iterable[Any]:
    described: Pipeline[Any] = Pipeline(source)
    for _ in range(stages):
        described = described.pipe(bare.same, concurrency=WORKERS, output_order=order)
    return described.run("threads", **options)


def plan_for(amount: int) -> Plan:
    return Plan(warm=amount // 4 + 16, count=amount, tail=amount // 8 + 16)


def contender(name: str, title: str, open_items: Open, order: str) -> Contender:
    """Make a contender of something that turns ``range(total)`` into an iterable of results."""

    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        plan = plan_for(amount)
        seconds, got = timed(open_items(plan.total), plan)
        require(got, range(plan.total), order)
        return Measured(1e6 * seconds / plan.count, seconds)

    return Contender(name, title, measure)


def contenders(stages: int, order: str) -> tuple[Contender, ...]:
    ops = [bare.same] * stages

    def ours(source: Callable[[int], Any], **options: Any) -> Open:
        return lambda total: pipeline(source(total), stages, order, **options)

    def window(items: Iterable[Any], op: bare.Op) -> Iterator[Any]:
        return bare.pool_window(items, op, WORKERS, 4 * WORKERS)

    def mapper(items: Iterable[Any], op: bare.Op) -> Iterator[Any]:
        return bare.torchdata_style(items, op, WORKERS)

    def queues(chunk: int) -> Open:
        ordered = order == "input"
        bound = 4 * WORKERS * stages
        return lambda n: bare.queues(range(n), ops, WORKERS, chunk, ordered, bound)

    found: list[tuple[str, str, Open]] = [("ftloader_range", "ftloader, from a range", ours(range))]
    if order == "input":
        generator = ours(lambda total: lambda: numbers(total))
        found.append(("ftloader_generator", "ftloader, from a generator", generator))
    if stages > 1:
        fused = ours(range, fuse=True)
        found.append(("ftloader_fused", "ftloader, from a range, stages fused", fused))
    found.append(
        (
            "spdl",
            "SPDL 0.8",
            lambda n: bare.spdl_run(
                bare.spdl_builder(range(n), ops, WORKERS, order),
                WORKERS * stages,
            ),
        )
    )
    if order == "input":  # both keep the order by their nature
        found += [
            (
                "torchdata_style",
                "torchdata-style hand-over: queue.Queue, one item each, a sorting thread",
                lambda n: bare.stacked(mapper, range(n), ops),
            ),
            (
                "pool_window",
                "ThreadPoolExecutor, one submit per item and stage, window of 8",
                lambda n: bare.stacked(window, range(n), ops),
            ),
        ]
    found += [
        ("queues_1", "threads + SimpleQueue, 1 item per hop", queues(1)),
        ("queues_16", "threads + SimpleQueue, 16 items per hop", queues(16)),
    ]
    if order == "input":
        loop = "a serial loop, no threads"
        found.append(("serial", loop, lambda n: bare.serial(range(n), ops)))
    return tuple(contender(name, title, opened, order) for name, title, opened in found)


def cell(stages: int, order: str) -> Cell:
    plural = "stage" if stages == 1 else "stages"
    return Cell(
        name=f"noop_{stages}_{order}",
        title=f"No work, {stages} {plural}, {order} order",
        about=f"{stages} {plural} of {WORKERS} workers whose operation returns its argument; the "
        "value is the time between two items at the reader",
        unit="µs per item",
        better="lower",
        baseline="queues_1",
        contenders=contenders(stages, order),
    )


CELLS = tuple(cell(stages, order) for stages in (1, 3) for order in ("input", "completion"))
