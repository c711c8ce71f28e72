"""One measured process of a trial experiment: a job on stdin, a record on stdout.

The same protocol as ``ftloader.lab.worker``. A process runs either one contender on one cell, once,
or the two controls; nothing else has run in it before, and nothing runs in it afterwards.
"""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from typing import Any

from ...errors import MeasurementError
from .. import controls, experiment, provenance, tree
from ..measure import disturbance
from ..worker import in_arm, serve
from . import describe
from .job import Job


def work(job: Job) -> dict[str, Any]:
    """Do a job in this process and return its record.

    Raises:
        ArmError: this process is not the arm asked for, before or after the trial.
        MeasurementError: the contender returned what no trial can have measured.
    """
    described = describe.load(job.experiment)
    if not job.cell:
        return in_arm(job, "measure", controls.JUDGED_AT, lambda inputs: _judge(job, described))
    # Not at a thread count: how many a trial uses is a setting of its cell.
    return in_arm(job, "measure", 0, lambda inputs: _try(job, described, inputs))


def _judge(job: Job, described: describe.TrialExperiment) -> dict[str, Any]:
    known = {control.name: control for control in described.controls}
    found = {
        name: controls.measure(known[name], controls.JUDGED_AT, job.pairs, job.arm.gil)
        for name in job.order
    }
    return {"cell": "", "contender": "", "controls": found}


def _try(
    job: Job, described: describe.TrialExperiment, inputs: experiment.Inputs
) -> dict[str, Any]:
    (name,) = job.order
    (contender,) = (one for one in described.contenders if one.name == name)
    (cell,) = (one for one in described.cells if one.name == job.cell)
    missing = contender.missing()
    trial = {"missing": missing} if missing else _measure(described, cell, contender, inputs)
    return {
        "cell": cell.name,
        "contender": name,
        "controls": {},
        "trial": trial,
        "peers": _versions(described.packages),
    }


def _measure(
    described: describe.TrialExperiment,
    cell: describe.Cell,
    contender: describe.Contender,
    inputs: experiment.Inputs,
) -> dict[str, Any]:
    gc.collect()  # what the imports left behind is nobody's cost
    # Its children too are the trial itself, not a disturbance of it. Looking for them takes a
    # while, so the machine is looked at inside.
    cpu = tree.cpu_seconds()
    before, begin = provenance.cpu_times(), time.perf_counter()
    outcome = contender.run(inputs, cell.settings)
    seconds, after = time.perf_counter() - begin, provenance.cpu_times()
    used = tree.cpu_seconds() - cpu
    steal, others, accepted = disturbance(before, after, seconds, used)
    _require_known(outcome, described, f"cell {cell.name!r}, contender {contender.name!r}")
    return {
        "values": {name: float(f"{value:.7g}") for name, value in sorted(outcome.values.items())},
        "digest": outcome.digest,
        "points": {name: _kept(points) for name, points in sorted(outcome.points.items())},
        "notes": list(outcome.notes),
        "seconds": round(seconds, 4),
        "cpu_seconds": round(used, 4),
        "steal": round(steal, 4),
        "others": round(others, 4),
        "accepted": accepted,
    }


def _require_known(
    outcome: describe.Outcome, described: describe.TrialExperiment, where: str
) -> None:
    known = {metric.name for metric in described.metrics}
    found = {name: [value] for name, value in outcome.values.items()}
    for numbers in (found, outcome.points):
        for name, values in numbers.items():
            if name not in known:
                raise MeasurementError(f"{where}: the experiment has no metric {name!r}")
            if not all(map(math.isfinite, values)):
                raise MeasurementError(
                    f"{where}: metric {name!r} has a value that is not finite; leave out what "
                    "could not be measured"
                )


def _kept(points: Sequence[float]) -> list[float]:
    """Return a distribution in order: all of it, or evenly chosen values with both ends."""
    ordered = [float(f"{point:.5g}") for point in sorted(points)]
    most = describe.MOST_POINTS
    if len(ordered) <= most:
        return ordered
    return [ordered[round(place * (len(ordered) - 1) / (most - 1))] for place in range(most)]


def _versions(packages: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


if __name__ == "__main__":
    sys.exit(serve(Job.from_json, work))
