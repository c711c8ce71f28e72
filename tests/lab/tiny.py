"""A small experiment for the laboratory's own tests; ``TINY_FAULT`` plants a fault in it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ftloader import Pipeline, lab
from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL

FAULT = os.environ.get("TINY_FAULT", "")
if FAULT == "leaves its CPUs":
    os.sched_setaffinity(0, range(os.cpu_count() or 1))


def sizes(inputs: lab.Inputs) -> Sequence[int]:
    return [len(sample.jpeg) + 1000 * len(sample.annotations) for sample in inputs.samples]


def work(size: int) -> np.ndarray[Any, Any]:
    serial = threading.current_thread() is threading.main_thread()
    in_pool = multiprocessing.parent_process() is not None
    if FAULT == "differs in threads" and not serial:
        size += 1
    elif FAULT == "hangs in threads" and not serial:
        threading.Event().wait()
    elif FAULT == "differs in processes" and in_pool:
        size += 1
    elif FAULT == "hangs in processes" and in_pool:
        threading.Event().wait()
    elif FAULT == "crashes" or (FAULT == "crashes in processes" and in_pool):
        os.kill(os.getpid(), signal.SIGKILL)
    return np.arange(size % 5000, dtype=np.int64).cumsum()


CONTROLS = {
    "no contention control": (CEILING_CONTROL,),
    "no ceiling control": (CONTENTION_CONTROL,),
}

EXPERIMENT = lab.Experiment(
    name="tiny",
    title="A tiny experiment",
    question="Does the laboratory work?",
    workloads=(
        lab.Workload(
            name="sums",
            title="Running sums & <more>",
            about="sums of small ranges",
            prepare=sizes,
            build=lambda source, threads: Pipeline(source).pipe(work, concurrency=threads),
            call=work,
        ),
    ),
    controls=CONTROLS.get(FAULT, (CEILING_CONTROL, CONTENTION_CONTROL)),
)

if __name__ == "__main__":
    sys.exit(lab.main(EXPERIMENT, __file__))
