"""From a result file to the numbers of its report: nothing is measured here, nothing is guessed.

Ratios are taken inside a block and summarised over blocks (see ``statistics``); a sample that was
refused leaves its block out of the ratios it belongs to, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from . import check, controls
from .arms import Arm
from .comparisons import baseline as baseline_of
from .comparisons import comparisons, crossings
from .experiment import CEILING
from .laws import Laws, fits
from .results import ResultFile
from .statistics import Estimate, block_ratios, estimate, karp_flatt_estimate
from .summary import ControlResult, Point, Series, Subject, Summary

_MIB = 1 << 20


def summarise(file: ResultFile) -> Summary:
    """Check a result file and work out its numbers.

    Raises:
        MeasurementError: the file holds something that must not be believed.
    """
    notes = check.result(file)
    arms = tuple(Arm.from_json(record) for record in file.header["arms"])
    baseline = baseline_of(arms)
    table = _Table(file)
    samples = [found for r in file.processes for found in r["workloads"].values()]
    windows = [window for found in samples for window in found["windows"]]
    return Summary(
        header=file.header,
        status=file.status,
        arms=arms,
        baseline=baseline,
        cores=table.cores,
        subjects=tuple(
            _subject(one, arms, baseline, table) for one in file.header["experiment"]["workloads"]
        ),
        controls=tuple(_controls(file, arms, table)),
        threads=tuple(file.header["run"]["threads"]),
        blocks=len({record["block"] for record in file.processes}),
        processes=file.processes,
        refused=(sum(found["throughput"] is None for found in samples), len(samples)),
        refused_windows=(sum(not window["accepted"] for window in windows), len(windows)),
        notes=tuple(notes),
    )


class _Table:
    """Looks up what was measured, by arm, thread count and block."""

    def __init__(self, file: ResultFile) -> None:
        self.seed = int(file.header["run"]["seed"])
        self.inside = set(file.header["run"]["threads"])
        self.counts = sorted({int(record["threads"]) for record in file.processes})
        machine = file.header["machine"]
        # Two logical CPUs of one core are not two cores.
        self.cores = min(machine["cores"], machine.get("physical_cores") or machine["cores"])
        self._processes = file.processes

    def records(self, arm: str, threads: int) -> dict[int, Mapping[str, Any]]:
        return {
            int(record["block"]): record
            for record in self._processes
            if record["arm"] == arm and record["threads"] == threads
        }

    def values(self, arm: str, threads: int, workload: str, field: str) -> dict[int, float]:
        found = {
            block: record["workloads"][workload].get(field)
            for block, record in self.records(arm, threads).items()
            if workload in record["workloads"]
        }
        return {block: float(value) for block, value in found.items() if value is not None}

    def ran(self, arm: str, workload: str) -> bool:
        """Tell whether an arm measured a workload: a process pool may not be able to."""
        own = [record["workloads"] for record in self._processes if record["arm"] == arm]
        return not own or any(workload in found for found in own)

    def best(self, arm: str, workload: str) -> dict[int, float]:
        """Return the throughputs at the thread count with the highest median."""
        candidates = [
            self.values(arm, count, workload, "throughput") for count in sorted(self.inside)
        ]
        return max(filter(None, candidates), key=lambda one: median(one.values()), default={})

    def control(self, arm: str, threads: int, name: str) -> tuple[dict[int, float], int]:
        ratios, refused = {}, 0
        for block, record in self.records(arm, threads).items():
            if name in record["controls"]:
                refused += record["controls"][name]["refused"]
                if record["controls"][name]["ratio"] is not None:
                    ratios[block] = float(record["controls"][name]["ratio"])
        return ratios, refused

    def ratio(self, above: Mapping[int, float], below: Mapping[int, float]) -> Estimate | None:
        return self.estimate(block_ratios(above, below))

    def estimate(self, values: Sequence[float]) -> Estimate | None:
        return estimate(values) if values else None


def _subject(
    described: Mapping[str, Any], arms: Sequence[Arm], baseline: Arm, table: _Table
) -> Subject:
    name = described["name"]
    series = tuple(
        _series(name, arm, baseline.name, table) for arm in arms if table.ran(arm.name, name)
    )
    return Subject(
        name=name,
        title=described["title"],
        about=described["about"],
        unit=described["unit"],
        series=series,
        comparisons=tuple(comparisons(series, table.seed)),
        crossings=tuple(crossings(series)),
    )


def _series(name: str, arm: Arm, baseline: str, table: _Table) -> Series:
    points = tuple(_point(name, arm, count, baseline, table) for count in table.counts)
    return Series(arm, points, _laws(points, table))


def _laws(points: Sequence[Point], table: _Table) -> Laws | None:
    """Fit scaling laws to what was measured on cores of its own."""
    usable = {
        point.threads: point.by_block
        for point in points
        if not point.oversubscribed and point.threads <= table.cores and point.by_block
    }
    return fits(usable, table.cores, table.seed) if 1 in usable else None


def _point(name: str, arm: Arm, threads: int, baseline: str, table: _Table) -> Point:
    rates = table.values(arm.name, threads, name, "throughput")
    own = table.values(arm.name, 1, name, "throughput")
    speedup = table.ratio(rates, own)
    inside = threads in table.inside
    ceiling, _ = table.control(arm.name, threads, CEILING)
    by_block = {block: rates[block] / own[block] for block in rates.keys() & own.keys()}
    peaks = table.values(arm.name, threads, name, "peak_bytes")
    cpu = table.values(arm.name, threads, name, "cpu_seconds_per_item")
    several = inside and threads > 1
    return Point(
        threads=threads,
        oversubscribed=not inside,
        by_block=rates,
        throughput=table.estimate(list(rates.values())),
        speedup=speedup,
        ratios=by_block,
        versus=table.ratio(rates, table.values(baseline, 1, name, "throughput")),
        versus_best=table.ratio(rates, table.best(baseline, name)),
        serial=karp_flatt_estimate(speedup, threads) if speedup and several else None,
        # Under the GIL the ceiling is one thread's rate, which work outside the GIL may exceed.
        of_ceiling=table.ratio(by_block, ceiling)
        if several and arm.threaded and not arm.gil
        else None,
        peak_mib=median(peaks.values()) / _MIB if peaks else None,
        cpu_ms=1000 * median(cpu.values()) if cpu else None,
        refused=len(table.records(arm.name, threads)) - len(rates),
    )


def _controls(file: ResultFile, arms: Sequence[Arm], table: _Table) -> list[ControlResult]:
    found = []
    for control in file.header["experiment"]["controls"]:
        for arm in arms:
            for count in table.counts:
                ratios, refused = table.control(arm.name, count, control["name"])
                if not ratios and not refused:
                    continue
                judged = count == controls.JUDGED_AT
                found.append(
                    ControlResult(
                        name=control["name"],
                        about=control["about"],
                        arm=arm.name,
                        threads=count,
                        ratio=table.estimate(list(ratios.values())),
                        bounds=controls.bounds(control["name"], arm.gil) if judged else None,
                        refused=refused,
                    )
                )
    return found
