"""What an experiment is: a question, workloads that answer it, and controls that keep it honest.

Frozen descriptions, nothing else. They live in a script (``experiments/NAME/run.py``) that every
worker process loads by path, so the operations being measured are written where the question is.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ControlError, MeasurementError
from ..pipeline import Pipeline

Source = Callable[[], Iterable[Any]]
CEILING = "ceiling"
CONTENTION = "contention"


@dataclass(frozen=True)
class JpegSample:
    """One image of the data set, as bytes in memory.

    Attributes:
        key: position in the data set.
        width: pixels, as the annotation file gives it.
        height: pixels.
        jpeg: the file's bytes.
        annotations: the raw COCO annotation records of the image.
    """

    key: int
    width: int
    height: int
    jpeg: bytes
    annotations: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Inputs:
    """What every workload may draw on; the same in every process of a run.

    Attributes:
        samples: the images, in data-set order.
        categories: category ids in ascending order.
        seed: the run's seed.
    """

    samples: tuple[JpegSample, ...]
    categories: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class Workload:
    """One thing a loader does, as a pipeline.

    Attributes:
        name: short name in files and tables.
        title: name for people.
        about: one sentence on what it does and which part of it holds the GIL.
        prepare: makes the source items from the inputs; not timed.
        build: makes the pipeline from a source and a thread count; one result per source item.
        unit: what is counted.
    """

    name: str
    title: str
    about: str
    prepare: Callable[[Inputs], Sequence[Any]]
    build: Callable[[Source, int], Pipeline[Any]]
    unit: str = "images"


@dataclass(frozen=True)
class Control:
    """A case whose outcome is known beforehand; if it comes out otherwise the run is worth nothing.

    Attributes:
        name: :data:`CEILING` or :data:`CONTENTION`.
        make: builds what all threads share (on the main thread, as a loader's data would be).
        work: does one unit of work on it; called from one thread or from all of them.
        about: one sentence on what it shows.
    """

    name: str
    make: Callable[[], Any]
    work: Callable[[Any, int], None]
    about: str


@dataclass(frozen=True)
class Experiment:
    """A question and what is measured to answer it.

    Attributes:
        name: short name; also the name of the report folder.
        title: the question's subject, for headings.
        question: one sentence ending in a question mark.
        workloads: what is measured.
        controls: both controls, the ceiling and contention.
    """

    name: str
    title: str
    question: str
    workloads: tuple[Workload, ...]
    controls: tuple[Control, ...]

    def require_controls(self) -> None:
        """Refuse an experiment that lacks one of the two controls.

        Raises:
            ControlError: the ceiling or the contention control is missing.
        """
        require_controls({control.name for control in self.controls}, f"experiment {self.name!r}")


def require_controls(present: set[str], where: str) -> None:
    """Refuse a description or a result that lacks one of the two controls.

    Raises:
        ControlError: the ceiling or the contention control is missing.
    """
    for name in (CEILING, CONTENTION):
        if name not in present:
            raise ControlError(
                f"{where} has no {name} control; without it nobody can tell whether the harness "
                "sees scaling or contention at all, so nothing is measured or plotted"
            )


def load(path: Path) -> Experiment:
    """Load the ``EXPERIMENT`` of an experiment script without running its ``__main__`` part.

    Raises:
        MeasurementError: the file has no ``EXPERIMENT``.
    """
    return load_described(path, Experiment, "experiments/scaling/run.py")


def load_described[T](path: Path, kind: type[T], example: str) -> T:
    """Load the ``EXPERIMENT`` of a script if it is of one kind.

    Raises:
        MeasurementError: the file has none, or one of another kind; ``example`` shows how.
    """
    # Fixed name: classes and functions of the script must pickle and print alike in all processes.
    spec = importlib.util.spec_from_file_location("ftloader_experiment", path)
    if spec is None or spec.loader is None:
        raise MeasurementError(f"{path} is not a Python file; an experiment is a script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = getattr(module, "EXPERIMENT", None)
    if not isinstance(found, kind):
        raise MeasurementError(f"{path} defines no EXPERIMENT; see {example}")
    return found
