"""The command line of a trial experiment: one process per trial, all shuffled inside each block.

Exit codes: 0 measured and reported; 1 the measurement must not be believed, or the report could
not be made; 2 bad arguments or unreadable data; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import DataError
from .. import command, inputs, recording, results
from ..command import count
from . import check
from .describe import Cell, Hypothesis, TrialExperiment
from .run import Bench, Key, key_of, plan, recorded, run, still_planned

_QUICK_BLOCKS, _FULL_BLOCKS = 3, 10
_QUICK_PAIRS, _FULL_PAIRS = 3, 5


def main(experiment: TrialExperiment, script: str, argv: Sequence[str] | None = None) -> int:
    """Measure a trial experiment and write its report.

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


def _arguments(experiment: TrialExperiment, script: str) -> argparse.ArgumentParser:
    parser = command.parser(experiment.name, experiment.question, script)
    add = parser.add_argument
    add("--quick", action="store_true", help="3 blocks: a smoke run, not judged")
    add("--blocks", type=count, metavar="N", help="blocks (default: 10, with --quick 3)")
    add("--cells", metavar="NAME,NAME", help="measure these cells only")
    add("--contenders", metavar="NAME,NAME", help="measure these contenders only")
    add("--images", type=count, metavar="N", default=experiment.images,
        help=f"images in memory (default: {experiment.images})")  # fmt: skip
    return parser


def _run(
    experiment: TrialExperiment, script: str, asked: argparse.Namespace, words: Sequence[str]
) -> int:
    cells = _cells(experiment, asked.cells, asked.contenders)
    call = recording.begin(script, words, asked, experiment.name, asked.images)
    blocks = asked.blocks or (_QUICK_BLOCKS if asked.quick else _FULL_BLOCKS)
    pairs = _QUICK_PAIRS if asked.quick else _FULL_PAIRS
    mode = "quick" if asked.quick else "full"
    form = {"form": results.TRIALS, "experiment": described(experiment, cells)}
    header = {**form, **call.header({"pairs": pairs}, blocks=blocks, mode=mode)}
    with tempfile.TemporaryDirectory(prefix="ftloader-lab-") as scratch:
        file = Path(scratch) / "inputs"
        inputs.save(call.inputs, file)
        bench = Bench(
            script=call.script,
            experiment=experiment,
            inputs=file,
            interpreters=call.interpreters,
            cells=cells,
            blocks=blocks,
            seed=asked.seed,
            pairs=pairs,
            cpus=call.cpu_set.cpus,
        )
        keys = [trial.key for block in plan(bench, call.arms) for trial in block]
        numbers = (f"{len(cells)} cells", f"{blocks} blocks", f"{len(keys)} processes")
        call.say(experiment.question, *numbers)

        def planned(before: results.ResultFile) -> Collection[Key]:
            return still_planned(keys, before)

        with recording.result_file(call, header, planned, key_of) as (writer, before):

            def measure() -> None:
                run(bench, call.arms, writer, recorded(before))
                # Controls are judged over all blocks, so only now; what fails is never shown.
                check.result(results.read(writer.path))

            code = command.measure_to_the_end(writer, measure)
    return code or command.report(call.folder, latest=asked.out is None)


def _cells(
    experiment: TrialExperiment, cells: str | None, contenders: str | None
) -> dict[str, tuple[str, ...]]:
    """Return what is to be measured: the names of each cell's contenders, in table order.

    Raises:
        DataError: a name is not there, or nothing is left.
    """
    wanted = _names("cell", cells, [cell.name for cell in experiment.cells])
    who = _names("contender", contenders, [one.name for one in experiment.contenders])
    found = {
        cell.name: tuple(one.name for one in experiment.taking_part(cell) if one.name in who)
        for cell in experiment.cells
        if cell.name in wanted
    }
    found = {name: taking_part for name, taking_part in found.items() if taking_part}
    if not found:
        raise DataError("none of the contenders asked for takes part in any cell asked for")
    return found


def _names(kind: str, asked: str | None, known: Sequence[str]) -> Collection[str]:
    wanted = known if asked is None else asked.split(",")
    for name in wanted:
        if name not in known:
            raise DataError(f"there is no {kind} {name!r}; choose from {', '.join(known)}")
    return wanted


def described(experiment: TrialExperiment, cells: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the ``experiment`` entry of a header.

    Args:
        experiment: what it is.
        cells: the contenders to be measured, by cell.
    """
    taking_part = {name for names in cells.values() for name in names}
    asked = [one for one in experiment.hypotheses if _speaks_of(one, cells)]
    return {
        "name": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "metrics": [asdict(metric) for metric in experiment.metrics],
        "contenders": [
            {"name": one.name, "title": one.title, "needs": list(one.needs), "gil": one.gil}
            for one in experiment.contenders
            if one.name in taking_part
        ],
        "cells": [_cell(one, cells[one.name]) for one in experiment.cells if one.name in cells],
        "hypotheses": [asdict(one) for one in asked],
        "unasked": len(experiment.hypotheses) - len(asked),
        "limits": list(experiment.limits),
        "controls": [{"name": one.name, "about": one.about} for one in experiment.controls],
        "deadline": experiment.deadline,
    }


def _cell(cell: Cell, contenders: tuple[str, ...]) -> dict[str, Any]:
    baseline = cell.baseline if cell.baseline in contenders else ""
    return {**asdict(cell), "contenders": list(contenders), "baseline": baseline}


def _speaks_of(one: Hypothesis, cells: dict[str, tuple[str, ...]]) -> bool:
    other = (one.against_cell or one.cell, one.against or one.contender)
    return all(name in cells.get(cell, ()) for cell, name in ((one.cell, one.contender), other))
