"""The command line of an experiment: arguments in, a result file and a report out.

Exit codes: 0 measured and reported; 1 the measurement must not be believed, or the report could
not be made; 2 bad arguments or unreadable data; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import DataError
from . import check, command, inputs, recording, results
from .cells import key_of, plan, thread_counts
from .command import count
from .controls import JUDGED_AT
from .cpus import CpuSet, listed
from .experiment import Experiment
from .measure import FULL, QUICK
from .orchestrate import Bench, run

_QUICK_BLOCKS, _FULL_BLOCKS = 5, 10
_QUICK_IMAGES, _FULL_IMAGES = 16, 48


def main(experiment: Experiment, script: str, argv: Sequence[str] | None = None) -> int:
    """Measure an experiment and write its report.

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
        experiment.require_controls()
        return _run(experiment, script, asked, words)

    return command.guarded(lambda: _arguments(experiment, script).parse_args(words), measure)


def _arguments(experiment: Experiment, script: str) -> argparse.ArgumentParser:
    parser = command.parser(experiment.name, experiment.question, script)
    add = parser.add_argument
    add("--full", action="store_true", help="publishable: at least 10 blocks, longer windows")
    add("--blocks", type=count, metavar="N", help="blocks (default: 5, with --full 10)")
    add("--threads", type=_counts, metavar="N,N",
        help="thread counts within the CPU set (default: up to its size)")  # fmt: skip
    add("--images", type=count, metavar="N",
        help="images in memory (default: 16, with --full 48)")  # fmt: skip
    add("--workloads", metavar="NAME,NAME", help="measure these only (default: all)")
    add("--processes", metavar="NAMES",
        help="interpreters, such as 3.12,3.13t, that get an arm with a pool of processes too; or "
        "all, none, or usual: the oldest with a GIL and the oldest that can do without (default: "
        "none, with --full usual)")  # fmt: skip
    return parser


def _counts(text: str) -> list[int]:
    return sorted({count(part) for part in text.split(",")})


def _run(
    experiment: Experiment, script: str, asked: argparse.Namespace, words: Sequence[str]
) -> int:
    if asked.workloads:
        experiment = experiment.only(asked.workloads.split(","))
    asked.processes = asked.processes or ("usual" if asked.full else "none")
    if not experiment.names_for(threaded=False):
        asked.processes = "none"
    images = asked.images or (_FULL_IMAGES if asked.full else _QUICK_IMAGES)
    call = recording.begin(script, words, asked, experiment.name, images)
    threads = asked.threads or thread_counts(call.cpu_set.size, asked.full)
    _require_within(threads, call.cpu_set)
    over = 2 * max(call.cpu_set.size, *threads)
    blocks = asked.blocks or (_FULL_BLOCKS if asked.full else _QUICK_BLOCKS)
    cells = plan(experiment, call.arms, threads, over, blocks, asked.seed)
    counts = f"threads {', '.join(map(str, (*threads, over)))}"
    call.say(experiment.question, counts, f"{blocks} blocks", f"{len(cells)} processes")
    settings = FULL if asked.full else QUICK
    mode = "full" if asked.full else "quick"
    shared = call.header(
        asdict(settings), blocks=blocks, mode=mode, threads=threads, oversubscribed=over
    )
    header = {"experiment": _described(experiment), **shared}
    deadline = 60.0 + 30.0 * settings.window * settings.windows * len(experiment.workloads)
    with tempfile.TemporaryDirectory(prefix="ftloader-lab-") as scratch:
        file = Path(scratch) / "inputs"
        inputs.save(call.inputs, file)
        bench = Bench(
            call.script, experiment, file, call.interpreters, settings, deadline, call.cpu_set.cpus
        )
        keys = frozenset(cell.key for cell in cells)
        with recording.result_file(call, header, lambda _: keys, key_of) as (writer, before):

            def measure() -> None:
                run(bench, call.arms, cells, writer, before)
                # Controls are judged over all blocks, so only now; what fails is never plotted.
                check.result(results.read(writer.path))

            code = command.measure_to_the_end(writer, measure)
    return code or command.report(call.folder, latest=asked.out is None)


def _require_within(threads: Sequence[int], cpu_set: CpuSet) -> None:
    """Refuse thread counts that would be called within the cores and are not.

    Raises:
        DataError: one is larger than the CPU set.
    """
    # Two are allowed anywhere: controls are judged there, and say what one core cannot.
    if max(threads) > max(cpu_set.size, JUDGED_AT):
        raise DataError(
            f"--threads {max(threads)}: the CPU set has {cpu_set.size} CPUs ({listed(cpu_set.cpus)}"
            "); name counts up to that (one count beyond it is measured anyway), or other --cpus"
        )


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
