"""A staged data loader for object detection on free-threaded Python."""

from typing import TYPE_CHECKING, Any

from .errors import (
    ArmError,
    CocoError,
    ControlError,
    DataError,
    DecodeError,
    DigestError,
    EngineUnavailable,
    FtloaderError,
    MeasurementError,
    PipelineError,
    RunError,
    RunStopped,
    SourceError,
    StageError,
)
from .pipeline import Pipeline
from .stages import Aggregator

if TYPE_CHECKING:
    from .rng import sample_rng

__all__ = [
    "Aggregator",
    "ArmError",
    "CocoError",
    "ControlError",
    "DataError",
    "DecodeError",
    "DigestError",
    "EngineUnavailable",
    "FtloaderError",
    "MeasurementError",
    "Pipeline",
    "PipelineError",
    "RunError",
    "RunStopped",
    "SourceError",
    "StageError",
    "sample_rng",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # NumPy takes longer to import than all of ftloader, and describing a pipeline does not need it.
    if name == "sample_rng":
        from .rng import sample_rng

        return sample_rng
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
