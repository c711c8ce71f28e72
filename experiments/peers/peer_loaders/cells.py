"""The jobs: batch size, number of workers, a training step beside it, and Python-heavy work.

Not every contender is in every cell: what a cell asks is asked of those that it is about, and a
run has to end the same day.
"""

from __future__ import annotations

from ftloader.lab.trials import Cell, Metric

METRICS = (
    Metric(
        "images_per_s",
        "Images per second",
        "1/s",
        "higher",
        "what the reader gets, from the arrival of one batch to that of a later one, in a loader "
        "that was going before and goes on afterwards",
    ),
    Metric(
        "cpu",
        "CPU time per image",
        "ms",
        "lower",
        "user and system time of the process and all of its children over the same window, per "
        "image that the reader got",
    ),
    Metric(
        "memory",
        "Memory",
        "MiB",
        "lower",
        "the largest proportional set size of the process tree, with the shared memory that waits "
        "in it, while the reader holds one batch and the loader is full; less that of the process "
        "with everything imported and the inputs in memory, before the loader was made",
    ),
    Metric(
        "first_batch",
        "Time to the first batch",
        "ms",
        "lower",
        "from before the loader is made to its first batch, with everything imported",
    ),
    Metric(
        "end",
        "Time to end",
        "ms",
        "lower",
        "from dropping or closing a loader that is full, in the middle of its epoch, until no "
        "thread and no process of it lives (looked for every few milliseconds)",
    ),
    Metric(
        "stall",
        "Stall share",
        "",
        "lower",
        "the time that the reader waits for batches, over the whole time of its training steps",
    ),
    Metric("wait_p50", "Wait for a batch, median", "ms", "lower", "of next(), at the reader"),
    Metric(
        "wait_p99",
        "Wait for a batch, 99th percentile",
        "ms",
        "lower",
        "of next(), at the reader; where a window has at least 100 batches",
    ),
)

#: Who is asked about the batch size: every kind of loader.
KINDS = (
    "pipeline",
    "pipeline_spdl",
    "dataloader",
    "spdl",
    "torch",
    "nodes_threads",
    "nodes_processes",
    "pool_threads",
)
#: Who is asked about the number of workers: those of whom something was claimed, and ours.
CLAIMED = ("pipeline", "dataloader", "spdl", "torch", "nodes_threads", "nodes_processes")
BASELINE = "torch"
#: Of one training step: about a third more than two workers need for a batch of 16 on a core of
#: 2.5 GHz, so that a loader which keeps up has something to spare.
STEP_MS = 50


def _settings(workers: int, batch: int, warm: int, rounds: int) -> dict[str, int | float | str]:
    """Return a cell's settings; ``warm`` and ``rounds`` are batches for each worker."""
    return {
        "workers": workers,
        "batch": batch,
        "warm": warm,
        "rounds": rounds,
        "step_ms": 0,
        "work": "images",
    }


def _by_batch(batch: int, warm: int, rounds: int, contenders: tuple[str, ...]) -> Cell:
    return Cell(
        f"batch_{batch}",
        f"Batches of {batch}, 2 workers",
        f"JPEG bytes in memory to batches of {batch} images of 320 × 320 and their boxes",
        _settings(2, batch, warm, rounds),
        contenders,
        BASELINE,
        group="batch size",
        x=batch,
        x_title="images in a batch",
    )


def _by_workers(workers: int, warm: int, rounds: int) -> Cell:
    plural = "" if workers == 1 else "s"
    return Cell(
        f"workers_{workers}",
        f"{workers} worker{plural}, batches of 16",
        f"the same work on {workers} thread{plural} or process{plural and 'es'}, whatever the "
        "number of cores",
        _settings(workers, 16, warm, rounds),
        CLAIMED,
        BASELINE,
        group="workers",
        x=workers,
        x_title="workers",
    )


CELLS = (
    _by_batch(2, warm=16, rounds=150, contenders=KINDS),
    _by_batch(16, warm=4, rounds=50, contenders=(*KINDS, "loader", "pool_processes")),
    _by_batch(64, warm=2, rounds=6, contenders=KINDS),
    _by_batch(256, warm=1, rounds=2, contenders=KINDS),
    _by_workers(1, warm=4, rounds=24),
    _by_workers(2, warm=4, rounds=16),
    _by_workers(4, warm=2, rounds=8),
    _by_workers(8, warm=2, rounds=4),
    _by_workers(16, warm=1, rounds=2),
    Cell(
        "step",
        "With a training step, 2 workers",
        f"batches of 16 read by a loop that has {STEP_MS} ms to do with each, as long as a GPU "
        "would be at work, and lets go of the interpreter meanwhile",
        {**_settings(2, 16, 4, 16), "step_ms": STEP_MS},
        (*CLAIMED, "loader", "pool_threads"),
        BASELINE,
    ),
    Cell(
        "python",
        "Python-heavy work, 2 workers",
        "COCO records parsed, flipped and filtered in Python, outlines made masks by small NumPy "
        "calls (the annotations of the experiment on scaling), 16 images in a batch; nearly all "
        "of the time holds the GIL",
        {**_settings(2, 16, 2, 16), "work": "annotations"},
        (*KINDS, "pool_processes"),
        BASELINE,
    ),
)
