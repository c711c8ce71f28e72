"""The command line of a cost experiment: one process per arm and block, in shuffled blocks.

Exit codes: 0 measured and reported; 1 the measurement must not be believed, or the report could
not be made; 2 bad arguments or unreadable data; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArmError, DataError
from .. import command, inputs, provenance, results
from ..arms import Arm
from ..command import count, fail, say
from ..orchestrate import Progress, ask
from . import check
from .describe import CostExperiment
from .measure import FULL, QUICK, Settings
from .worker import Job

_QUICK_BLOCKS, _FULL_BLOCKS = 3, 10
_IMAGES = 16
_DEADLINE = 300.0


@dataclass(frozen=True)
class Bench:
    """What stays the same over a run's processes."""

    script: Path
    inputs: Path
    interpreters: Mapping[str, Path]
    names: tuple[str, ...]
    settings: Settings
    blocks: int
    seed: int


def main(experiment: CostExperiment, script: str, argv: Sequence[str] | None = None) -> int:
    """Measure a cost experiment and write its report.

    Args:
        experiment: what to measure.
        script: path of the script that defines it as ``EXPERIMENT``; workers load it.
        argv: arguments; the command line's by default.

    Returns:
        An exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)

    def measure(asked: argparse.Namespace) -> int:
        experiment.require_sound()
        return _run(experiment, Path(script).resolve(), asked, words)

    return command.guarded(lambda: _arguments(experiment).parse_args(words), measure)


def _arguments(experiment: CostExperiment) -> argparse.ArgumentParser:
    parser = command.parser(experiment.name, experiment.question)
    add = parser.add_argument
    add("--quick", action="store_true", help="3 blocks: a smoke run, not judged")
    add("--blocks", type=count, metavar="N", help="blocks (default: 10, with --quick 3)")
    add("--cells", metavar="NAME,NAME", help="measure these cells only")
    add("--images", type=count, metavar="N", default=_IMAGES,
        help=f"images in memory (default: {_IMAGES})")  # fmt: skip
    return parser


def _run(
    experiment: CostExperiment, script: Path, asked: argparse.Namespace, words: Sequence[str]
) -> int:
    try:
        arms, interpreters = command.arms_of(asked)
    except ArmError as error:  # nothing was measured: the argument is at fault
        return fail(str(error), 2)
    cells = _cells(experiment, asked.cells)
    started = datetime.now(UTC)
    out = command.new_folder(asked, experiment.name, started)
    chosen, data = command.chosen_inputs(asked, asked.images)
    blocks = asked.blocks or (_QUICK_BLOCKS if asked.quick else _FULL_BLOCKS)
    say(
        f"{experiment.question}\n{len(arms)} arms ({', '.join(arm.name for arm in arms)}), "
        f"{len(cells)} cells, {blocks} blocks, {blocks * len(arms)} processes, seed {asked.seed}"
    )
    mode = "quick" if asked.quick else "full"
    typed = command.command_text(experiment.name, words, interpreters)
    header = {
        "form": results.COSTS,
        "experiment": _described(experiment, cells),
        "run": command.run_header(started, asked, blocks, mode, typed, script.parent),
        "arms": [arm.to_json() for arm in arms],
        "machine": provenance.machine(),
        "data": data,
    }
    names = (*cells, *(control.name for control in experiment.controls))
    settings = QUICK if asked.quick else FULL
    with tempfile.TemporaryDirectory(prefix="ftloader-lab-") as scratch:
        file = Path(scratch) / "inputs"
        inputs.save(chosen, file)
        bench = Bench(script, file, interpreters, names, settings, blocks, asked.seed)
        with results.Writer(out / results.FILE_NAME) as writer:
            writer.header(header)

            def measure() -> None:
                run(bench, arms, writer)
                # Controls are judged over all blocks, so only now; what fails is never shown.
                check.result(results.read(writer.path))

            code = command.measure_to_the_end(writer, measure)
    return code or command.report(out, latest=asked.out is None)


def run(bench: Bench, arms: Sequence[Arm], writer: results.Writer) -> None:
    """Run every process of every block, appending each record.

    Raises:
        MeasurementError: a process died, hung, or measured something that must not be believed.
        KeyboardInterrupt: Ctrl-C; the process in flight has been ended.
    """
    progress = Progress(bench.blocks * len(arms))
    firsts: dict[str, Mapping[str, Any]] = {}
    done = 0
    try:
        for block in range(bench.blocks):
            rng = np.random.default_rng([bench.seed, block])
            for position, place in enumerate(rng.permutation(len(arms))):
                arm = arms[place]
                order = tuple(bench.names[i] for i in rng.permutation(len(bench.names)))
                progress.step(done, f"block {block + 1}, {arm.name}")
                job = Job(
                    experiment=str(bench.script),
                    inputs=str(bench.inputs),
                    arm=arm,
                    order=order,
                    amounts=_amounts(firsts.get(arm.name)),
                    seed=(bench.seed, block, int(place)),
                    settings=bench.settings,
                    deadline=_DEADLINE,
                )
                where = f"arm {arm.name}, block {block + 1}"
                record = ask(
                    bench.interpreters[arm.name],
                    "ftloader.lab.costs.worker",
                    arm,
                    job.to_json(),
                    _DEADLINE,
                    where,
                )
                record = {**record, "block": block, "position": position}
                check.process(record, arm, firsts)
                firsts.setdefault(arm.name, record)
                writer.process(record)
                done += 1
        progress.step(done, "measured")
    finally:
        progress.close()


def _amounts(first: Mapping[str, Any] | None) -> dict[str, dict[str, int]]:
    """Return the amounts of work that an arm's first process found."""
    cells = first["cells"] if first else {}
    return {
        name: {
            one: found["amount"] for one, found in cell["contenders"].items() if "amount" in found
        }
        for name, cell in cells.items()
    }


def _cells(experiment: CostExperiment, asked: str | None) -> list[str]:
    names = [cell.name for cell in experiment.cells]
    if asked is None:
        return names
    wanted = asked.split(",")
    for name in wanted:
        if name not in names:
            raise DataError(f"there is no cell {name!r}; choose from {', '.join(names)}")
    return [name for name in names if name in wanted]


def _described(experiment: CostExperiment, cells: Sequence[str]) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "limits": list(experiment.limits),
        "cells": [
            {
                **{field: getattr(cell, field) for field in _CELL_FIELDS},
                "contenders": [{"name": row.name, "title": row.title} for row in cell.rows()],
            }
            for cell in experiment.cells
            if cell.name in cells
        ],
        "claims": [asdict(claim) for claim in experiment.claims if claim.cell in cells],
        "controls": [{"name": one.name, "about": one.about} for one in experiment.controls],
        "one_thread": experiment.one_thread,
    }


_CELL_FIELDS = ("name", "title", "about", "unit", "better", "baseline")
