"""What a pattern of sharing is, and how it is measured."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ftloader import lab, runtime
from ftloader.errors import DigestError
from ftloader.lab import controls
from ftloader.lab.experiment import Control
from ftloader.lab.trials import Contender, Outcome

#: Steps of the pass that is checked.
_CHECKED = 640


def nothing() -> None:
    return None


@dataclass(frozen=True)
class Pattern:
    """One way in which threads share, or do not share, what a loop touches.

    Attributes:
        name: short name in files.
        title: name for people.
        make: builds what all threads share, in the main thread.
        work: takes steps on it; every ``thin``-th step is an operation.
        thin: for operations that take long: a unit of work has so many fewer of them.
        waits: whether threads wait for one another, so that they cannot be asked to run all the
            time.
        check: is given what is shared, and how many operations were done on it, and tells whether
            that can be.
    """

    name: str
    title: str
    work: Callable[[Any, int], None]
    make: Callable[[], Any] = nothing
    thin: int = 1
    waits: bool = False
    check: Callable[[Any, int], bool] = lambda shared, operations: True


def contender(pattern: Pattern) -> Contender:
    """Return a pattern as a contender."""

    def run(inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
        threads = int(settings["threads"])
        verify(pattern, threads)
        return measure(pattern, threads, int(settings["pairs"]), float(settings["window"]))

    return Contender(pattern.name, pattern.title, run)


def verify(pattern: Pattern, threads: int) -> None:
    """Work on raw threads and check what became of what they share.

    The first thread of a process also changes it for good (3.13t then exempts functions, classes
    and modules from counting), so this has to come before anything is timed.

    Raises:
        DigestError: an update was lost.
    """
    shared = pattern.make()
    ready = threading.Barrier(threads)

    def body() -> None:
        ready.wait()
        pattern.work(shared, _CHECKED)

    workers = [threading.Thread(target=body) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if not pattern.check(shared, threads * (_CHECKED // pattern.thin)):
        raise DigestError(f"pattern {pattern.name!r}: {threads} threads lost something they shared")


def measure(pattern: Pattern, threads: int, pairs: int, window: float) -> Outcome:
    """Measure threads against one raw thread, in turns; see ``controls.measure``.

    Args:
        pattern: what they do.
        threads: how many.
        pairs: accepted pairs wanted.
        window: shortest time of a sample, seconds; 0 for what the GIL asks for.
    """
    found = controls.measure(
        Control(pattern.name, pattern.make, pattern.work, pattern.title),
        threads,
        pairs,
        runtime.gil_enabled(),
        gate=gate(pattern, threads),
        window=window or None,
        equal_windows=True,
    )
    values = {"refused": float(found["refused"])}
    if found["ratio"] is None:
        note = f"all {found['refused']} pairs were refused: other processes took the cores"
        return Outcome(values, notes=(note,))
    operations = controls.STEPS // pattern.thin
    values["speedup"] = found["ratio"]
    values["rate"] = found["many"] * operations / 1e6
    values["ns"] = 1e9 / (found["one"] * operations)
    return Outcome(values)


def gate(pattern: Pattern, threads: int) -> controls.Gate:
    """Return what a sample must show to count."""
    if threads > runtime.usable_cores():
        return "nothing"
    return "overlapped" if pattern.waits else "ran"
