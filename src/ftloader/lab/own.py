"""An experiment about a pipeline of yours, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..pipeline import Pipeline
from .controls import CEILING_CONTROL, CONTENTION_CONTROL
from .experiment import Control, Experiment, Inputs, Source, Workload

#: Both controls, which every experiment must have.
CONTROLS: tuple[Control, ...] = (CEILING_CONTROL, CONTENTION_CONTROL)


def of_pipeline(
    name: str,
    make_source: Callable[[Inputs], Sequence[Any]],
    build: Callable[[Source, int], Pipeline[Any]],
    *,
    title: str = "",
    question: str = "",
    about: str = "",
    unit: str = "items",
) -> Experiment:
    """Describe how far a pipeline's threads scale, with both controls.

    Args:
        name: short name; also the name of the report folder.
        make_source: makes the items that go in; not timed. It is given images in memory and may
            leave them alone. The same items must come out of every call, in any process.
        build: makes the pipeline from a source and a thread count. One result must come out for
            each item that goes in, and the same one in every run: results are compared with those
            of the serial engine, so they are arrays, numbers, text, or containers of these.
        title: the question's subject, for headings; the name by default.
        question: one sentence ending in a question mark.
        about: one sentence on what is done to an item.
        unit: what is counted.

    Returns:
        The experiment; ``python -m ftloader.lab run module:attribute`` measures it.
    """
    workload = Workload(
        name=name,
        title=title or name,
        about=about or "the pipeline's own work on each item",
        prepare=make_source,
        build=build,
        unit=unit,
    )
    return Experiment(
        name=name,
        title=title or name,
        question=question or f"How far do the threads of {name} scale?",
        workloads=(workload,),
        controls=CONTROLS,
    )
