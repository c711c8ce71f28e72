"""What makes a run worth nothing, checked while it is measured and again when a file is read.

Nothing here repairs or leaves out: a run that fails one of these checks has no numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ArmError, DigestError, MeasurementError
from .arms import Arm, assert_arm
from .controls import judge_run
from .experiment import require_controls
from .results import ResultFile

Record = Mapping[str, Any]


def arm(record: Record, asked: Arm) -> None:
    """Check a process's recorded identity against its arm, before and after timing.

    Raises:
        ArmError: it was not the arm asked for.
    """
    for moment in ("before", "after"):
        assert_arm(asked, f"{moment} timing", record[moment])


def pinned(record: Record, cpus: Sequence[int] | None) -> None:
    """Check that a process stayed on the run's CPUs; nothing where the run had no set.

    Raises:
        MeasurementError: it did not.
    """
    found = record["provenance"]["affinity"]
    if cpus and found != list(cpus):
        raise MeasurementError(
            f"arm {record['arm']}, block {record['block'] + 1}: the process was on CPUs {found}, "
            f"and not on {list(cpus)}; the run is refused"
        )


def process(record: Record, asked: Arm, reference: Record) -> None:
    """Check one measured process.

    Raises:
        ArmError: it was not the arm asked for, or ran other code than the reference.
        DigestError: a workload's output differs from the serial engine's.
    """
    arm(record, asked)
    same_source(record, {asked.name: reference})
    for name, found in record["workloads"].items():
        expected = reference["workloads"][name]
        if (found["digest"], found["sample"]) != (expected["digest"], expected["sample"]):
            raise DigestError(
                f"arm {asked.name}, {record['threads']} threads, block {record['block'] + 1}: the "
                f"output of workload {name!r} differs from the serial engine's; the run is refused"
            )


def same_source(record: Record, others: Mapping[str, Record]) -> None:
    """Check that two processes ran the same ftloader source.

    Raises:
        ArmError: they did not.
    """
    mine = record["provenance"]["source_digest"]
    for name, other in others.items():
        if other["provenance"]["source_digest"] == mine:
            continue
        if name == record["arm"]:
            raise ArmError("ftloader's source changed while the run was going on; run it again")
        raise ArmError(
            f"arm {record['arm']} runs another ftloader than arm {name}; install the same source "
            "in both interpreters"
        )


def references_agree(references: Sequence[Record]) -> list[str]:
    """Compare the serial digests of all arms whose packages have the same versions.

    Returns:
        One note for each arm that could not be compared with the first.

    Raises:
        DigestError: arms with the same packages disagree.
    """
    notes = []
    for other in references[1:]:
        first = references[0]
        if other["provenance"]["packages"] != first["provenance"]["packages"]:
            notes.append(
                f"digests of {other['arm']} and {first['arm']} are not compared with each other: "
                "their package versions differ"
            )
            continue
        for name, found in other["workloads"].items():
            if found["digest"] != first["workloads"][name]["digest"]:
                raise DigestError(
                    f"workload {name!r}: arms {other['arm']} and {first['arm']} return different "
                    "output from the same input with the same packages; the run is refused"
                )
    return notes


def arms_of(file: ResultFile) -> dict[str, Arm]:
    """Check that there is something to check in a result file; return its arms by name.

    Raises:
        ControlError: the experiment has no ceiling or no contention control.
        MeasurementError: the run failed, or measured nothing.
    """
    if file.status == "failed":
        raise MeasurementError(
            f"this run failed and has no report: {file.end and file.end['reason']}"
        )
    if not file.processes:
        raise MeasurementError("this run ended before anything was measured; run it again")
    for record in file.processes:
        pinned(record, file.header["machine"].get("cpus"))
    arms = {record["name"]: Arm.from_json(record) for record in file.header["arms"]}
    described = {control["name"] for control in file.header["experiment"]["controls"]}
    require_controls(described, f"experiment {file.header['experiment']['name']!r}")
    return arms


def result(file: ResultFile) -> list[str]:
    """Check everything in a result file before a number of it is shown; return notes.

    Raises:
        MeasurementError: the run failed, or holds something that must not be believed.
    """
    arms = arms_of(file)
    references = {record["arm"]: record for record in file.references}
    for record in file.references:
        arm(record, arms[record["arm"]])
    for record in file.processes:
        process(record, arms[record["arm"]], references[record["arm"]])
    notes = references_agree(file.references)
    judge_run([(one.name, one.gil) for one in arms.values()], file.processes)
    return notes
