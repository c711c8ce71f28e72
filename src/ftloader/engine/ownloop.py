"""What the serial engine needs to await operations on the reader's own thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from ..errors import PipelineError
from ..pipeline import Pipeline
from ..stages import Pipe
from .state import POLL


async def limited(awaitable: Awaitable[Any], seconds: float | None) -> Any:
    """Await something for so long at most."""
    async with asyncio.timeout(seconds):
        return await awaitable


def keep_awake(loop: asyncio.AbstractEventLoop) -> None:
    """Wake the loop every ``POLL`` seconds: a Ctrl-C just before it falls asleep is lost else."""
    loop.call_later(POLL, keep_awake, loop)


def refuse_nested_loop(pipeline: Pipeline[Any]) -> None:
    """Raise if a stage would have to be awaited on a thread that already runs an event loop."""
    for stage in pipeline.stages:
        if isinstance(stage, Pipe) and stage.is_async:
            refuse_running_loop(f"stage {stage.name!r}")


def refuse_running_loop(what: str) -> None:
    """Raise if this thread already runs an event loop, so that nothing can be awaited in it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise PipelineError(
        f"{what}: the serial engine cannot await it inside a running event loop; "
        "use engine='threads'"
    )
