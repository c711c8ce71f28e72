"""Running a plan: one process per cell, in order, each checked before the next one starts.

A run that must not be believed stops at once: a wrong arm, a digest that differs from the serial
one, a worker that died or hung. What was measured until then stays in the result file, which says
how the run ended. No process outlives the run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import MeasurementError
from . import check
from .arms import Arm, environment
from .cells import Cell
from .experiment import Experiment
from .measure import Settings
from .results import Writer
from .worker import Job

_STDERR_LINES = 40
_GRACE = 5.0


@dataclass(frozen=True)
class Bench:
    """What stays the same over a run's processes.

    Attributes:
        script: the experiment script.
        experiment: what it defines.
        inputs: file with the pickled inputs.
        interpreters: path of each arm's interpreter, by arm name.
        settings: how long to measure.
        deadline: seconds a process may take.
    """

    script: Path
    experiment: Experiment
    inputs: Path
    interpreters: Mapping[str, Path]
    settings: Settings
    deadline: float


class Progress:
    """Says on stderr what is done and how long the rest will take."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begin = time.monotonic()
        self._live = sys.stderr.isatty()
        self._last_said = float("-inf")

    def step(self, done: int, what: str) -> None:
        """Tell that ``done`` processes are finished and ``what`` starts now."""
        now = time.monotonic()
        # In a log, a line every ten seconds; on a terminal, one line that changes.
        if not self._live and now - self._last_said < 10 and done < self._total:
            return
        self._last_said = now
        left = ""
        if done:
            left = f", about {_span((now - self._begin) / done * (self._total - done))} left"
        line = f"[{done}/{self._total}] {what}{left}"
        if self._live:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the changing line."""
        if self._live:
            print(file=sys.stderr)


def run(bench: Bench, arms: Sequence[Arm], cells: Sequence[Cell], writer: Writer) -> None:
    """Run the serial reference of each arm, then every cell, appending each record.

    Raises:
        MeasurementError: a process died, hung, or measured something that must not be believed.
        KeyboardInterrupt: Ctrl-C; the process in flight has been ended.
    """
    names = tuple(workload.name for workload in bench.experiment.workloads)
    progress = Progress(len(arms) + len(cells))
    references: dict[str, Mapping[str, Any]] = {}
    try:
        for done, arm in enumerate(arms):
            progress.step(done, f"{arm.name}: serial reference digests")
            record = _process(bench, Cell(arm, 1, -1, done, names), "reference")
            check.same_source(record, references)
            references[arm.name] = record
            writer.process(record)
        check.references_agree(list(references.values()))
        # On a busy machine one more try per block, on average, is all that is worth its time.
        retries = len({cell.block for cell in cells})
        for done, cell in enumerate(cells, len(arms)):
            progress.step(
                done, f"block {cell.block + 1}, {cell.arm.name}, {_threads(cell.threads)}"
            )
            while True:
                record = _process(bench, cell, "measure")
                check.process(record, cell.arm, references[cell.arm.name])
                writer.process(record)
                if retries == 0 or not _refused(record):
                    break
                retries -= 1
        progress.step(len(arms) + len(cells), "measured")
    finally:
        progress.close()


def _process(bench: Bench, cell: Cell, role: str) -> dict[str, Any]:
    """Run one worker process to its end and return its record."""
    job = Job(
        experiment=str(bench.script),
        inputs=str(bench.inputs),
        arm=cell.arm,
        role=role,
        threads=cell.threads,
        order=cell.order,
        settings=bench.settings,
        deadline=bench.deadline,
    )
    where = f"arm {cell.arm.name}, {_threads(cell.threads)}, block {cell.block + 1}"
    interpreter = bench.interpreters[cell.arm.name]
    record = ask(interpreter, "ftloader.lab.worker", cell.arm, job.to_json(), bench.deadline, where)
    return {**record, "block": cell.block, "position": cell.position}


def ask(
    interpreter: Path, module: str, arm: Arm, job: str, deadline: float, where: str
) -> dict[str, Any]:
    """Run one worker process to its end and return its record.

    Args:
        interpreter: what to run it with.
        module: the worker: it reads ``job`` on stdin and answers on stdout as ``worker`` does.
        arm: whose environment it gets.
        job: one JSON document.
        deadline: seconds after which the worker ends itself; a little later it is ended.
        where: which process this is, for messages.

    Raises:
        MeasurementError: it died, hung, or refused its own measurement.
        KeyboardInterrupt: Ctrl-C; the process has been ended.
    """
    with subprocess.Popen(
        [str(interpreter), "-m", module],
        env=environment(arm),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches only this process, which ends the worker itself
    ) as child:
        try:
            # The worker ends itself at the deadline and prints its stacks; this is the backstop.
            out, err = child.communicate(job, timeout=deadline + _GRACE)
        except subprocess.TimeoutExpired:
            _end(child)
            raise MeasurementError(
                f"{where}: the worker hung for {deadline + _GRACE:.0f} s and was ended"
            ) from None
        except BaseException:
            _end(child)
            raise
    return _answer(out, err, child.returncode, where)


def _answer(out: str, err: str, code: int, where: str) -> dict[str, Any]:
    try:
        document = json.loads(out)
    except json.JSONDecodeError:
        how = f"died of signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines = err.strip().splitlines()
        if any(line.startswith("Timeout (") for line in lines):  # faulthandler's own words
            how = "hung and ended itself at its deadline"
        tail = "\n    ".join(lines[-_STDERR_LINES:]) or "(nothing on stderr)"
        raise MeasurementError(f"{where}: the worker {how}; its last words:\n    {tail}") from None
    if "error" in document:
        kind = getattr(errors, document["error"]["type"], MeasurementError)
        message = f"{where}: {document['error']['message']}"
        if not issubclass(kind, MeasurementError):
            raise MeasurementError(message)
        raise kind(message)
    record: dict[str, Any] = document["record"]
    return record


def _refused(record: Mapping[str, Any]) -> bool:
    """Tell whether the machine was too busy for one of the workloads of a process."""
    return any(found["throughput"] is None for found in record["workloads"].values())


def _end(child: subprocess.Popen[str]) -> None:
    """End a worker and whatever it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return
        try:
            child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
