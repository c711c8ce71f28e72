"""The command line of an experiment: arguments in, a result file and a report out.

Exit codes: 0 measured and reported; 1 the measurement must not be believed, or the report could
not be made; 2 bad arguments or unreadable data; 130 interrupted.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from .. import runtime
from ..errors import ArmError, DataError, FtloaderError, MeasurementError
from . import check, inputs, provenance, results
from .arms import Arm, probe
from .cells import plan, thread_counts
from .experiment import Experiment, Inputs
from .measure import FULL, QUICK
from .orchestrate import Bench, run

_QUICK_BLOCKS, _FULL_BLOCKS = 5, 10
_QUICK_IMAGES, _FULL_IMAGES = 16, 48


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line: what is wrong and where to look.
        self.exit(2, f"{self.prog}: {message}; see --help\n")


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
    try:
        asked = _arguments(experiment).parse_args(words)
    except SystemExit as stop:
        return int(stop.code or 0)
    # Ending the bench politely must end its workers too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        experiment.require_controls()
        return _run(experiment, Path(script).resolve(), asked, words)
    except DataError as error:
        return _fail(str(error), 2)
    except FtloaderError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("interrupted before anything was measured", 130)
    finally:
        signal.signal(signal.SIGTERM, before)


def _arguments(experiment: Experiment) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"experiments/{experiment.name}/run.py", description=experiment.question)
    add = parser.add_argument
    add("--interpreter", action="append", default=[], metavar="PATH", type=Path,
        help="a Python with ftloader installed; repeat for more (default: this one). A "
        "free-threaded one gives two arms, GIL off and GIL on")  # fmt: skip
    add("--gil", choices=("both", "off", "on"), default="both",
        help="which arms of a free-threaded interpreter (default: both)")  # fmt: skip
    add("--full", action="store_true", help="publishable: at least 10 blocks, longer windows")
    add("--blocks", type=_count, metavar="N", help="blocks (default: 5, with --full 10)")
    add("--threads", type=_counts, metavar="N,N", help="thread counts (default: up to the cores)")
    add("--images", type=_count, metavar="N",
        help="images in memory (default: 16, with --full 48)")  # fmt: skip
    add("--data", type=Path, metavar="DIR", help="a COCO folder (default: generated images)")
    add("--seed", type=int, default=20261121, help="seed of data, order and intervals")
    add("--out", type=Path, metavar="DIR", help="new folder for the report (default: reports/…)")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _counts(text: str) -> list[int]:
    return sorted({_count(part) for part in text.split(",")})


def _run(
    experiment: Experiment, script: Path, asked: argparse.Namespace, words: Sequence[str]
) -> int:
    if asked.seed < 0:
        return _fail(f"--seed must be 0 or more, not {asked.seed}", 2)
    try:
        arms, interpreters = _arms(asked)
    except ArmError as error:  # nothing was measured: the argument is at fault
        return _fail(str(error), 2)
    started = datetime.now(UTC)
    out = asked.out or Path("reports") / f"{experiment.name}-{started:%Y%m%dT%H%M%SZ}"
    if (out / results.FILE_NAME).exists():
        return _fail(f"--out {out} already holds a result file; name a new folder", 2)
    chosen, data = _choose(asked)
    cores = runtime.usable_cores()
    threads = asked.threads or thread_counts(cores, asked.full)
    over = 2 * max(cores, *threads)
    blocks = asked.blocks or (_FULL_BLOCKS if asked.full else _QUICK_BLOCKS)
    cells = plan(experiment, arms, threads, over, blocks, asked.seed)
    _say(
        f"{experiment.question}\n{len(arms)} arms ({', '.join(arm.name for arm in arms)}), "
        f"threads {', '.join(map(str, (*threads, over)))}, {blocks} blocks, "
        f"{len(cells)} processes, seed {asked.seed}"
    )
    settings = FULL if asked.full else QUICK
    header = {
        "experiment": _described(experiment),
        "run": {
            "started": started.isoformat(timespec="seconds"),
            "seed": asked.seed,
            "blocks": blocks,
            "threads": threads,
            "oversubscribed": over,
            "mode": "full" if asked.full else "quick",
            "command": _command(experiment, words, interpreters),
            "commit": provenance.commit(script.parent),
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
            code = _measure(bench, arms, cells, writer)
    return code or _report(out, latest=asked.out is None)


def _choose(asked: argparse.Namespace) -> tuple[Inputs, dict[str, Any]]:
    images = asked.images or (_FULL_IMAGES if asked.full else _QUICK_IMAGES)
    folder = asked.data or inputs.synthetic(images, asked.seed, _say)
    chosen, data = inputs.choose(folder, images, asked.seed)
    about = "COCO folder given with --data" if asked.data else "synthetic COCO"
    return chosen, {"about": about, **data}


def _measure(bench: Bench, arms: list[Arm], cells: list[Any], writer: results.Writer) -> int:
    """Run the bench; end the result file whatever happens; return an exit code."""

    def end(status: str, reason: str) -> None:
        writer.end(status, reason, datetime.now(UTC).isoformat(timespec="seconds"))

    try:
        run(bench, arms, cells, writer)
        # Controls are judged over all blocks, so only now; what fails here is never plotted.
        check.result(results.read(writer.path))
    except KeyboardInterrupt:
        end("interrupted", "Ctrl-C")
        return _fail(
            f"interrupted; what was measured is kept. Make a report of it with: "
            f"python -m ftloader report {shlex.quote(str(writer.path.parent))}",
            130,
        )
    except MeasurementError as error:
        end("failed", str(error))
        raise
    except BaseException as error:
        end("failed", f"{type(error).__name__}: {error}")
        raise
    end("complete", "")
    return 0


def _report(out: Path, latest: bool) -> int:
    from .report import main as report

    code = report([str(out)])
    if code == 0 and latest:
        link = out.parent / "latest"
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(out.name, target_is_directory=True)
    return code


def _arms(asked: argparse.Namespace) -> tuple[list[Arm], dict[str, Path]]:
    arms: list[Arm] = []
    interpreters: dict[str, Path] = {}
    for path in asked.interpreter or [Path(sys.executable)]:
        for arm in probe(path):
            if arm.free_threaded and asked.gil not in ("both", "on" if arm.gil else "off"):
                continue
            if arm.name in interpreters:
                raise ArmError(f"two interpreters give the arm {arm.name}; name one of them")
            arms.append(arm)
            interpreters[arm.name] = path
    if not arms:
        raise ArmError(f"no interpreter has an arm with the GIL {asked.gil}")
    return arms, interpreters


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


def _command(experiment: Experiment, words: Sequence[str], where: Mapping[str, Path]) -> str:
    # Where things lie on this machine is nobody's business in a committed file.
    short = {str(path): name.split()[0] for name, path in where.items()}
    plain = [short.get(word, Path(word).name if "/" in word else word) for word in words]
    return shlex.join(["python", f"experiments/{experiment.name}/run.py", *plain])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(message: str, code: int) -> int:
    _say(f"error: {message}" if code != 130 else message)
    return code
