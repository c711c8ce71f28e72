"""Engines execute a description; they move opaque items and know nothing of images.

Reading order: ``base`` (what every engine promises), ``serial`` (the reference), ``plan`` (which
threads a pipeline gets), ``channel`` (how items cross threads), ``workers`` and ``feed`` (what the
threads do), ``graph`` and ``threads`` (a run), ``astage`` (its event loop); then, each for itself,
``rescue`` and ``skips`` (failures), ``budget`` (memory), ``stats``, and ``spdl`` (the second
engine).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import PipelineError
from ..stages import Pipe

if TYPE_CHECKING:
    from ..options import RunOptions
    from ..pipeline import Pipeline
    from .base import Run

ENGINES = ("threads", "serial", "spdl")


def start(pipeline: Pipeline[Any], engine: str, options: RunOptions) -> Run[Any]:
    """Start a run of ``pipeline`` on the engine of that name.

    Raises:
        PipelineError: there is no such engine.
        EngineUnavailable: the engine's package is not installed.
    """
    if engine not in ENGINES:
        raise PipelineError(f"there is no engine {engine!r}; choose one of {', '.join(ENGINES)}")
    if engine != "serial":  # which has no concurrency
        pipeline = with_numbers(pipeline)
    if engine == "threads":
        from .threads import ThreadsRun

        return ThreadsRun(pipeline, options)
    if engine == "serial":
        from .serial import SerialRun

        return SerialRun(pipeline, options)
    from .spdl import SpdlRun

    return SpdlRun(pipeline, options)


def with_numbers(pipeline: Pipeline[Any]) -> Pipeline[Any]:
    """Return the pipeline with numbers in place of every ``concurrency="auto"``.

    Raises:
        PipelineError: the pipeline cannot be tried.
        RunError: its source or an operation raised while it was tried.
    """
    if not any(
        isinstance(stage, Pipe) and stage.concurrency == "auto" for stage in pipeline.stages
    ):
        return pipeline
    from ..tuning import resolve

    return resolve(pipeline)
