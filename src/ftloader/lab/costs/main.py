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
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .. import command, inputs, recording, results
from ..arms import Arm
from ..command import count
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

    script: Path | str
    inputs: Path
    interpreters: Mapping[str, Path]
    names: tuple[str, ...]
    settings: Settings
    blocks: int
    seed: int
    cpus: tuple[int, ...] = ()


def main(experiment: CostExperiment, script: str, argv: Sequence[str] | None = None) -> int:
    """Measure a cost experiment and write its report.

    Args:
        experiment: what to measure.
        script: path of the script that defines it as ``EXPERIMENT``, or ``"module:attribute"``;
            workers load it.
        argv: arguments; the command line's by default.

    Returns:
        An exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)

    def measure(asked: argparse.Namespace) -> int:
        experiment.require_sound()
        return _run(experiment, script, asked, words)

    return command.guarded(lambda: _arguments(experiment, script).parse_args(words), measure)


def _arguments(experiment: CostExperiment, script: str) -> argparse.ArgumentParser:
    parser = command.parser(experiment.name, experiment.question, script)
    add = parser.add_argument
    add("--quick", action="store_true", help="3 blocks: a smoke run, not judged")
    add("--blocks", type=count, metavar="N", help="blocks (default: 10, with --quick 3)")
    add("--cells", metavar="NAME,NAME", help="measure these cells only")
    add("--images", type=count, metavar="N", default=_IMAGES,
        help=f"images in memory (default: {_IMAGES})")  # fmt: skip
    return parser


def _run(
    experiment: CostExperiment, script: str, asked: argparse.Namespace, words: Sequence[str]
) -> int:
    cells = _cells(experiment, asked.cells)
    call = recording.begin(script, words, asked, experiment.name, asked.images)
    blocks = asked.blocks or (_QUICK_BLOCKS if asked.quick else _FULL_BLOCKS)
    keys = {(block, arm.name) for block in range(blocks) for arm in call.arms}
    numbers = (f"{len(cells)} cells", f"{blocks} blocks", f"{len(keys)} processes")
    call.say(experiment.question, *numbers)
    settings = QUICK if asked.quick else FULL
    mode = "quick" if asked.quick else "full"
    described = {"form": results.COSTS, "experiment": _described(experiment, cells)}
    header = {**described, **call.header(asdict(settings), blocks=blocks, mode=mode)}
    names = (*cells, *(control.name for control in experiment.controls))
    with tempfile.TemporaryDirectory(prefix="ftloader-lab-") as scratch:
        file = Path(scratch) / "inputs"
        inputs.save(call.inputs, file)
        bench = Bench(
            script=call.script,
            inputs=file,
            interpreters=call.interpreters,
            names=names,
            settings=settings,
            blocks=blocks,
            seed=asked.seed,
            cpus=call.cpu_set.cpus,
        )
        with recording.result_file(call, header, lambda _: keys, _key_of) as (writer, before):

            def measure() -> None:
                run(bench, call.arms, writer, before)
                # Controls are judged over all blocks, so only now; what fails is never shown.
                check.result(results.read(writer.path))

            code = command.measure_to_the_end(writer, measure)
    return code or command.report(call.folder, latest=asked.out is None)


def _key_of(record: Mapping[str, Any]) -> tuple[int, str]:
    return (record["block"], record["arm"])


def run(
    bench: Bench,
    arms: Sequence[Arm],
    writer: results.Writer,
    before: results.ResultFile | None = None,
) -> None:
    """Run every process of every block, appending each record.

    Args:
        bench: what stays the same.
        arms: the arms.
        writer: the result file.
        before: what it holds already; those processes are not run again.

    Raises:
        MeasurementError: a process died, hung, or measured something that must not be believed.
        KeyboardInterrupt: Ctrl-C; the process in flight has been ended.
    """
    measured = before.processes if before else ()
    recorded = {_key_of(record) for record in measured}
    firsts: dict[str, Mapping[str, Any]] = {}
    for record in measured:
        firsts.setdefault(record["arm"], record)
    progress = Progress(bench.blocks * len(arms) - len(recorded))
    done = 0
    try:
        for block in range(bench.blocks):
            rng = np.random.default_rng([bench.seed, block])
            for position, place in enumerate(rng.permutation(len(arms))):
                arm = arms[place]
                order = tuple(bench.names[i] for i in rng.permutation(len(bench.names)))
                if (block, arm.name) in recorded:
                    continue
                progress.step(done, f"block {block + 1}, {arm.name}")
                seed = (bench.seed, block, int(place))
                record = {
                    **_ask(bench, arm, order, _amounts(firsts.get(arm.name)), seed),
                    "block": block,
                    "position": position,
                }
                check.process(record, arm, firsts)
                firsts.setdefault(arm.name, record)
                writer.process(record)
                done += 1
        progress.step(done, "measured")
    finally:
        progress.close()


def _ask(
    bench: Bench,
    arm: Arm,
    order: tuple[str, ...],
    amounts: Mapping[str, Mapping[str, int]],
    seed: tuple[int, int, int],
) -> dict[str, Any]:
    """Run one process to its end and return its record."""
    job = Job(
        experiment=str(bench.script),
        inputs=str(bench.inputs),
        arm=arm,
        order=order,
        amounts=amounts,
        seed=seed,
        settings=bench.settings,
        deadline=_DEADLINE,
        cpus=bench.cpus,
    )
    where = f"arm {arm.name}, block {seed[1] + 1}"
    interpreter = bench.interpreters[arm.name]
    worker = "ftloader.lab.costs.worker"
    return ask(interpreter, worker, arm, job.to_json(), _DEADLINE, where)


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
