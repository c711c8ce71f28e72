"""One measured process of a cost experiment: a job on stdin, a record on stdout.

The same protocol as ``ftloader.lab.worker``; this one measures cells instead of workloads.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from .. import controls, experiment
from ..arms import Arm
from ..jobs import Sent, fields
from ..worker import in_arm, serve
from . import describe, measure


@dataclass(frozen=True)
class Job(Sent):
    """What a worker process is asked to do.

    Attributes:
        experiment: where it is described, as ``where.load`` takes it.
        inputs: path of the pickled :class:`~ftloader.lab.experiment.Inputs`.
        arm: the arm it must be.
        order: names of cells and controls, in the order to run them.
        amounts: amount of work by cell and contender, where it is known.
        seed: of the order of contenders within each round.
        settings: how long to measure.
        deadline: seconds after which the process ends itself.
        cpus: logical CPUs to stay on; empty for all.
    """

    experiment: str
    inputs: str
    arm: Arm
    order: tuple[str, ...]
    amounts: Mapping[str, Mapping[str, int]]
    seed: tuple[int, ...]
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
        DigestError: contenders of a cell had different outputs.
    """
    described = describe.load(job.experiment)
    return in_arm(
        job, "measure", controls.JUDGED_AT, lambda inputs: _run_all(job, described, inputs)
    )


def _run_all(
    job: Job, described: describe.CostExperiment, inputs: experiment.Inputs
) -> dict[str, Any]:
    judges = {control.name: control for control in described.controls}
    cells = {cell.name: cell for cell in described.cells}
    rng = np.random.default_rng(job.seed)
    found: dict[str, dict[str, Any]] = {"cells": {}, "controls": {}, "peers": {}}
    for name in job.order:
        if name in judges:
            found["controls"][name] = controls.measure(
                judges[name], controls.JUDGED_AT, job.settings.pairs, job.arm.gil
            )
        else:
            found["cells"][name] = measure.measure(
                cells[name], inputs, job.settings, job.arm.gil, job.amounts.get(name, {}), rng
            )
    for name in described.packages:
        with suppress(metadata.PackageNotFoundError):
            found["peers"][name] = metadata.version(name)
    return found


if __name__ == "__main__":
    sys.exit(serve(Job.from_json, work))
