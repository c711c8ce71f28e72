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
from ..errors import MeasurementError, WorkerDied
from . import check
from .arms import Arm, environment
from .cells import Cell, key_of
from .experiment import Experiment
from .measure import Settings
from .results import ResultFile, Writer
from .worker import Job

_STDERR_LINES = 40
_GRACE = 5.0
_ORPHANS = 2.0


@dataclass(frozen=True)
class Bench:
    """What stays the same over a run's processes.

    Attributes:
        script: where the experiment is described, as ``where.load`` takes it.
        experiment: what it defines.
        inputs: file with the pickled inputs.
        interpreters: path of each arm's interpreter, by arm name.
        settings: how long to measure.
        deadline: seconds a process may take.
        cpus: logical CPUs that processes stay on; empty for all.
    """

    script: Path | str
    experiment: Experiment
    inputs: Path
    interpreters: Mapping[str, Path]
    settings: Settings
    deadline: float
    cpus: tuple[int, ...] = ()


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


def run(
    bench: Bench,
    arms: Sequence[Arm],
    cells: Sequence[Cell],
    writer: Writer,
    before: ResultFile | None = None,
) -> None:
    """Run the serial reference of each arm, then every cell, appending each record.

    Args:
        bench: what stays the same.
        arms: the arms.
        cells: the plan.
        writer: the result file.
        before: what it holds already; those processes are not run again.

    Raises:
        MeasurementError: a process died, hung, or measured something that must not be believed.
        KeyboardInterrupt: Ctrl-C; the process in flight has been ended.
    """
    measured = before.processes if before else ()
    recorded = {key_of(record) for record in measured}
    left = [cell for cell in cells if cell.key not in recorded]
    references = {record["arm"]: record for record in (before.references if before else ())}
    lacking = [arm for arm in arms if arm.name not in references]
    progress = Progress(len(lacking) + len(left))
    try:
        for done, arm in enumerate(lacking):
            progress.step(done, f"{arm.name}: serial reference digests")
            record = _reference(bench, arm, arms.index(arm))
            check.same_source(record, references)
            references[arm.name] = record
            writer.process(record)
        check.references_agree(list(references.values()))
        # On a busy machine one more try per block, on average, is all that is worth its time.
        retries = len({cell.block for cell in cells}) - (len(measured) - len(recorded))
        for done, cell in enumerate(left, len(lacking)):
            progress.step(
                done, f"block {cell.block + 1}, {cell.arm.name}, {_threads(cell.threads)}"
            )
            while True:
                record = _process(bench, cell, "measure")
                check.process(record, cell.arm, references[cell.arm.name])
                writer.process(record)
                if retries <= 0 or not _refused(record):
                    break
                retries -= 1
        progress.step(len(lacking) + len(left), "measured")
    finally:
        progress.close()


def _reference(bench: Bench, arm: Arm, position: int) -> dict[str, Any]:
    names = tuple(workload.name for workload in bench.experiment.workloads)
    return _process(bench, Cell(arm, 1, -1, position, names), "reference")


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
        cpus=bench.cpus,
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
        WorkerDied: it crashed, hung or ended without an answer.
        MeasurementError: it refused its own measurement.
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
            out, err = _hear(child, job, deadline + _GRACE)
        except subprocess.TimeoutExpired as late:
            _end(child)
            how = f"hung for {deadline + _GRACE:.0f} s and was ended"
            raise _died(where, how, (late.stderr or b"").decode(errors="replace")) from None
        except BaseException:
            _end(child)
            raise
        _sweep(child.pid)
    return _answer(out, err, child.returncode, where)


def _hear(child: subprocess.Popen[str], job: str, seconds: float) -> tuple[str, str]:
    """Return what a worker wrote, also if processes that it left behind keep its pipes open."""
    give_up = time.monotonic() + seconds
    said: str | None = job
    while True:
        try:
            return child.communicate(said, timeout=min(1.0, max(0.0, give_up - time.monotonic())))
        except subprocess.TimeoutExpired:
            said = None  # it has it
            if child.poll() is not None:
                _sweep(child.pid)
            elif time.monotonic() >= give_up:
                raise


def _answer(out: str, err: str, code: int, where: str) -> dict[str, Any]:
    try:
        document = json.loads(out)
    except json.JSONDecodeError:
        raise _died(where, _ending(code), err) from None
    if "error" in document:
        kind = getattr(errors, document["error"]["type"], MeasurementError)
        message = f"{where}: {document['error']['message']}"
        if not issubclass(kind, MeasurementError):
            raise MeasurementError(message)
        raise kind(message)
    record: dict[str, Any] = document["record"]
    return record


def _ending(code: int) -> str:
    return f"died of signal {-code}" if code < 0 else f"ended with exit code {code}"


def _died(where: str, how: str, err: str) -> WorkerDied:
    lines = err.strip().splitlines()
    if any(line.startswith("Timeout (") for line in lines):  # faulthandler's own words
        how = "hung and ended itself at its deadline"
    words = tuple(lines[-_STDERR_LINES:])
    tail = "\n    ".join(words) or "(nothing on stderr)"
    return WorkerDied(f"{where}: the worker {how}; its last words:\n    {tail}", how, words)


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


def _sweep(group: int) -> None:
    """End what a worker that has ended left behind; its resource tracker may clean up first."""
    give_up = time.monotonic() + _ORPHANS
    try:
        while time.monotonic() < give_up:
            os.killpg(group, 0)
            time.sleep(0.02)
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
