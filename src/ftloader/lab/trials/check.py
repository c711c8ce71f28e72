"""What makes a run of trials worth nothing; nothing here repairs or leaves out.

A trial that crashed or hung is not among it: that somebody's code does so is a result, and counted.
"""

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


class Seen:
    """What a run's processes had so far, to hold the next one against.

    Attributes:
        missing: arm and contender of each that could not be imported.
    """

    def __init__(self) -> None:
        self.missing: set[tuple[str, str]] = set()
        self._firsts: dict[str, Record] = {}
        self._digests: dict[tuple[str, str], Record] = {}

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms that had a process."""
        return tuple(self._firsts)

    def add(self, record: Record, asked: Arm) -> None:
        """Check one measured process against those before it.

        Raises:
            ArmError: it was not the arm asked for, or ran other code than another process.
            DigestError: its outputs differ from theirs, on the same cell with the same packages.
        """
        check_arm(record, asked)
        same_source(record, self._firsts)
        self._firsts.setdefault(record["arm"], record)
        trial = record.get("trial", {})
        if "missing" in trial:
            self.missing.add((record["arm"], record["contender"]))
        if trial.get("digest"):
            self._compare(record)

    def _compare(self, record: Record) -> None:
        # Other versions of a package may decode or resize otherwise, and nobody is wrong.
        key = (record["cell"], repr(sorted(record["provenance"]["packages"].items())))
        first = self._digests.setdefault(key, record)
        if first["trial"]["digest"] != record["trial"]["digest"]:
            raise DigestError(
                f"cell {record['cell']!r}: the outputs of {record['contender']!r} (arm "
                f"{record['arm']}, block {record['block'] + 1}) differ from those of "
                f"{first['contender']!r} (arm {first['arm']}, block {first['block'] + 1}); the "
                "run is refused"
            )


def result(file: ResultFile) -> None:
    """Check everything in a result file before a number of it is shown.

    Raises:
        MeasurementError: the run failed, or holds something that must not be believed.
    """
    arms = arms_of(file)
    seen = Seen()
    for record in file.processes:
        seen.add(record, arms[record["arm"]])
    judge_run([(name, arms[name].gil) for name in seen.arms], file.processes)
