"""Result files of scaling runs with known numbers, for what must be said of them.

``run`` makes the records of a run on a machine with as many cores as asked for; the rates are
those of a law of the test's choice, with a little noise that belongs to the block, so that ratios
inside a block are exact up to ``spread``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftloader.lab.arms import Arm

Records = list[dict[str, Any]]
#: Items per second of a workload in an arm at a thread count, before noise.
Rate = Callable[[Arm, int], float]

FLAGS = {"optimisation": "-O3", "pgo": "false", "lto": "false", "shared_library": "false"}
SHARED = {**FLAGS, "shared_library": "true"}


def arm(name: str, version: str, flags: dict[str, str] | None = None) -> Arm:
    """Return an arm; its name says the rest."""
    gil, processes = "GIL off" not in name, "processes" in name
    workers = "processes" if processes else "threads"
    return Arm(name, version, "t" in name.split()[0], gil, flags or FLAGS, workers)


A = arm("3.12", "3.12.11")
B = arm("3.13", "3.13.15")
C = arm("3.13t GIL on", "3.13.15")
D = arm("3.13t GIL off", "3.13.15")
E = arm("3.14t GIL off", "3.14.2")
POOL = arm("3.12 processes", "3.12.11")


@dataclass(frozen=True)
class Machine:
    """A machine that was simulated."""

    cores: int
    threads: Sequence[int]
    blocks: int = 10
    spread: float = 0.01


def amdahl(one: float, serial: float) -> Callable[[int], float]:
    """Return throughput against threads by Amdahl's law."""
    return lambda threads: one * threads / (1 + serial * (threads - 1))


def run(
    machine: Machine,
    arms: Sequence[Arm],
    workloads: dict[str, Rate],
    only_threads: Sequence[str] = (),
) -> Records:
    """Return the records of a run.

    Args:
        machine: where it ran.
        arms: that it had.
        workloads: the rates of each.
        only_threads: workloads that process pools leave out.
    """
    noise = np.random.default_rng(7)
    over = 2 * machine.cores
    records = [_header(machine, arms, workloads, over)]
    records += [_process(one, 1, -1, dict.fromkeys(workloads)) for one in arms]
    for block in range(machine.blocks):
        weather = float(noise.lognormal(0, 0.05))
        for one in arms:
            for threads in (*machine.threads, over):
                found = {
                    name: rate(one, threads) * weather * float(noise.lognormal(0, machine.spread))
                    for name, rate in workloads.items()
                    if one.threaded or name not in only_threads
                }
                judged = 2 <= threads <= machine.cores
                records.append(_process(one, threads, block, found, judged))
    return [*records, {"kind": "end", "status": "complete", "reason": "", "finished": ""}]


def _header(
    machine: Machine, arms: Sequence[Arm], workloads: dict[str, Rate], over: int
) -> dict[str, Any]:
    names = [{"name": n, "title": n.title(), "about": n, "unit": "images"} for n in workloads]
    controls = [{"name": n, "about": n} for n in ("ceiling", "contention", "native")]
    return {
        "kind": "header",
        "schema": "1.3",
        "experiment": {
            "name": "simulated",
            "title": "Simulated",
            "question": "What is said of known numbers?",
            "workloads": names,
            "controls": controls,
        },
        "run": {
            "started": "2026-11-22T00:00:00+00:00",
            "seed": 1,
            "blocks": machine.blocks,
            "mode": "full",
            "command": "none",
            "commit": "",
            "threads": list(machine.threads),
            "oversubscribed": over,
        },
        "arms": [one.to_json() for one in arms],
        "machine": {
            "cpu": "simulated",
            "cores": machine.cores,
            "budget": float(machine.cores),
            "memory_bytes": 0,
            "kernel": "none",
            "machine": "none",
            "libc": "none",
        },
        "data": {"about": "none", "images": 1, "digest": "0", "jpeg_bytes": 1, "annotations": 1},
    }


def _process(
    one: Arm, threads: int, block: int, rates: dict[str, Any], judged: bool = False
) -> dict[str, Any]:
    state = {"version": one.version, "free_threaded": one.free_threaded, "gil": one.gil}
    moment = {**state, "load": [0.0], "steal_seconds": 0.0, "collections": [0]}
    free = threads if not one.gil else 1.0
    ratios = {"ceiling": free, "contention": 0.2 if not one.gil else 0.95, "native": threads}
    found = {name: {"ratio": r, "one": 1.0, "many": r, "refused": 0} for name, r in ratios.items()}
    return {
        "kind": "process",
        "role": "measure" if block >= 0 else "reference",
        "arm": one.name,
        "threads": threads,
        "block": block,
        "position": 0,
        "order": list(rates),
        "before": moment,
        "after": moment,
        "workloads": {name: _workload(rate, one) for name, rate in rates.items()},
        "controls": found if judged else {},
        "provenance": {"source_digest": "0", "packages": {"numpy": "2"}, "affinity": []},
        "seconds": 1.0,
    }


def _workload(rate: float | None, one: Arm) -> dict[str, Any]:
    checks = {"digest": "0", "sample": 0}
    if rate is None:
        return checks
    more = {} if one.threaded else {"per_task": 1}
    return {
        **checks,
        "throughput": rate,
        "cpu_seconds_per_item": 1 / rate,
        "windows": [{"accepted": True}],
        "peak_bytes": 1 << 26,
        "base_bytes": 1 << 25,
        **more,
    }
