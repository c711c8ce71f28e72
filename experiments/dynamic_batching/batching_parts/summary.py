"""What a result file says: medians over shuffles and blocks, and whether the hypotheses hold."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ftloader.errors import DataError
from ftloader.lab.statistics import Estimate, block_ratios, estimate

FILE_NAME, SCHEMA = "figures.jsonl", 1
Record = Mapping[str, Any]
TITLES = {
    "random": "random, batch 8",
    "detectron2": "2 aspect groups, batch 8 (detectron2)",
    "mmdet": "2 aspect groups, batch 8 (mmdet)",
    "torchvision": "8 aspect groups, batch 8 (torchvision)",
    "arrival": "budget, arrival order, tested before adding",
    "cells-after": "budget, 64-px cells, tested after adding (lhotse)",
    "cells-before": "budget, 64-px cells, tested before adding",
    "ours": "ftloader MemoryBudget",
}
MEASURED_TITLES = {
    "random": "random batches",
    "groups": "2 aspect groups",
    "ours": "ftloader MemoryBudget",
}

CASES = {
    "ours": "ftloader MemoryBudget",
    "groups": "2 aspect groups",
    "random-mean": "random, mean size of MemoryBudget",
    "groups-mean": "2 aspect groups, mean size of MemoryBudget",
}


@dataclass(frozen=True)
class Spread:
    """A median over shuffles, and the range."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1])


@dataclass(frozen=True)
class Summary:
    """All records of a run, by what they are about."""

    records: tuple[Record, ...]

    @classmethod
    def read(cls, folder: Path) -> Summary:
        """Read a result file.

        Raises:
            DataError: there is none, or it is of another schema.
        """
        source = folder / FILE_NAME
        try:
            lines = source.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise DataError(f"{source} cannot be read: {error.strerror}") from None
        records = tuple(json.loads(line) for line in lines)
        if not records or records[0].get("schema") != SCHEMA:
            raise DataError(f"{source} is no result file of this experiment")
        return cls(records)

    @property
    def header(self) -> Record:
        return self.records[0]

    @property
    def complete(self) -> bool:
        return self.records[-1]["record"] == "end"

    @property
    def scales(self) -> list[str]:
        return list(dict.fromkeys(record["scale"] for record in self.of("planned")))

    def of(self, kind: str, **wanted: Any) -> list[Record]:
        """Return records of a kind whose fields have these values."""
        mine = [record for record in self.records if record["record"] == kind]
        return [r for r in mine if all(r[name] == value for name, value in wanted.items())]

    def spread(self, scale: str, policy: str, field: str) -> Spread:
        """Return a figure of a planned policy over the shuffles."""
        return Spread.of(r[field] for r in self.of("planned", scale=scale, policy=policy))

    def over(self, scale: str, policy: str) -> Spread:
        """Return the part of the batches that is over the budget."""
        found = self.of("planned", scale=scale, policy=policy)
        return Spread.of(r["over"] / r["batches"] for r in found)

    @cached_property
    def calibration(self) -> Record | None:
        return next(iter(self.of("calibration")), None)

    def rates(self, policy: str) -> dict[int, float]:
        """Return images per second in each block."""
        return {r["block"]: r["images"] / r["seconds"] for r in self.of("measured", policy=policy)}

    def faster(self, policy: str, than: str) -> Estimate:
        """Return the ratio of two policies' rates inside the blocks."""
        return estimate(block_ratios(self.rates(policy), self.rates(than)))

    def errors(self, policy: str) -> list[float]:
        """Return measured over predicted peaks, less 1."""
        return [r["peak"] / r["predicted_peak"] - 1 for r in self.of("measured", policy=policy)]

    def over_measured(self, policy: str) -> tuple[int, int]:
        """Return how many batches took more than budget and host's part, and of how many."""
        budget = (self.calibration or {})["budget"]
        over = [
            growth(run, step) > budget + run["predicted_host"]
            for run in self.of("measured", policy=policy)
            for step in run["steps"]
        ]
        return sum(over), len(over)


def died(run: Record) -> bool:
    """Tell whether a run ended before its epoch did."""
    return "died" in run or run["exit"] != 0


def growth(run: Record, step: Record) -> int:
    """Return how far a step's peak was above the predicted static part, bytes."""
    return int(step["peak"] - run["static"])


