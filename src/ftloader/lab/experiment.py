"""What an experiment is: a question, workloads that answer it, and controls that keep it honest.

Frozen descriptions, nothing else. They live in a script (``experiments/NAME/run.py``) or a module
that every worker process loads, so the operations being measured are written where the question is.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..errors import ControlError, DataError, MeasurementError
from ..pipeline import EngineName
from . import where as place

Source = Callable[[], Iterable[Any]]
CEILING = "ceiling"
CONTENTION = "contention"
#: A control that an experiment may have beside the two that it must have.
NATIVE = "native"


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


class Runnable(Protocol):
    """What an engine can run, such as a :class:`~ftloader.Pipeline`."""

    def run(self, engine: EngineName, /) -> AbstractContextManager[Iterator[Any]]:
        """Start a run and return it; leaving its context ends it."""


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
        call: a top-level function that makes the result of one item: what the processes of a pool
            run. Without it a process-pool arm leaves the workload out.
    """

    name: str
    title: str
    about: str
    prepare: Callable[[Inputs], Sequence[Any]]
    build: Callable[[Source, int], Runnable]
    unit: str = "images"
    call: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Control:
    """A case whose outcome is known beforehand; if it comes out otherwise the run is worth nothing.

    Attributes:
        name: :data:`CEILING`, :data:`CONTENTION` or :data:`NATIVE`.
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
        controls: at least the ceiling and contention.
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

    def only(self, names: Sequence[str]) -> Experiment:
        """Return the experiment with some of its workloads, in its own order.

        Raises:
            DataError: there is no workload of such a name.
        """
        known = [workload.name for workload in self.workloads]
        for name in names:
            if name not in known:
                raise DataError(
                    f"experiment {self.name!r} has no workload {name!r}; it has {', '.join(known)}"
                )
        return replace(self, workloads=tuple(one for one in self.workloads if one.name in names))

    def names_for(self, threaded: bool) -> list[str]:
        """Return the workloads that arms with threads, or with processes, can run."""
        return [one.name for one in self.workloads if threaded or one.call is not None]


def missing(needs: Iterable[str]) -> str:
    """Import modules; return what went wrong with the first that cannot be, empty if all can."""
    for name in needs:
        try:
            with warnings.catch_warnings(action="ignore"):  # they are about others' code
                importlib.import_module(name)
        except Exception as error:  # native packages fail to load in many ways
            # Where things lie on this machine is nobody's business.
            words = [word for word in str(error).split() if "/" not in word]
            return " ".join([f"{type(error).__name__}:", *words])
    return ""


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


def load(where: Path | str) -> Experiment:
    """Load an experiment: the ``EXPERIMENT`` of a script, or a ``"module:attribute"``.

    Raises:
        DataError: nothing can be loaded from there.
        MeasurementError: it is no ``Experiment``.
    """
    return load_described(where, Experiment, "experiments/scaling/run.py")


def load_described[T](where: Path | str, kind: type[T], example: str) -> T:
    """Load a description (see ``where.load``) if it is of one kind.

    Raises:
        DataError: nothing can be loaded from there.
        MeasurementError: it is of another kind; ``example`` shows how.
    """
    found = place.load(str(where))
    if not isinstance(found, kind):
        raise MeasurementError(f"{where} defines no {kind.__name__}; see {example}")
    return found
