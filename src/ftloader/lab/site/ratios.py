"""The ratios of a result set that another set may be compared by: those paired within its run.

A time says as much about the day as about the code, so none is here: only a rate over another of
the same block, a contender over the baseline of the same round, the GIL off over on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..arms import Arm, flag_differences
from ..costs.analyse import Lookup, pairs_of
from ..trials.analyse import speaks_of
from . import ratios_own
from .find import COSTS, OWN, SCALING, TRIALS, ResultSet


@dataclass(frozen=True)
class Ratio:
    """One ratio of a set, by block.

    Attributes:
        key: the same for the same ratio in every set.
        panel: what it is a ratio of, for people.
        line: which of those, such as the arm.
        better: ``"higher"`` or ``"lower"``, where that was written before the run; or empty.
        by_block: the number in each block that has one.
        matters: whether its course over commits is drawn.
        caveat: why it does not compare like with like; empty where it does.
    """

    key: tuple[str, ...]
    panel: str
    line: str
    better: str
    by_block: Mapping[int, float]
    matters: bool = False
    caveat: str = ""

    @property
    def values(self) -> list[float]:
        """The numbers in block order."""
        return [self.by_block[block] for block in sorted(self.by_block)]


def of(found: ResultSet) -> dict[tuple[str, ...], Ratio]:
    """Return the ratios of a set by their keys; a form without ratios has none.

    Raises:
        DataError: the result file cannot be read.
    """
    by_form = {SCALING: _scaling, COSTS: _costs, TRIALS: _trials}
    kept: dict[tuple[str, ...], Ratio] = {}
    for one in _own(found) if found.form in OWN else by_form[found.form](found):
        # A ratio not above 0 has no logarithm: a wait of nothing, a share that was never met.
        if one.by_block and all(value > 0 for value in one.by_block.values()):
            before = kept.get(one.key, one)
            kept[one.key] = replace(one, matters=one.matters or before.matters)
    return kept


def _own(found: ResultSet) -> Iterator[Ratio]:
    for panel, line, by_block in ratios_own.of(found):
        yield Ratio((panel, line), panel, line, "higher", by_block, matters=True)


def _arms(found: ResultSet) -> list[Arm]:
    return [Arm.from_json(one) for one in found.header["arms"]]


def _scaling(found: ResultSet) -> Iterator[Ratio]:
    counts = found.header["run"]["threads"]
    arms = _arms(found)
    plain = next((one for one in arms if not one.free_threaded), None)
    for work in found.header["experiment"]["workloads"]:
        name, title = work["name"], work["title"]
        rates = {(arm.name, n): _rates(found, arm, n, name) for arm in arms for n in counts}
        for arm in arms:
            for n in counts[1:]:
                yield Ratio((name, "speed-up", arm.name, str(n)), title,
                    f"{arm.name}, {n} over 1", "higher",
                    over(rates[arm.name, n], rates[arm.name, 1]),
                    matters=n == max(counts) and not arm.gil)  # fmt: skip
        for off, on in pairs_of(arms):
            for n in counts:
                yield Ratio((name, "GIL", off.name, str(n)), title, f"{off.name} over on, {n}",
                    "higher", over(rates[off.name, n], rates[on.name, n]),
                    matters=n == max(counts))  # fmt: skip
        for arm in (one for one in arms if plain and one is not plain):
            assert plain is not None
            yield Ratio((name, "build", arm.name), title, f"{arm.name} over {plain.name}, 1",
                "higher", over(rates[arm.name, 1], rates[plain.name, 1]),
                caveat=flag_differences(arm, plain))  # fmt: skip


def _rates(found: ResultSet, arm: Arm, threads: int, workload: str) -> dict[int, float]:
    rates = {
        int(one["block"]): one["workloads"].get(workload, {}).get("throughput")
        for one in found.file.processes
        if one["arm"] == arm.name and one["threads"] == threads
    }
    return {block: float(rate) for block, rate in rates.items() if rate is not None}


def _costs(found: ResultSet) -> Iterator[Ratio]:
    look, arms = Lookup(found.file), _arms(found)
    titles = {}
    for cell in found.header["experiment"]["cells"]:
        base = cell["baseline"]
        for one in cell["contenders"]:
            name = one["name"]
            titles[cell["name"], name] = f"{cell['title']}: {one['title']}"
            for arm in arms:
                if base and name != base:
                    yield Ratio((cell["name"], name, base, arm.name),
                        f"{titles[cell['name'], name]}, over the baseline", arm.name, "",
                        look.ratios_by_block(arm.name, cell["name"], name, base))  # fmt: skip
    for claim in found.header["experiment"]["claims"]:
        cell, name, against = claim["cell"], claim["contender"], claim["against"]
        for arm in arms if against and not claim["across"] else ():
            yield Ratio((cell, name, against, arm.name), claim["text"], arm.name, claim["better"],
                look.ratios_by_block(arm.name, cell, name, against), matters=True)  # fmt: skip
        for off, on in pairs_of(arms) if claim["across"] else ():
            yield Ratio((cell, name, "GIL", off.name), claim["text"], f"{off.name} over on",
                claim["better"],
                over(look.values(off.name, cell, name), look.values(on.name, cell, name)),
                matters=True)  # fmt: skip


def _trials(found: ResultSet) -> Iterator[Ratio]:
    described, arms = found.header["experiment"], _arms(found)
    metrics = {one["name"]: one for one in described["metrics"]}
    titles = {one["name"]: one["title"] for one in described["contenders"]}
    for cell in described["cells"]:
        base, here = cell["baseline"], cell["name"]
        for name in (one for one in cell["contenders"] if base and one != base):
            for metric in metrics.values():
                panel = f"{cell['title']}: {metric['title']}, over {titles[base]}"
                for arm in arms:
                    yield Ratio((metric["name"], here, name, here, base, arm.name), panel,
                        f"{titles[name]}, {arm.name}", "",
                        over(_values(found, arm, here, name, metric["name"]),
                            _values(found, arm, here, base, metric["name"])))  # fmt: skip
    for one in described["hypotheses"]:
        here, name, metric = one["cell"], one["contender"], metrics[one["metric"]]
        other = (one["against_cell"] or here, one["against"] or name)
        if one["across_gil"]:
            for off, on in pairs_of(arms):
                yield Ratio((metric["name"], here, name, "GIL", off.name), one["text"],
                    f"{off.name} over on", one["better"],
                    over(_values(found, off, here, name, metric["name"]),
                        _values(found, on, here, name, metric["name"])), matters=True)  # fmt: skip
        elif other != (here, name):
            for arm in (arm for arm in arms if speaks_of(one, arm)):
                yield Ratio((metric["name"], here, name, *other, arm.name), one["text"],
                    arm.name, one["better"],
                    over(_values(found, arm, here, name, metric["name"]),
                        _values(found, arm, *other, metric["name"])), matters=True)  # fmt: skip


def _values(found: ResultSet, arm: Arm, cell: str, contender: str, metric: str) -> dict[int, float]:
    kept = {}
    for one in found.file.processes:
        if (one["arm"], one["cell"], one["contender"]) == (arm.name, cell, contender):
            trial = one["trial"]
            if trial.get("accepted") and metric in trial.get("values", {}):
                kept[int(one["block"])] = float(trial["values"][metric])
    return kept


def over(above: Mapping[int, float], below: Mapping[int, float]) -> dict[int, float]:
    """Divide block by block; a block that lacks either, or is divided by 0, is left out."""
    both = sorted(above.keys() & below.keys())
    return {block: above[block] / below[block] for block in both if below[block]}
