"""A staged data loader for object detection on free-threaded Python."""

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
from .rng import sample_rng
from .stages import Aggregator

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
