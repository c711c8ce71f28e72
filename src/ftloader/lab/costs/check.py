"""What makes a run of a cost experiment worth nothing; nothing here repairs or leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import DigestError
from ..arms import Arm
from ..check import arm as check_arm
from ..check import arms_of, same_source
from ..controls import judge_run
from ..results import ResultFile

Record = Mapping[str, Any]


def process(record: Record, asked: Arm, firsts: Mapping[str, Record]) -> None:
    """Check one measured process against the first one of each arm.

    Raises:
        ArmError: it was not the arm asked for, or ran other code than another process.
        DigestError: its outputs differ from theirs, from the same inputs with the same packages.
    """
    check_arm(record, asked)
    same_source(record, firsts)
    for first in firsts.values():
        if first["provenance"]["packages"] != record["provenance"]["packages"]:
            continue
        for name in record["cells"].keys() & first["cells"].keys():
            if record["cells"][name]["digest"] != first["cells"][name]["digest"]:
                raise DigestError(
                    f"cell {name!r}: the outputs of arm {record['arm']}, block "
                    f"{record['block'] + 1}, differ from those of arm {first['arm']}; the run is "
                    "refused"
                )


def result(file: ResultFile) -> None:
    """Check everything in a result file before a number of it is shown.

    Raises:
        MeasurementError: the run failed, or holds something that must not be believed.
    """
    arms = arms_of(file)
    firsts: dict[str, Record] = {}
    for record in file.processes:
        process(record, arms[record["arm"]], firsts)
        firsts.setdefault(record["arm"], record)
    measured = [arm for arm in arms.values() if arm.name in firsts]
    judge_run([(one.name, one.gil) for one in measured], file.processes)
