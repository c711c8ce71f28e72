"""The plan of a run as text: its parts, their threads, and what may be in flight."""

from __future__ import annotations

from typing import Any

from ..options import RunOptions
from ..pipeline import Pipeline
from ..stages import Pipe
from .budget import in_megabytes
from .plan import Part, concurrency_of, plan
from .shares import divide
from .state import RunState


def explain(pipeline: Pipeline[Any], options: RunOptions) -> str:
    """Return the plan of a run, one line for each part.

    Raises:
        PipelineError: the pipeline cannot run with these options.
    """
    first, parts = plan(pipeline, options)
    threads = 1 + sum(part.threads for part in parts)
    loop = any(part.is_async for part in parts)
    head = str(pipeline).partition("\n")[0]
    lines = [
        f"{head}: {threads} threads" + (" and an event loop" if loop else ""),
        f"  source: 1 thread; up to {first or 2} items wait behind it",
    ]
    lines += [f"  {describe(part)}" for part in parts]
    for share in divide(pipeline, options, RunState()).values():
        lines.append(f"  memory: results of {share.stage} lease from {in_megabytes(share.size)}")
    return "\n".join(lines)


def describe(part: Part) -> str:
    """Return one part in one line."""
    names = " + ".join(stage.name for stage in part.stages)
    if part.is_async:
        where = f"on the event loop, {concurrency_of(part.last)} at once"
    elif len(part.stages) > 1:
        at_once = concurrency_of(part.last)
        where = f"fused on {part.threads} threads, {at_once} in each stage at once"
    else:
        where = f"{part.threads} thread{'s' if part.threads > 1 else ''}"
    order = ""
    if isinstance(part.last, Pipe) and concurrency_of(part.last) > 1:
        order = f", {part.last.output_order} order"
    return f"{names}: {where}{order}; up to {part.capacity} results wait behind"
