"""Does the tuner find a setting as good as the best of a full grid?  See README.md beside this."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workloads import Setting, Workload, workloads

from ftloader import Pipeline, runtime
from ftloader.lab import provenance
from ftloader.lab.statistics import estimate
from ftloader.stages import Pipe
from ftloader.tuning import tune

SCHEMA = 1
SEED = 20
TARGET = 0.95
Write = Callable[[dict[str, Any]], None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a new result file (JSON lines)")
    parser.add_argument("--report", type=Path, nargs="+", help="result files to report on instead")
    parser.add_argument("--only", nargs="+", help="names of workloads")
    parser.add_argument("--seconds", type=float, default=30.0, help="time for each tuning")
    parser.add_argument("--window", type=float, default=0.4, help="seconds in a window")
    parser.add_argument("--blocks", type=int, default=5, help="times each grid point is measured")
    parser.add_argument("--pairs", type=int, default=12, help="final pairs of windows")
    arguments = parser.parse_args()
    if arguments.report:
        print(report(arguments.report))
        return 0
    if arguments.out is None:
        parser.error("--out or --report")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with arguments.out.open("x", encoding="utf-8") as file:

        def write(record: dict[str, Any]) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()

        write(header(arguments))
        for workload in workloads():
            if arguments.only is None or workload.name in arguments.only:
                measure(workload, arguments, write)
    text = report([arguments.out])
    arguments.out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def header(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "record": "header",
        "schema": SCHEMA,
        "moment": provenance.moment(),
        "interpreter": runtime.interpreter_name(),
        "gil": runtime.gil_enabled(),
        "machine": provenance.machine(),
        "packages": provenance.packages(),
        "source": provenance.source_digest(),
        "seconds": arguments.seconds,
        "window": arguments.window,
    }


def measure(workload: Workload, arguments: argparse.Namespace, write: Write) -> None:
    """Tune, measure the grid in shuffled blocks, then the choice against the grid's best."""
    say(f"{workload.name}: tuning")
    tuning = tune(workload.pipeline, seconds=arguments.seconds)
    choice = {stage.name: stage.concurrency for stage in tuning.stages}
    write(
        {
            "record": "tuning",
            "workload": workload.name,
            "about": workload.about,
            "choice": choice,
            "rate": tuning.throughput,
            "seconds": tuning.seconds,
            "settled": tuning.settled,
            "gil_bound": {stage.name: stage.gil_bound for stage in tuning.stages},
            "without_gil": tuning.without_gil,
            "tried": [[dict(trial.setting), trial.throughput] for trial in tuning.tried],
            "text": str(tuning),
        }
    )
    order = random.Random(SEED)
    rates: dict[int, list[float]] = defaultdict(list)
    for block in range(arguments.blocks):
        say(f"{workload.name}: block {block + 1} of {arguments.blocks}")
        for place in order.sample(range(len(workload.grid)), len(workload.grid)):
            rate = throughput(workload.pipeline, workload.grid[place], arguments.window)
            rates[place].append(rate)
            write(
                {"record": "grid", "workload": workload.name, "block": block, "rate": rate}
                | {"setting": workload.grid[place]}
            )
    best = workload.grid[max(rates, key=lambda place: statistics.median(rates[place]))]
    say(f"{workload.name}: {choice} against {best}")
    for pair in range(arguments.pairs):
        arms = [("choice", choice), ("best", best)]
        # Fresh windows: the grid's best was picked for its luck too.
        for arm, setting in arms if pair % 2 else reversed(arms):
            rate = throughput(workload.pipeline, setting, arguments.window)
            write(
                {"record": "final", "workload": workload.name, "pair": pair, "arm": arm}
                | {"setting": setting, "rate": rate}
            )


def throughput(pipeline: Pipeline[Any], setting: Setting, seconds: float) -> float:
    """Return results per second of one run, after a warm-up of a third of the window."""
    with numbered(pipeline, setting).run("threads") as run:
        last = read_until(run, time.perf_counter() + seconds / 3)[1]
        count, end = read_until(run, last + seconds)
    return count / (end - last)


def read_until(run: Iterator[Any], end: float) -> tuple[int, float]:
    for count in itertools.count(1):
        next(run)
        now = time.perf_counter()
        if now >= end:
            return count, now
    raise AssertionError("unreachable")


