"""Workloads of one function: a stage for threads, the function itself for a pool of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ftloader import Pipeline, lab


def mapped(
    name: str,
    title: str,
    about: str,
    prepare: Callable[[lab.Inputs], Sequence[Any]],
    call: Callable[[Any], Any],
) -> lab.Workload:
    """Return the workload that calls a function, found by its name, for every item."""
    return lab.Workload(
        name=name,
        title=title,
        about=about,
        prepare=prepare,
        build=lambda source, threads: Pipeline(source).pipe(call, concurrency=threads),
        call=call,
    )
