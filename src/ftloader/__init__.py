"""A staged data loader for object detection on free-threaded Python."""

import importlib
from typing import TYPE_CHECKING, Any

from .errors import (
    ArmError,
    AuditError,
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
    PlanError,
    RunError,
    RunStopped,
    SourceError,
    StageError,
    StateError,
    StuckOperation,
    TooManyFailures,
)
from .pipeline import Pipeline
from .policy import FailureRecord, Retry
from .safety import ThreadSafety
from .stages import Aggregator

if TYPE_CHECKING:
    from .interop.torch.dataloader import DataLoader as DataLoader  # needs torch: not in __all__
    from .loader import Loader
    from .observe.log import log_every
    from .observe.profile import profile
    from .observe.progress import progress
    from .rng import sample_rng
    from .tuning import tune

__all__ = [
    "Aggregator",
    "ArmError",
    "AuditError",
    "BudgetError",
    "CocoError",
    "ControlError",
    "DataError",
    "DecodeError",
    "DigestError",
    "EngineUnavailable",
    "FailureRecord",
    "FtloaderError",
    "Loader",
    "MeasurementError",
    "Pipeline",
    "PipelineError",
    "PlanError",
    "Retry",
    "RunError",
    "RunStopped",
    "SourceError",
    "StageError",
    "StateError",
    "StuckOperation",
    "ThreadSafety",
    "TooManyFailures",
    "log_every",
    "profile",
    "progress",
    "sample_rng",
    "tune",
]
__version__ = "0.1.0"


#: Names that come with their module when they are first used: NumPy takes longer to import than
#: all of ftloader, and describing a pipeline needs none of these.
_LATE = {
    "DataLoader": "interop.torch.dataloader",
    "Loader": "loader",
    "log_every": "observe.log",
    "profile": "observe.profile",
    "progress": "observe.progress",
    "sample_rng": "rng",
    "tune": "tuning",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LATE[name]}", __name__), name)
