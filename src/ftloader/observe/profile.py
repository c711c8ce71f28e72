"""Run a pipeline for a while, read everything it gives, and say where the time went.

The figures are those of the moment at which the limit was reached, not of the end of the
operations that were still in flight then. Nothing is kept of the items.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any, Final, Literal, Unpack

from ..engine.base import Run
from ..engine.stats import RunStats
from ..errors import PipelineError, RunStopped
from ..options import RunKeywords
from ..pipeline import EngineName, Pipeline
from ..runtime import interpreter_name
from .advice import Machine
from .bottleneck import Bottleneck, bottleneck
from .table import table
from .trace import Span, save_trace

Ended = Literal["end", "items", "seconds", "interrupted"]

_ENDINGS: Final = {
    "end": "to the end",
    "items": "to the item limit",
    "seconds": "to the time limit",
    "interrupted": "until interrupted",
}
#: Seconds that the reader has to notice by itself that its time is up.
_GRACE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Profile:
    """What a pipeline did while it was profiled; print it for a table and a verdict.

    Attributes:
        stats: the run's counters.
        wall: seconds measured.
        bottleneck: what limited the run, and what to try.
        machine: cores that could be used and were used, and whether the GIL was on.
        engine: the engine that ran it.
        ended: why it stopped: ``"end"`` of the source, ``"items"``, ``"seconds"`` or
            ``"interrupted"`` by Ctrl-C.
        spans: stage, worker, begin and end (seconds of ``time.perf_counter``) and items of every
            piece of work, if the run was traced.
    """

    stats: RunStats
    wall: float
    bottleneck: Bottleneck
    machine: Machine
    engine: str
    ended: Ended
    spans: tuple[Span, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.text()

    def text(self, *, colour: bool = False, width: int = 80) -> str:
        """Return the table and the verdict.

        Args:
            colour: whether to use a terminal's colours.
            width: columns to fit into.
        """
        stage = self.stats.stages[0].name if self.stats.stages else None
        if self.bottleneck.stage != "the source":
            stage = self.bottleneck.stage
        gil = "on" if self.machine.gil else "off"
        return "\n".join(
            [
                table(self.stats, width=width, colour=colour, highlight=stage),
                f"process: {self.machine.cpu or 0:.2f} of {self.machine.cores:g} cores in use, "
                f"GIL {gil}; engine {self.engine}, {_ENDINGS[self.ended]}",
                "",
                fill(str(self.bottleneck), width),
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the spans as plain values, for JSON."""
        return {
            "schema": "ftloader.profile/1",
            "interpreter": interpreter_name(),
            "engine": self.engine,
            "ended": self.ended,
            "wall": self.wall,
            "machine": asdict(self.machine),
            "bottleneck": asdict(self.bottleneck),
            "stats": asdict(self.stats),
        }

    def save_trace(self, path: str | Path) -> None:
        """Write the spans as a trace file that Perfetto and Chrome's tracing page open.

        Args:
            path: the file to write (JSON).

        Raises:
            PipelineError: the run was not traced, or the engine keeps no spans.
            OSError: the file cannot be written.
        """
        if not self.spans:
            raise PipelineError(
                f"there is nothing to trace: the run was not traced, nothing was worked on, or "
                f"the engine {self.engine!r} keeps no spans"
            )
        save_trace(path, self.spans, [stage.name for stage in self.stats.stages])


def profile(
    pipeline: Pipeline[Any],
    *,
    seconds: float = 10.0,
    items: int | None = None,
    engine: EngineName = "threads",
    **options: Unpack[RunKeywords],
) -> Profile:
    """Run a pipeline, reading as fast as it gives, and return what was measured.

    The items are dropped as they come, so the reader never limits the run; in a training loop it
    may (use ``run.stats()`` there). Ctrl-C ends the measurement early and is not raised.

    Args:
        pipeline: what to run, from its source's beginning.
        seconds: time limit. Operations in flight then are waited for, and not counted.
        items: how many items to read at most; all by default.
        engine: the engine to run on.
        **options: as for :meth:`ftloader.Pipeline.run`. ``trace`` is on unless it is set: it keeps
            the spans for :meth:`Profile.save_trace`, about a hundred bytes for each chunk of items.

    Raises:
        PipelineError: a limit cannot be, or the pipeline cannot run.
        RunError: the pipeline failed.

    Thread safety: one call at a time measures what it should, because the processor time is that
    of the process.
    """
    if not seconds > 0:
        raise PipelineError(f"profile: seconds is a positive number, not {seconds!r}")
    if items is not None and items < 1:
        raise PipelineError(f"profile: items is at least 1, not {items!r}")
    with_trace: RunKeywords = {"trace": True, **options}
    reading = _Reading(pipeline.run(engine, **with_trace))
    try:
        ended = reading.read(items, min(seconds, threading.TIMEOUT_MAX))
    except KeyboardInterrupt:  # before or after reading, or at a jump that no try covers (CPython)
        reading.run.stop()
        ended = "interrupted"
    stats, wall, cpu = reading.figures
    machine = Machine.here(cpu / wall if wall > 0 else None)
    return Profile(
        stats,
        wall,
        bottleneck(stats, machine),
        machine,
        engine,
        ended,
        tuple(reading.run.spans()),
    )


class _Reading:
    """Reads a run up to a limit, and takes the figures at that moment."""

    def __init__(self, run: Run[Any]) -> None:
        self.run = run
        self._begin = time.perf_counter(), time.process_time()
        self._time_is_up = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._figures: tuple[RunStats, float, float] | None = None

    @property
    def figures(self) -> tuple[RunStats, float, float]:
        """The counters, wall and processor seconds when the limit was reached."""
        with self._lock:
            if self._figures is None:
                wall, cpu = self._begin
                self._figures = (
                    self.run.stats(),
                    time.perf_counter() - wall,
                    time.process_time() - cpu,
                )
            return self._figures

    def read(self, items: int | None, seconds: float) -> Ended:
        """Read, then end the run.

        Args:
            items: most items to read.
            seconds: most time to take.
        """
        watch = threading.Thread(
            target=self._watch, args=(seconds,), name="ftloader-profile", daemon=True
        )
        watch.start()
        try:
            return self._read(items)
        finally:
            self._over.set()
            self.run.stop()
            watch.join()

    def _read(self, items: int | None) -> Ended:
        count = 0
        try:
            while count != items:
                if self._time_is_up.is_set():
                    return "seconds"
                next(self.run)
                count += 1
        except StopIteration:
            return "end"
        except KeyboardInterrupt:
            return "interrupted"
        except RunStopped:
            if not self._time_is_up.is_set():
                raise
            return "seconds"
        finally:
            _ = self.figures
        return "items"

    def _watch(self, seconds: float) -> None:
        if self._over.wait(seconds):
            return
        _ = self.figures
        self._time_is_up.set()
        # A reader that comes back by itself ends the run; one that waits has to be woken.
        if not self._over.wait(_GRACE):
            self.run.stop()
