"""The command line of an experiment: arguments in, a result file and a report out.

Exit codes: 0 measured and reported; 1 the measurement must not be believed, or the report could
not be made; 2 bad arguments or unreadable data; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import runtime
from ..errors import ArmError
from . import check, command, inputs, provenance, results
from .cells import plan, thread_counts
from .command import count, fail, say
from .experiment import Experiment
from .measure import FULL, QUICK
from .orchestrate import Bench, run

_QUICK_BLOCKS, _FULL_BLOCKS = 5, 10
_QUICK_IMAGES, _FULL_IMAGES = 16, 48


def main(experiment: Experiment, script: str, argv: Sequence[str] | None = None) -> int:
    """Measure an experiment and write its report.

    Args:
        experiment: what to measure.
        script: path of the script that defines it as ``EXPERIMENT``; workers load it.
        argv: arguments; the command line's by default.

    Returns:
        An exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)

    def measure(asked: argparse.Namespace) -> int:
        experiment.require_controls()
        return _run(experiment, Path(script).resolve(), asked, words)

    return command.guarded(lambda: _arguments(experiment).parse_args(words), measure)


def _arguments(experiment: Experiment) -> argparse.ArgumentParser:
    parser = command.parser(experiment.name, experiment.question)
    add = parser.add_argument
    add("--full", action="store_true", help="publishable: at least 10 blocks, longer windows")
    add("--blocks", type=count, metavar="N", help="blocks (default: 5, with --full 10)")
    add("--threads", type=_counts, metavar="N,N", help="thread counts (default: up to the cores)")
    add("--images", type=count, metavar="N",
        help="images in memory (default: 16, with --full 48)")  # fmt: skip
    return parser


def _counts(text: str) -> list[int]:
    return sorted({count(part) for part in text.split(",")})


def _run(
    experiment: Experiment, script: Path, asked: argparse.Namespace, words: Sequence[str]
) -> int:
    try:
        arms, interpreters = command.arms_of(asked)
    except ArmError as error:  # nothing was measured: the argument is at fault
        return fail(str(error), 2)
    started = datetime.now(UTC)
    out = command.new_folder(asked, experiment.name, started)
    images = asked.images or (_FULL_IMAGES if asked.full else _QUICK_IMAGES)
    chosen, data = command.chosen_inputs(asked, images)
    cores = runtime.usable_cores()
    threads = asked.threads or thread_counts(cores, asked.full)
    over = 2 * max(cores, *threads)
    blocks = asked.blocks or (_FULL_BLOCKS if asked.full else _QUICK_BLOCKS)
    cells = plan(experiment, arms, threads, over, blocks, asked.seed)
    say(
        f"{experiment.question}\n{len(arms)} arms ({', '.join(arm.name for arm in arms)}), "
        f"threads {', '.join(map(str, (*threads, over)))}, {blocks} blocks, "
        f"{len(cells)} processes, seed {asked.seed}"
    )
    settings = FULL if asked.full else QUICK
    mode = "full" if asked.full else "quick"
    typed = command.command_text(experiment.name, words, interpreters)
    header = {
        "experiment": _described(experiment),
        "run": {
            **command.run_header(started, asked, blocks, mode, typed, script.parent),
            "threads": threads,
            "oversubscribed": over,
        },
        "arms": [arm.to_json() for arm in arms],
        "machine": provenance.machine(),
        "data": data,
    }
    deadline = 60.0 + 30.0 * settings.window * settings.windows * len(experiment.workloads)
    with tempfile.TemporaryDirectory(prefix="ftloader-lab-") as scratch:
        file = Path(scratch) / "inputs"
        inputs.save(chosen, file)
        bench = Bench(script, experiment, file, interpreters, settings, deadline)
        with results.Writer(out / results.FILE_NAME) as writer:
            writer.header(header)

            def measure() -> None:
                run(bench, arms, cells, writer)
                # Controls are judged over all blocks, so only now; what fails is never plotted.
                check.result(results.read(writer.path))

            code = command.measure_to_the_end(writer, measure)
    return code or command.report(out, latest=asked.out is None)


def _described(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "workloads": [
            {"name": one.name, "title": one.title, "about": one.about, "unit": one.unit}
            for one in experiment.workloads
        ],
        "controls": [{"name": one.name, "about": one.about} for one in experiment.controls],
    }
