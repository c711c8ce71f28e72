"""The paired ratios of experiments whose result files are their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import rows
from .answer_batching import GROUPS, OURS, Batching
from .find import ResultSet
from .rows import Files

#: What a ratio is of, which of those, and the number in each block.
Found = tuple[str, str, dict[int, float]]


def of(found: ResultSet) -> Iterator[Found]:
    """Yield the ratios of a set; verdicts are not ratios, so thread safety has none."""
    if found.form == "dynamic_batching":
        yield from _batching(found.files)
    elif found.form == "tuning":
        yield from tuned(found.files)


def _batching(files: Files) -> Iterator[Found]:
    run = Batching(files)
    for than, title in (("groups", "two aspect groups"), ("random", "random batches")):
        yield (
            "Images per second under one budget",
            f"over {title}",
            _over(run.rates(OURS), run.rates(than)),
        )
    for scale in run.scales():
        ours, groups = (run.planned(scale, name, "images_per_batch") for name in (OURS, GROUPS))
        yield "Images per batch at one peak, over two aspect groups", scale, _over(ours, groups)


def tuned(files: Files) -> Iterator[Found]:
    """Yield, by workload and interpreter, the chosen setting's rate over the best one's."""
    for lines in files.values():
        arm = lines[0].record["interpreter"]
        rates: dict[tuple[str, str], dict[int, float]] = {}
        for row in rows.of_kind(lines, "final"):
            one = row.record
            rates.setdefault((one["workload"], one["arm"]), {})[one["pair"]] = one["rate"]
        for workload in dict.fromkeys(name for name, _ in rates):
            ratio = _over(rates[workload, "choice"], rates[workload, "best"])
            yield f"{workload}: chosen setting over the best of the grid", arm, ratio


def _over(above: Mapping[int, float], below: Mapping[int, float]) -> dict[int, float]:
    return {block: above[block] / below[block] for block in above if block in below}
