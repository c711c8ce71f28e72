"""A staged data loader for object detection on free-threaded Python."""

from typing import TYPE_CHECKING, Any

from .errors import (
    ArmError,
    BudgetError,
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
    StuckOperation,
    TooManyFailures,
)
from .pipeline import Pipeline
from .policy import FailureRecord, Retry
from .stages import Aggregator

if TYPE_CHECKING:
    from .rng import sample_rng

__all__ = [
    "Aggregator",
    "ArmError",
    "BudgetError",
    "CocoError",
    "ControlError",
    "DataError",
    "DecodeError",
    "DigestError",
    "EngineUnavailable",
    "FailureRecord",
    "FtloaderError",
    "MeasurementError",
    "Pipeline",
    "PipelineError",
    "Retry",
    "RunError",
    "RunStopped",
    "SourceError",
    "StageError",
    "StuckOperation",
    "TooManyFailures",
    "sample_rng",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # NumPy takes longer to import than all of ftloader, and describing a pipeline does not need it.
    if name == "sample_rng":
        from .rng import sample_rng

        return sample_rng
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
