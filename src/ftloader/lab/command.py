"""What the command lines of all kinds of experiment have in common.

Arguments that mean the same everywhere, the arms that the interpreters give, and one way to end:
whatever happens while measuring, the result file says how it ended before the exit code does.
"""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from ..errors import ArmError, DataError, FtloaderError, MeasurementError
from . import inputs, provenance, results, resume, where
from .arms import Arm, probe, process_arms
from .experiment import Inputs

_REPORTS = "reports"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line: what is wrong and where to look."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def parser(name: str, question: str, script: str = "") -> Parser:
    """Return a parser with the arguments that every experiment has.

    Args:
        name: the experiment's name.
        question: what it asks.
        script: where it is described (see ``where``); ``experiments/NAME/run.py`` by default.
    """
    run = where.command(script) if script else f"python experiments/{name}/run.py"
    # Scripts are known by their names, modules by how they are run.
    made = Parser(prog=re.sub(r"^python (?!-m)", "", run), description=question)
    add = made.add_argument
    add("--interpreter", action="append", default=[], metavar="PATH", type=Path,
        help="a Python with ftloader installed; repeat for more (default: this one). A "
        "free-threaded one gives two arms, GIL off and GIL on")  # fmt: skip
    add("--gil", choices=("both", "off", "on"), default="both",
        help="which arms of a free-threaded interpreter (default: both)")  # fmt: skip
    add("--data", type=Path, metavar="DIR", help="a COCO folder (default: generated images)")
    add("--seed", type=int, default=20261121, help="seed of data, order and intervals")
    add("--cpus", metavar="LIST",
        help="logical CPUs to stay on, such as 0-3,8, or all (default: one per physical core, one "
        "core left to the system where there are more than four)")  # fmt: skip
    add("--out", type=Path, metavar="DIR", help="new folder for the report (default: reports/…)")
    add("--continue", dest="resume", type=Path, metavar="DIR",
        help="go on with the run in this folder, which was interrupted; everything else is given "
        "as it was then")  # fmt: skip
    return made


def count(text: str) -> int:
    """Read an argument that is an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def guarded(parse: Callable[[], argparse.Namespace], run: Callable[..., int]) -> int:
    """Parse and run; turn what goes wrong into one line and an exit code.

    Args:
        parse: returns the arguments, or exits.
        run: takes them and returns an exit code.
    """
    try:
        asked = parse()
    except SystemExit as stop:
        return int(stop.code or 0)
    if asked.seed < 0:
        return fail(f"--seed must be 0 or more, not {asked.seed}", 2)
    # Ending the bench politely must end its workers too.
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        return run(asked)
    except DataError as error:
        return fail(str(error), 2)
    except FtloaderError as error:
        return fail(str(error), 1)
    except KeyboardInterrupt:
        return fail("interrupted before anything was measured", 130)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


def arms_of(asked: argparse.Namespace) -> tuple[list[Arm], dict[str, Path]]:
    """Return the arms that were asked for, and each one's interpreter by its name.

    Raises:
        ArmError: an interpreter cannot be used, or there is no arm or a doubtful one.
    """
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
    # Not every form of experiment knows of process pools.
    for arm, pool in process_arms(arms, getattr(asked, "processes", "none")):
        arms.append(pool)
        interpreters[pool.name] = interpreters[arm.name]
    return arms, interpreters


def new_folder(asked: argparse.Namespace, name: str, started: datetime) -> Path:
    """Return the folder to report in: a new one, or the one to go on in.

    Raises:
        DataError: it already holds a result file, or none that can be continued.
    """
    if asked.resume is not None:
        if asked.out is not None:
            raise DataError("--continue DIR goes on in DIR; leave --out away")
        found = results.find(asked.resume)
        resume.require_interrupted(results.read(found), str(asked.resume))
        return found.parent
    out: Path = asked.out or Path(_REPORTS) / f"{name}-{started:%Y%m%dT%H%M%SZ}"
    if (out / results.FILE_NAME).exists():
        raise DataError(
            f"--out {out} already holds a result file; name a new folder, or --continue {out}"
        )
    return out


def chosen_inputs(asked: argparse.Namespace, images: int) -> tuple[Inputs, dict[str, Any]]:
    """Return the inputs and the ``data`` entry of the header.

    Raises:
        DataError: the folder given with ``--data`` is no good.
    """
    folder = asked.data or inputs.synthetic(images, asked.seed, say)
    chosen, data = inputs.choose(folder, images, asked.seed)
    about = "COCO folder given with --data" if asked.data else "synthetic COCO"
    return chosen, {"about": about, **data}


def measure_to_the_end(writer: results.Writer, measure: Callable[[], None]) -> int:
    """Measure; end the result file whatever happens; return an exit code.

    Args:
        writer: the result file, its header written.
        measure: appends every record, then checks the whole.

    Raises:
        MeasurementError: what was measured must not be believed.
    """

    def end(status: str, reason: str) -> None:
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        writer.end(status, provenance.without_folders(reason), finished)

    try:
        measure()
    except KeyboardInterrupt as signalled:
        end("interrupted", str(signalled) or "Ctrl-C")
        folder = shlex.quote(str(writer.path.parent))
        return fail(
            f"interrupted; what was measured is kept. Go on with the same command and --continue "
            f"{folder}, or make a report of what there is: python -m ftloader report {folder}",
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


def report(out: Path, latest: bool) -> int:
    """Make the report of a folder; point ``latest`` beside it to it if asked.

    Args:
        out: the folder.
        latest: whether nobody named the folder of this run.
    """
    from .report import main

    code = main([str(out)])
    if code == 0 and latest and out.parent.name == _REPORTS:
        link = out.parent / "latest"
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(out.name, target_is_directory=True)
    return code


def say(text: str) -> None:
    """Print a line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


def fail(message: str, code: int) -> int:
    """Say what went wrong and return the exit code."""
    say(f"error: {message}" if code != 130 else message)
    return code
