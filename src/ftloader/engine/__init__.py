"""Engines execute a description; they move opaque items and know nothing of images.

Reading order: ``base`` (what every engine promises), ``serial`` (the reference), ``channel`` and
``workers`` (how items cross threads), ``threads`` (the native engine), ``aio`` (its event loop),
``spdl`` (the second engine).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import PipelineError

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
    if engine == "threads":
        from .threads import ThreadsRun

        return ThreadsRun(pipeline, options)
    if engine == "serial":
        from .serial import SerialRun

        return SerialRun(pipeline, options)
    if engine == "spdl":
        from .spdl import SpdlRun

        return SpdlRun(pipeline, options)
    raise PipelineError(f"there is no engine {engine!r}; choose one of {', '.join(ENGINES)}")
