"""The jobs: bytes in flight, delayed frees, trees of processes."""

from __future__ import annotations

from ftloader.lab.trials import Cell, Contender

from . import delayed, flight, trees

BUDGET_MB = 48
OBJECTS = 20


def names(contenders: tuple[Contender, ...]) -> tuple[str, ...]:
    return tuple(one.name for one in contenders)


def tree_cell(workers: int) -> Cell:
    return Cell(
        name=f"tree_{workers}",
        title=f"Threads or processes, {workers} workers",
        about=f"an index of 20,000 annotations as Python objects, 150 images decoded by {workers} "
        "workers and handed to the reader; memory of all processes together",
        settings={"workers": workers, "samples": 150, "records": 20_000},
        contenders=names(trees.CONTENDERS) if workers <= 4 else ("threads", "fork"),
        baseline="threads",
        group="tree",
        x=workers,
        x_title="workers",
    )


CELLS = (
    Cell(
        name="flight",
        title="Bytes in flight",
        about=f"300 results of 1 to 4 MB, 4 workers faster than their reader, a budget of "
        f"{BUDGET_MB} MB for those that keep one",
        settings={"workers": 4, "samples": 300, "budget_mb": BUDGET_MB},
        contenders=names(flight.CONTENDERS),
        baseline="budget",
    ),
    Cell(
        name="delayed",
        title="Delayed frees",
        about=f"2 workers make {OBJECTS} objects of 8 MB and are blocked; the reader takes and "
        "drops all of them",
        settings={"workers": 2, "objects": OBJECTS},
        contenders=names(delayed.CONTENDERS),
        baseline="plain_queue",
    ),
    *(tree_cell(workers) for workers in (2, 4, 12)),
)
