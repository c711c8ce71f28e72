"""Finding what trials measured, by arm, cell, contender, metric and block; nothing is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..arms import Arm
from ..results import ResultFile
from ..statistics import Estimate, estimate
from .summary import Fate

Record = Mapping[str, Any]


class Lookup:
    """A result file's trials."""

    def __init__(self, file: ResultFile) -> None:
        self.gil = {one["name"]: one["gil"] for one in file.header["experiment"]["contenders"]}
        self.trials = [record for record in file.processes if "trial" in record]
        self._found: dict[tuple[str, str, str], list[Record]] = {}
        self.missing: dict[tuple[str, str], str] = {}
        for record in (*self.trials, *file.failures):
            if "missing" in record["trial"]:
                self.missing[record["arm"], record["contender"]] = record["trial"]["missing"]
            else:
                key = (record["arm"], record["cell"], record["contender"])
                self._found.setdefault(key, []).append(record)

    def accepted(self, arm: str, cell: str, contender: str) -> dict[int, Record]:
        """Return a contender's accepted trial of each block that has one, in block order."""
        found = {
            int(record["block"]): record["trial"]
            for record in self._found.get((arm, cell, contender), [])
            if record["trial"].get("accepted")
        }
        return dict(sorted(found.items()))

    def values(self, arm: str, cell: str, contender: str, metric: str) -> dict[int, float]:
        """Return a metric in each block that has it."""
        return {
            block: float(trial["values"][metric])
            for block, trial in self.accepted(arm, cell, contender).items()
            if metric in trial["values"]
        }

    def points(self, arm: str, cell: str, contender: str, metric: str) -> tuple[float, ...]:
        """Return a distribution over all accepted trials, in order."""
        trials = self.accepted(arm, cell, contender).values()
        return tuple(sorted(x for trial in trials for x in trial["points"].get(metric, ())))

    def fate(self, arm: Arm, cell: str, contender: str) -> Fate:
        """Return what became of a contender's trials."""
        found = self._found.get((arm.name, cell, contender), [])
        blocks = {record["block"] for record in found}
        failed = {record["block"] for record in found if "failed" in record["trial"]}
        done = self.accepted(arm.name, cell, contender).keys()
        return Fate(
            blocks=len(blocks),
            failed=len(failed - done),
            busy=len(blocks - failed - done),
            refused=sum(not record["trial"].get("accepted", True) for record in found),
            missing=self.missing.get((arm.name, contender), ""),
            fits=self.gil[contender] in ("any", "on" if arm.gil else "off"),
        )

    def estimate(self, values: Sequence[float]) -> Estimate | None:
        """Summarise over blocks; ``None`` if there is nothing to summarise."""
        return estimate(values) if values else None


def ratios(above: Mapping[int, float], below: Mapping[int, float]) -> dict[int, float]:
    """Divide block by block; a block that lacks a number, or divides by 0, is left out."""
    return {
        block: above[block] / below[block]
        for block in sorted(above.keys() & below.keys())
        if below[block]
    }
