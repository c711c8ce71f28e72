"""One measured process: ``python -m ftloader.lab.worker``, a job on stdin, a record on stdout.

The job is one JSON object (see :class:`Job`); the answer is one JSON document, either
``{"record": …}`` or ``{"error": {"type", "message"}}``. Whatever the operations print goes to
stderr. A process that outlives its deadline prints every thread's stack and ends itself, and
one whose orchestrator was killed is ended by the kernel.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from ..errors import FtloaderError, MeasurementError
from . import controls, cpus, experiment, measure, processes, provenance
from .arms import Arm, assert_arm
from .jobs import Sent, fields


@dataclass(frozen=True)
class Job(Sent):
    """What a worker process is asked to do.

    Attributes:
        experiment: where it is described, as ``where.load`` takes it.
        inputs: path of the pickled :class:`~ftloader.lab.experiment.Inputs`.
        arm: the arm it must be.
        role: ``"reference"`` (serial engine, digests only) or ``"measure"``.
        threads: thread count.
        order: names of workloads and controls, in the order to run them.
        settings: how long to measure.
        deadline: seconds after which the process ends itself.
        cpus: logical CPUs to stay on; empty for all.
    """

    experiment: str
    inputs: str
    arm: Arm
    role: str
    threads: int
    order: tuple[str, ...]
    settings: measure.Settings
    deadline: float
    cpus: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Make a job from what :meth:`to_json` returned."""
        record = fields(text)
        return cls(**{**record, "settings": measure.Settings(**record["settings"])})


def work(job: Job) -> dict[str, Any]:
    """Do a job in this process and return its record.

    Raises:
        ArmError: this process is not the arm asked for, before or after timing.
        DigestError: outputs were not reproducible.
    """
    described = experiment.load(job.experiment)
    return in_arm(job, job.role, job.threads, lambda inputs: _run_all(job, described, inputs))


# From Linux's prctl.h.
_PR_SET_PDEATHSIG = 1


class AnyJob(Protocol):
    """What the jobs of all kinds of experiment have."""

    @property
    def inputs(self) -> str:
        """Path of the pickled inputs."""

    @property
    def arm(self) -> Arm:
        """The arm it must be."""

    @property
    def order(self) -> tuple[str, ...]:
        """What is run, in order."""

    @property
    def cpus(self) -> tuple[int, ...]:
        """The logical CPUs it must stay on; empty for all."""

    @property
    def deadline(self) -> float:
        """Seconds after which the process ends itself."""


def in_arm(
    job: AnyJob, role: str, threads: int, run: Callable[[experiment.Inputs], Mapping[str, Any]]
) -> dict[str, Any]:
    """Run what measures between two assertions of arm and CPU set; return the process's record.

    Args:
        job: the job.
        role: of the process.
        threads: thread count of the record.
        run: measures on the job's inputs and returns its part of the record.

    Raises:
        ArmError: this process is not the arm asked for, before or after timing.
        MeasurementError: it is not on its CPUs.
    """
    cpus.assert_pinned(job.cpus, "before timing")
    begin = time.perf_counter()
    with open(job.inputs, "rb") as file:
        inputs: experiment.Inputs = pickle.load(file)
    before = {**assert_arm(job.arm, "before timing"), **provenance.moment()}
    measured = run(inputs)
    # Asserted after timing too: an operation's lazy import may have turned the GIL on.
    after = {**assert_arm(job.arm, "after timing"), **provenance.moment()}
    cpus.assert_pinned(job.cpus, "after timing")
    return {
        "role": role,
        "arm": job.arm.name,
        "threads": threads,
        "order": list(job.order),
        "before": before,
        "after": after,
        **measured,
        "provenance": provenance.process(),
        "seconds": round(time.perf_counter() - begin, 3),
    }


def _run_all(
    job: Job, described: experiment.Experiment, inputs: experiment.Inputs
) -> dict[str, Any]:
    workloads = {workload.name: workload for workload in described.workloads}
    judges = {control.name: control for control in described.controls}
    found: dict[str, dict[str, Mapping[str, Any]]] = {"workloads": {}, "controls": {}}
    for name in job.order:
        if name in judges:
            found["controls"][name] = controls.measure(
                judges[name], job.threads, job.settings.pairs, job.arm.gil
            )
        elif name not in workloads:
            raise MeasurementError(f"the experiment has no workload or control named {name!r}")
        elif job.role == "reference":
            found["workloads"][name] = measure.verify(workloads[name], inputs, 1, "serial")
        elif not job.arm.threaded:
            asked = processes.Asked(job.experiment, job.inputs, name, job.arm)
            found["workloads"][name] = processes.measure(asked, job.threads, job.settings)
        else:
            found["workloads"][name] = measure.measure(
                workloads[name], inputs, job.threads, job.settings
            )
    return found


def _claim_stdout() -> TextIO:
    """Keep the real stdout for the answer; send everything else that prints to stderr."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer


def serve[J: AnyJob](parse: Callable[[str], J], do: Callable[[J], dict[str, Any]]) -> int:
    """Read a job from stdin, do it on its CPUs, answer on stdout; return the exit code.

    Args:
        parse: makes the job from its text.
        do: does it and returns the record.
    """
    _end_with_parent()
    with _claim_stdout() as answer:
        job = parse(sys.stdin.read())
        faulthandler.dump_traceback_later(job.deadline, exit=True)
        try:
            # First of all: threads that an import starts stay where they were started.
            cpus.pin(job.cpus)
            document: dict[str, Any] = {"record": do(job)}
        except FtloaderError as error:
            document = {"error": {"type": type(error).__name__, "message": str(error)}}
        json.dump(document, answer)
        faulthandler.cancel_dump_traceback_later()
    return 0 if "record" in document else 1


def _end_with_parent() -> None:
    """Ask the kernel to end this process when the orchestrator dies, so that none measures on."""
    if sys.platform != "linux":
        return  # there it ends at its deadline
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died just before
        os._exit(1)


if __name__ == "__main__":
    sys.exit(serve(Job.from_json, work))
