"""The second headline: what batches by memory buy over a batch size.

Planned figures are medians over shuffles with their range; measured ones are ratios inside a
block with an interval over blocks, as in the experiment's own report.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from .. import prose
from ..statistics import Estimate, block_ratios, estimate
from . import rows
from .rows import Files, Row, Sentence

OURS, GROUPS = "ours", "detectron2"
_RIVALS = {"groups": "two aspect groups", "random": "random batches"}
#: Policies with a fixed batch size of the mean of MemoryBudget's.
_SAME_MEAN = "-mean"


class Batching:
    """What the rows of one run hold; remembers which rows it was asked for."""

    def __init__(self, files: Files) -> None:
        ((self.name, self.rows),) = files.items()
        self.used: list[Row] = [self.rows[0]]

    def of(self, kind: str, **wanted: Any) -> list[Row]:
        """Return, and remember, the rows of a kind whose fields have these values."""
        found = [
            row
            for row in rows.of_kind(self.rows, kind)
            if all(row.record.get(name) == value for name, value in wanted.items())
        ]
        self.used += found
        return found

    def scales(self) -> list[str]:
        """Return the scales of the planned part, in order."""
        found = rows.of_kind(self.rows, "planned")
        return list(dict.fromkeys(row.record["scale"] for row in found))

    def planned(self, scale: str, policy: str, field: str) -> dict[int, float]:
        """Return a planned figure by shuffle."""
        found = self.of("planned", scale=scale, policy=policy)
        return {int(row.record["seed"]): float(row.record[field]) for row in found}

    def rates(self, policy: str) -> dict[int, float]:
        """Return measured images per second by block."""
        found = self.of("measured", policy=policy)
        return {
            int(row.record["block"]): row.record["images"] / row.record["seconds"] for row in found
        }

    def images(self, scale: str) -> Estimate | None:
        """Return images per batch over two groups' at the same peak: median and range."""
        field = "images_per_batch"
        ratios = block_ratios(self.planned(scale, OURS, field), self.planned(scale, GROUPS, field))
        return Estimate(median(ratios), min(ratios), max(ratios), len(ratios)) if ratios else None

    def faster(self, than: str) -> Estimate | None:
        """Return measured images per second over a rival's, under one memory budget."""
        ratios = block_ratios(self.rates(OURS), self.rates(than))
        return estimate(ratios) if ratios else None


def planned(files: Files) -> Sentence:
    """Say how many more images go into a batch at the same peak memory."""
    run = Batching(files)
    said: list[str] = []
    gains = {scale: found for scale in run.scales() if (found := run.images(scale))}
    for scale in sorted(gains, key=lambda scale: -gains[scale].value):
        ours, theirs = (
            median(run.planned(scale, policy, "images_per_batch").values())
            for policy in (OURS, GROUPS)
        )
        times = prose.interval(gains[scale])
        many = f"{times} times" if said else f"**{times} times as many images**"
        shown = f"{ours:.1f}" if said else f"{ours:.1f} instead of {theirs:.1f}"
        said.append(f"{many} at {_named(scale)} ({shown})")
    text = (
        "At the same peak memory as two aspect groups of 8, a batch planned by a memory budget "
        f"holds {prose.join(said)}; the intervals are ranges over shuffles."
    )
    return rows.sentence(planned, text, {run.name: run.used})


def measured(files: Files) -> Sentence:
    """Say how much faster training was under one memory budget."""
    run = Batching(files)
    said = [
        f"**{prose.interval(found)} times** the images per second of {title}"
        for than, title in _RIVALS.items()
        if (found := run.faster(than))
    ]
    blocks = len(run.rates(OURS))
    text = (
        f"A small detector, trained for real under one budget, did {prose.join(said)} "
        f"({blocks} blocks)."
        if said
        else "No training was measured."
    )
    return rows.sentence(measured, text, {run.name: run.used})


def limited(files: Files) -> Sentence:
    """Say who survived a memory limit made from the prediction."""
    run = Batching(files)
    runs = run.of("limited")
    if not runs:
        text = "No run under a memory limit is committed."
        return rows.sentence(limited, text, {run.name: run.used})
    said = []
    for title, mine in (
        ("the memory budget", [row for row in runs if row.record["case"] == OURS]),
        ("a fixed size of the same mean", [r for r in runs if _SAME_MEAN in r.record["case"]]),
    ):
        said.append(f"{_dead(mine)} of {len(mine)} runs of {title} died")
    text = f"Under a memory limit made from the prediction, {prose.join(said)}."
    return rows.sentence(limited, text, {run.name: run.used})


def _dead(runs: Sequence[Row]) -> int:
    return sum("died" in row.record or row.record.get("exit") != 0 for row in runs)


def _named(scale: str) -> str:
    return {"fixed": "a fixed scale", "jitter": "large-scale jitter"}.get(scale, scale)