def numbered(pipeline: Pipeline[Any], setting: Setting) -> Pipeline[Any]:
    """Return the pipeline with these numbers, over its source again and again."""
    endless: Pipeline[Any] = Pipeline(lambda: itertools.cycle(pipeline.source))
    for stage in pipeline.stages:
        assert isinstance(stage, Pipe)
        endless = endless.pipe(stage.op, concurrency=setting[stage.name], name=stage.name)
    return endless


# --- the report, from result files alone ----------------------------------------------------------


@dataclasses.dataclass
class Result:
    """The records of one workload in one file."""

    tuning: dict[str, Any]
    grid: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    final: dict[str, dict[int, float]] = dataclasses.field(default_factory=dict)
    best: str = ""


def report(paths: list[Path]) -> str:
    lines = ["# Tuning against a full grid", ""]
    found: list[tuple[str, bool, dict[str, Result]]] = []
    for path in paths:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        head = records[0]
        gil = "GIL on" if head["gil"] else "GIL off"
        results = gather(records)
        found.append((f"{head['interpreter']}, {gil}", head["gil"], results))
        machine, packages = head["machine"], head["packages"]
        where = f"{machine['cpu']}, {machine['cores']} cores; {machine['kernel']}; " + ", ".join(
            f"{name} {version}" for name, version in packages.items()
        )
        how = f"tuned for at most {head['seconds']:g} s, windows of {head['window']:g} s"
        lines += [f"## {head['interpreter']}, {gil}", "", f"{where}; {how}.", ""]
        lines += [*section(results), ""]
    lines += bounds(found)
    return "\n".join(lines)


def bounds(found: list[tuple[str, bool, dict[str, Result]]]) -> Iterator[str]:
    """Hold the upper bounds that were given beside what was measured without the GIL."""
    rows = []
    for (arm, gil, results), (other, other_gil, measured) in itertools.permutations(found, 2):
        for name in sorted(results.keys() & measured.keys()):
            bound = results[name].tuning["without_gil"]
            if gil and not other_gil and bound is not None:
                top = max(map(statistics.median, measured[name].grid.values()))
                kept = "kept" if top <= bound else "**exceeded**"
                rows.append(f"| {name} | {arm} | {bound:.4g} | {other} | {top:.4g} | {kept} |")
    if rows:
        yield from ("## The bound for a free-threaded interpreter", "")
        yield "| Workload | Given on | At most, results/s | Measured on | Best of the grid | |"
        yield from ("|---|---|--:|---|--:|---|", *rows, "")


def gather(records: list[dict[str, Any]]) -> dict[str, Result]:
    results: dict[str, Result] = {}
    for record in records[1:]:
        name = record["workload"]
        if record["record"] == "tuning":
            results[name] = Result(record)
        elif record["record"] == "grid":
            results[name].grid.setdefault(words(record["setting"]), []).append(record["rate"])
        else:
            results[name].final.setdefault(record["arm"], {})[record["pair"]] = record["rate"]
            if record["arm"] == "best":
                results[name].best = words(record["setting"])
    return results


def section(results: dict[str, Result]) -> Iterator[str]:
    yield (
        "| Workload | Chosen | Best of the grid | Chosen / best, paired | "
        f"At least {TARGET:.2f} | Tuning took |"
    )
    yield "|---|---|---|---|---|--:|"
    for name, result in results.items():
        final = result.final
        ratios = [final["choice"][pair] / final["best"][pair] for pair in final["choice"]]
        ratio = estimate(ratios)
        held = "yes" if ratio.value >= TARGET else "**no**"
        yield (
            f"| {name} | {words(result.tuning['choice'])} | {result.best} | "
            f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) | {held} | "
            f"{result.tuning['seconds']:.1f} s |"
        )
    yield ""
    yield "Medians over pairs of fresh windows, with 95 % intervals."
    for name, result in results.items():
        yield from ("", f"### {name}: {result.tuning['about']}", "", "```text")
        yield result.tuning["text"]
        yield from ("```", "", "| Grid point | Results/s, median | Of the best |", "|---|--:|--:|")
        medians = {point: statistics.median(rates) for point, rates in result.grid.items()}
        top = max(medians.values())
        for point, rate in sorted(medians.items(), key=lambda entry: -entry[1]):
            yield f"| {point} | {rate:.4g} | {rate / top:.2f} |"


def words(setting: Setting) -> str:
    return ", ".join(f"{name} {number}" for name, number in setting.items())


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
