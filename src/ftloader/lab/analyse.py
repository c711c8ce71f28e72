"""From a result file to the numbers of its report: nothing is measured here, nothing is guessed.

Ratios are taken inside a block and summarised over blocks (see ``statistics``); a sample that was
refused leaves its block out of the ratios it belongs to, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from . import check, controls
from .arms import Arm, flag_differences
from .experiment import CEILING
from .results import ResultFile
from .statistics import (
    Estimate,
    block_ratios,
    estimate,
    karp_flatt_estimate,
    sign_flip_p,
    verdict,
)
from .summary import GIL_ALONE, Comparison, ControlResult, Point, Series, Subject, Summary

_MIB = 1 << 20


def summarise(file: ResultFile) -> Summary:
    """Check a result file and work out its numbers.

    Raises:
        MeasurementError: the file holds something that must not be believed.
    """
    notes = check.result(file)
    arms = tuple(Arm.from_json(record) for record in file.header["arms"])
    baseline = next((arm for arm in arms if not arm.free_threaded), arms[0])
    table = _Table(file)
    samples = [found for r in file.processes for found in r["workloads"].values()]
    windows = [window for found in samples for window in found["windows"]]
    return Summary(
        header=file.header,
        status=file.status,
        arms=arms,
        baseline=baseline,
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
        }
        return {block: float(value) for block, value in found.items() if value is not None}

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
        return estimate(values, self.seed) if values else None


def _subject(
    described: Mapping[str, Any], arms: Sequence[Arm], baseline: Arm, table: _Table
) -> Subject:
    name = described["name"]
    series = tuple(
        Series(arm, tuple(_point(name, arm, count, baseline.name, table) for count in table.counts))
        for arm in arms
    )
    return Subject(
        name=name,
        title=described["title"],
        about=described["about"],
        unit=described["unit"],
        series=series,
        comparisons=tuple(_comparisons(series, table)),
    )


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
        versus=table.ratio(rates, table.values(baseline, 1, name, "throughput")),
        serial=karp_flatt_estimate(speedup, threads) if speedup and several else None,
        # Under the GIL the ceiling is one thread's rate, which work outside the GIL may exceed.
        of_ceiling=table.ratio(by_block, ceiling) if several and not arm.gil else None,
        peak_mib=median(peaks.values()) / _MIB if peaks else None,
        cpu_ms=1000 * median(cpu.values()) if cpu else None,
        refused=len(table.records(arm.name, threads)) - len(rates),
    )


def _comparisons(series: Sequence[Series], table: _Table) -> list[Comparison]:
    """Return the comparisons that isolate something, at the most threads within the cores."""
    found = []
    for off in (one for one in series if not one.arm.gil):
        most = max((p.threads for p in off.points if not p.oversubscribed), default=1)
        for other in series:
            if other is off or not other.arm.gil:
                continue
            if other.arm.version == off.arm.version and other.arm.free_threaded:
                about = f"{GIL_ALONE}: same binary, off against on"
                found.append(_compare(about, off, most, other, most, table))
            elif not other.arm.free_threaded:
                best = other.best()
                about = f"what a user of {other.arm.name} would gain: against its best thread count"
                if best:
                    found.append(_compare(about, off, most, other, best.threads, table))
    for on in (one for one in series if one.arm.free_threaded and one.arm.gil):
        for plain in (one for one in series if not one.arm.free_threaded):
            about = "the price of the other version and build, one thread each, GIL on in both"
            found.append(_compare(about, on, 1, plain, 1, table))
    return found


def _compare(
    about: str, one: Series, threads: int, other: Series, others: int, table: _Table
) -> Comparison:
    above, below = one.at(threads), other.at(others)
    ratios = block_ratios(above.by_block, below.by_block) if above and below else []
    ratio = table.estimate(ratios)
    differ = flag_differences(one.arm, other.arm)
    return Comparison(
        about=about,
        above=f"{one.arm.name}, {threads} {_threads(threads)}",
        below=f"{other.arm.name}, {others} {_threads(others)}",
        ratio=ratio,
        verdict=verdict(ratio) if ratio else "not resolved",
        p_value=sign_flip_p(ratios, table.seed),
        caveat=f"not comparable (build flags differ: {differ})" if differ else "",
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


def _threads(count: int) -> str:
    return "thread" if count == 1 else "threads"
