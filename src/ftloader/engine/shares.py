"""How a memory budget is divided between the stages of a pipeline."""

from __future__ import annotations

from typing import Any, Final

from ..errors import PipelineError
from ..options import RunOptions
from ..pipeline import Pipeline
from ..runtime import free_threaded_build
from ..stages import Pipe
from .budget import Share
from .state import RunState

#: Seconds after which a waiting thread looks whether what it made has been dropped.
MAKER_POLL: Final = 0.02


def divide(pipeline: Pipeline[Any], options: RunOptions, state: RunState) -> dict[str, Share]:
    """Return the share of each stage that leases; empty without a memory budget.

    A budget in one number is divided equally between the stages that have a weight, or if none
    has, between all whose results can be weighed.

    Raises:
        PipelineError: the budget names a stage that has no results to weigh, or there is none.
    """
    budget = options.memory_budget
    if budget is None:
        return {}
    weighed = {
        stage.name: stage
        for stage in pipeline.stages
        if isinstance(stage, Pipe) and stage.kind != "async generator"
    }
    if isinstance(budget, int):
        names = [name for name, stage in weighed.items() if stage.weight] or list(weighed)
        if not names:
            raise PipelineError("run: memory_budget needs a stage made by pipe(), to lease from it")
        sizes = dict.fromkeys(names, max(1, budget // len(names)))
    else:
        sizes = dict(budget)
        for name in sizes:
            if name not in weighed:
                known = ", ".join(weighed) or "none"
                raise PipelineError(
                    f"run: memory_budget names the stage {name!r}; those that can lease: {known}"
                )
    if free_threaded_build():
        state.poll = MAKER_POLL
    return {name: Share(state, name, size) for name, size in sizes.items()}