Bounds = tuple[float, float]
_EFF, _PER = "efficiency", "images_per_batch"
#: Number, policy, figure, bounds at fixed scale and multi-scale, words, form of what was found.
EXPECTED: tuple[tuple[int, str, str, tuple[Bounds, Bounds], str, str], ...] = (
    (1, "ours", _EFF, ((0.97, 1), (0.95, 1)),
        "MemoryBudget: efficiency ≥ 0.97 fixed, ≥ 0.95 multi-scale", "{:.3f}"),
    (1, "ours", _PER, ((8.5, 9), (12.5, 14)),
        "MemoryBudget: 8.5 to 9 and 12.5 to 14 images per batch", "{:.1f}"),
    (1, "detectron2", _EFF, ((0.85, 0.90), (0.63, 0.68)),
        "two groups: efficiency 0.85 to 0.90 and 0.63 to 0.68", "{:.3f}"),
    (1, "torchvision", _EFF, ((0.90, 0.94), (0.66, 0.70)),
        "eight groups: efficiency 0.90 to 0.94 and 0.66 to 0.70", "{:.3f}"),
    (1, "random", _EFF, ((0.60, 0.65), (0.51, 0.55)),
        "random: efficiency 0.60 to 0.65 and 0.51 to 0.55", "{:.3f}"),
    (2, "ours", "over", ((0, 0), (0, 0)), "MemoryBudget: no batch over the budget", "{:.0f}"),
    (2, "cells-after", "worst", ((1.08, 1.20), (1.08, 1.20)),
        "tested after adding: the costliest 1.08 to 1.20 times the budget", "{:.2f}"),
    (2, "random", "worst", ((1, 1.7), (1, 1.7)),
        "random: the costliest up to 1.7 times the budget", "{:.2f}"),
    (3, "ours", "balance", ((0.95, 1), (0.95, 1)),
        "MemoryBudget: balance over 8 ranks ≥ 0.95", "{:.3f}"),
    (3, "detectron2", "balance", ((0.95, 1), (0, 0.9)),
        "two groups: balance ≥ 0.95 fixed, < 0.90 multi-scale", "{:.3f}"),
)  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A part of a hypothesis, and what was found."""

    number: int
    text: str
    found: str
    holds: bool


def claims(summary: Summary) -> list[Claim]:
    """Return what README.md expected, in its order, with what the run says."""
    found = list(_planned(summary)) + list(_planning(summary))
    if summary.of("measured"):
        found += _measured(summary)
    return found


def _planned(summary: Summary) -> Iterable[Claim]:
    scales = ("fixed", "multi-scale")

    def within(
        number: int, policy: str, field: str, bounds: Sequence[Bounds], text: str, form: str
    ) -> Claim:
        spreads = [summary.spread(scale, policy, field) for scale in scales]
        pairs = zip(spreads, bounds, strict=True)
        holds = all(low <= found.low and found.high <= high for found, (low, high) in pairs)
        return Claim(number, text, " / ".join(form.format(one.middle) for one in spreads), holds)

    def mostly_over(policy: str, text: str) -> Claim:
        parts = [summary.over(scale, policy) for scale in scales]
        said = " / ".join(f"{part.middle:.0%}" for part in parts)
        return Claim(2, f"{text}: more than half of the batches are over the budget", said,
            all(part.low > 0.5 for part in parts))  # fmt: skip

    for number, policy, field, bounds, text, form in EXPECTED[:7]:
        yield within(number, policy, field, bounds, text, form)
    yield mostly_over("cells-after", "tested after adding")
    yield mostly_over("random", "random")
    for number, policy, field, bounds, text, form in EXPECTED[7:]:
        yield within(number, policy, field, bounds, text, form)
    gain = {scale: _gain(summary, scale) for scale in ("fixed", "jitter")}
    yield Claim(4, "fixed: fewer than 15 % more images per batch than two groups",
        f"{gain['fixed'] - 1:+.0%}", gain["fixed"] < 1.15)  # fmt: skip
    yield Claim(4, "jitter: more than twice as many images per batch as two groups",
        f"× {gain['jitter']:.2f}", gain["jitter"] > 2)  # fmt: skip


def _gain(summary: Summary, scale: str) -> float:
    ours, groups = (
        summary.spread(scale, policy, "images_per_batch").middle
        for policy in ("ours", "detectron2")
    )
    return ours / groups


def _planning(summary: Summary) -> Iterable[Claim]:
    mine = summary.of("planning", policy="ours")
    slowest = max(max(record["plan_seconds"]) for record in mine)
    largest = max(record["plan_bytes"] for record in mine)
    images, sizes = mine[0]["images"], max(record["sizes_seconds"] for record in mine)
    yield Claim(5, f"{images:,} images planned in less than 2 s and 200 MB",
        f"{slowest:.2f} s, {largest / 1e6:.0f} MB (before that, sizes: {sizes:.1f} s)",
        slowest < 2 and largest < 200e6)  # fmt: skip


def _measured(summary: Summary) -> Iterable[Claim]:
    policies = list(MEASURED_TITLES)
    errors = {policy: max(map(abs, summary.errors(policy))) for policy in policies}
    worst = max(errors.values())
    yield Claim(
        6,
        "every run's peak within 5 % of the prediction",
        f"{worst:.1%} off at most",
        worst <= 0.05,
    )
    over, count = summary.over_measured("ours")
    yield Claim(
        6, "no batch of MemoryBudget takes more than the budget", f"{over} of {count}", not over
    )
    same = all(
        abs(r["efficiency"] - r["predicted_efficiency"]) < 1e-12 for r in summary.of("measured")
    )
    yield Claim(
        6, "padding is what was planned, to the pixel", "the same" if same else "differs", same
    )
    for than, low, high in (("groups", 1.15, 1.6), ("random", 1.3, 2.0)):
        ratio = summary.faster("ours", than)
        text = f"MemoryBudget {low} to {high} times the images/s of {MEASURED_TITLES[than]}"
        yield Claim(7, text, f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
            low <= ratio.low and ratio.high <= high)  # fmt: skip
    for survives in (False, True):
        runs = [r for r in summary.of("limited") if r["expected_to_survive"] is survives]
        ended = sum(map(died, runs))
        text = (
            "groups of 8 and MemoryBudget finish"
            if survives
            else "a fixed size of the same mean dies"
        )
        said = f"{ended} of {len(runs)} died"
        yield Claim(8, f"under the limit, {text}", said, ended == (0 if survives else len(runs)))
