"""Who takes part: orders of output, sizes of buffers, and pools with windows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from ftloader import Pipeline, lab, runtime
from ftloader.lab.pools import pool_map, pool_window
from ftloader.lab.reading import read, spread
from ftloader.lab.trials import Contender, Outcome

from .work import GROUP, Bench, Item, Made, digest, items_of

Op = Callable[[Item], Made]
Order = Literal["input", "completion"]


@dataclass(frozen=True)
class Way:
    """One way to run the work: opened on items, with an operation, on so many workers."""

    opened: Callable[[list[Item], Op, int], Generator[Made]]
    order: Order = "input"

    def __call__(self, inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
        workers, groups = int(settings["workers"]), int(settings["groups"])
        items = items_of(groups, int(settings["factor"]), inputs.seed)
        bench = Bench(len(items))
        with closing(self.opened(items, bench.derive, workers)) as results:
            reading = read(results, len(items))
        made = list(reading.items)
        found = digest(made, len(items), self.order == "input")
        # The first hundred warm up; the last are left out, since workers run out of work.
        first, last = GROUP, len(items) - GROUP
        seconds, waits = reading.seconds(first, last), reading.waits(first, last)
        cost = sum(bench.cost[place] for place, _ in made[first:last])
        able = min(workers, runtime.usable_cores())
        values = {
            "rate": (last - first) / seconds,
            "share": cost / able / seconds,
            "held": float(bench.held(reading)),
            **spread(waits),
        }
        return Outcome(values, found, {"p99_ms": [1e3 * wait for wait in waits]})


def ours(order: Order, ahead: int = 0) -> Way:
    """Return ftloader in an order of output, with so many results ready per worker."""

    def opened(items: list[Item], op: Op, workers: int) -> Generator[Made]:
        stage = Pipeline(items).pipe(op, concurrency=workers, output_order=order)
        run = (stage.prefetch(ahead * workers) if ahead else stage).run()
        with run:
            yield from run

    return Way(opened, order)


def pool(window: int) -> Way:
    """Return a pool with so many items submitted per worker."""
    return Way(lambda items, op, workers: pool_window(items, op, workers, window * workers))


CONTENDERS = (
    Contender("input", "ftloader, input order", ours("input")),
    Contender("completion", "ftloader, completion order", ours("completion")),
    Contender("input_16", "ftloader, input order, 16 ready per worker", ours("input", 16)),
    Contender("input_128", "ftloader, input order, 128 ready per worker", ours("input", 128)),
    Contender("pool_2", "ThreadPoolExecutor, a window of 2 per worker", pool(2)),
    Contender("pool_16", "ThreadPoolExecutor, a window of 16 per worker", pool(16)),
    Contender("pool_map", "ThreadPoolExecutor.map, a window without bound", Way(pool_map)),
)
