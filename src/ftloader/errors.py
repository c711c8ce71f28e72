"""Every exception that ftloader raises on purpose, in one tree.

    FtloaderError
    ├── PipelineError        a description that cannot run (also a ValueError)
    ├── EngineUnavailable    the engine needs a package that is not installed (also an ImportError)
    ├── RunError             a run ended early
    │   ├── SourceError      the source raised
    │   ├── StageError       an operation raised
    │   ├── TooManyFailures  more items were skipped than the limit allows
    │   ├── BudgetError      a result, or a group of them, can never fit the memory budget
    │   ├── StuckOperation   an operation takes longer than anybody wants to wait
    │   └── RunStopped       the run was stopped while somebody was still reading
    ├── DataError            input data that cannot be used (also a ValueError)
    │   ├── CocoError        an annotation file that is not COCO, or not readable
    │   └── DecodeError      bytes that are not an image, or a truncated one
    ├── PlanError            an epoch cannot be planned as asked (also a ValueError)
    ├── StateError           a loader cannot go on from the state it was given (also a ValueError)
    ├── AuditError           what is to be audited cannot be had or called (also a ValueError)
    └── MeasurementError     a benchmark that must not be believed
        ├── ArmError         a process did not run in the arm that was asked for
        ├── DigestError      a parallel run produced other output than the serial run
        ├── ControlError     a control did not come out as it must
        └── WorkerDied       a measuring process crashed or hung

Messages say what was wrong, where, and what to do, in one line; the original exception is chained.
"""

from __future__ import annotations


class FtloaderError(Exception):
    """Base of every exception that ftloader raises on purpose."""


class PipelineError(FtloaderError, ValueError):
    """A pipeline description that cannot run; raised while it is being described."""


class EngineUnavailable(FtloaderError, ImportError):
    """The engine asked for needs a package that is not installed."""


class RunError(FtloaderError):
    """A run ended before its source was exhausted.

    Attributes:
        others: what else had failed in the run by the time this error reached the reader.
    """

    others: tuple[RunError, ...] = ()


class SourceError(RunError):
    """The source raised; the original exception is chained as ``__cause__``."""


class StageError(RunError):
    """An operation raised; the original exception is chained as ``__cause__``.

    Attributes:
        stage: name of the stage, as printed by the pipeline.
        index: position of the item in the stage's input, counted from 0; ``None`` where the
            engine cannot know it.
        item: the item's key, or a short text for it (never the item itself, which may be large).
        attempt: the attempt that was the last, counted from 1.
    """

    def __init__(
        self, stage: str, index: int | None, item: str, cause: BaseException, attempt: int = 1
    ) -> None:
        where = f"item {index} " if index is not None else ""
        tried = f", attempt {attempt}" if attempt > 1 else ""
        super().__init__(f"stage {stage!r} failed on {where}({item}){tried}: {summary(cause)}")
        self.stage = stage
        self.index = index
        self.item = item
        self.attempt = attempt
        self.__cause__ = cause


class TooManyFailures(RunError):
    """More items were skipped than the limit allows.

    ``__cause__`` is an exception group of the first of them.
    """


class BudgetError(RunError):
    """A result, or a group of them, can never fit its share of the memory budget."""


class StuckOperation(RunError):
    """An operation takes longer than anybody wants to wait; the message holds its stack.

    Python cannot end a thread: it lives on until the operation returns.
    """


def summary(error: BaseException) -> str:
    """Return an exception's type and text in one line; its own ``__str__`` may be broken."""
    try:
        text = " ".join(str(error).split())
    except Exception as broken:
        text = f"(its text cannot be had: {type(broken).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class RunStopped(RunError):
    """The run was stopped by somebody else while this reader was still reading."""


class DataError(FtloaderError, ValueError):
    """Input data that cannot be used."""


class CocoError(DataError):
    """An annotation file that is not COCO, or a data folder that cannot be read."""


class DecodeError(DataError):
    """Bytes that are not an image, or a truncated one."""


class PlanError(FtloaderError, ValueError):
    """An epoch cannot be planned as asked: options that cannot be, or a sample over the budget."""


class StateError(FtloaderError, ValueError):
    """A loader cannot go on from a state: damaged, or of other data, another policy or world."""


class AuditError(FtloaderError, ValueError):
    """What is to be audited cannot be imported, made or called, or its options make no sense."""


class MeasurementError(FtloaderError):
    """A measurement that must not be believed."""


class ArmError(MeasurementError):
    """A process did not run in the arm (interpreter and GIL mode) that was asked for."""


class DigestError(MeasurementError):
    """A parallel run produced other output than the serial run."""


class ControlError(MeasurementError):
    """A control did not come out as it must, or is missing."""


class WorkerDied(MeasurementError):
    """A measuring process crashed, hung or ended without an answer.

    Attributes:
        how: what happened to it, such as "died of signal 11".
        words: its last lines on stderr.
    """

    def __init__(self, message: str, how: str = "", words: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.how = how
        self.words = words
