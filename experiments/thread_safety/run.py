"""Which popular transforms are safe in threads, and why not?  See README.md beside this.

``run.py --interpreter PYTHON ... [--with-mmdet PYTHON] [--out FOLDER]`` audits every case on every
arm, counts the wrong results of the real races, and writes ``verdicts.jsonl``, ``report.md`` and
``report.html``. ``run.py --report FOLDER`` writes the reports anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import page
from races import RACES

from ftloader.lab import provenance

SCHEMA = 1
HERE = Path(__file__).resolve().parent
GROUPS = ("ours", "mmcv", "torchvision", "albumentations", "pillow")
CALLS = 40_000
#: Seconds between switches of threads: CPython's default, and as often as it will.
INTERVALS = (0.005, 1e-6)


@dataclass(frozen=True)
class Arm:
    """One interpreter in one GIL mode, and the groups it audits."""

    python: Path
    gil: str | None  # PYTHON_GIL, None where there is no choice
    groups: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.python}" + ("" if self.gil is None else f", PYTHON_GIL={self.gil}")

    @property
    def environment(self) -> dict[str, str]:
        # Hundreds of processes start: those that keep no bytecode would compile torch each time.
        dropped = ("PYTHON_GIL", "PYTHONDONTWRITEBYTECODE")
        env = {name: value for name, value in os.environ.items() if name not in dropped}
        env |= {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
        return env if self.gil is None else {**env, "PYTHON_GIL": self.gil}


def main() -> int:
    arguments = parsed()
    if arguments.report is not None:
        page.write(arguments.report)
        return 0
    out: Path = arguments.out or HERE.parents[1] / "reports" / f"thread-safety-{stamp()}"
    out.mkdir(parents=True)
    with (out / "verdicts.jsonl").open("x", encoding="utf-8") as file:
        write(file, header(arguments))
        wanted = arguments.groups.split(",")
        every = list(arms(arguments.interpreter, arguments.with_mmdet, wanted))
        for arm in every:
            say(arm.name)
            for record in audits(arm, arguments.seconds, arguments.only):
                write(file, record)
        for arm in every:
            say(arm.name)
            for record in races(arm, arguments.calls, arguments.repeat, arguments.only):
                write(file, record)
    page.write(out)
    print(out / "report.html")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interpreter", type=Path, action="append", default=[])
    parser.add_argument("--with-mmdet", type=Path, help="an interpreter that has mmdet as well")
    parser.add_argument("--out", type=Path, help="a new folder; one below reports by default")
    parser.add_argument("--report", type=Path, help="a folder of results to report on instead")
    parser.add_argument("--seconds", type=float, default=4.0, help="of hammer per case and arm")
    parser.add_argument("--calls", type=int, default=CALLS, help="of each race")
    parser.add_argument("--repeat", type=int, default=5, help="processes per race")
    parser.add_argument("--only", default="", help="cases and races whose names contain this")
    every = ",".join((*GROUPS, "mmdet"))
    parser.add_argument("--groups", default=every, help=f"some of {every}")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.calls, arguments.repeat = 1.0, 4_000, 1
    if arguments.report is None and not arguments.interpreter:
        arguments.interpreter = [Path(sys.executable)]
    return arguments


def arms(pythons: list[Path], with_mmdet: Path | None, wanted: list[str]) -> Iterator[Arm]:
    """Yield each interpreter's arms: one with a GIL, two where it is a choice."""
    groups = tuple(group for group in GROUPS if group in wanted)
    for python in pythons if groups else []:
        if is_free_threaded(python):
            yield Arm(python, "0", groups)
            yield Arm(python, "1", groups)
        else:
            yield Arm(python, None, groups)
    if with_mmdet is not None and "mmdet" in wanted:
        yield Arm(with_mmdet, None, ("mmdet",))


def is_free_threaded(python: Path) -> bool:
    code = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
    return run([str(python), "-c", code], None).strip() == "1"


def audits(arm: Arm, seconds: float, only: str) -> Iterator[dict[str, Any]]:
    """Yield what each case of an arm came to."""
    command = [
        str(arm.python),
        str(HERE / "audit_arm.py"),
        ",".join(arm.groups),
        str(seconds),
        only,
    ]
    with subprocess.Popen(
        command, env=arm.environment, cwd=HERE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise SystemExit(f"run.py: {command[0]} audit_arm.py ended with {process.returncode}")


def races(arm: Arm, calls: int, repeat: int, only: str) -> Iterator[dict[str, Any]]:
    """Yield counts of wrong results, each from a process of its own."""
    if "mmcv" not in arm.groups:
        return
    # Without a GIL there is no interval to choose.
    intervals = INTERVALS[:1] if arm.gil == "0" else INTERVALS
    for name in RACES:
        if only not in name:
            continue
        for interval in intervals:
            say(f"  {name}, switch interval {interval * 1e6:g} µs")
            for _ in range(repeat):
                script = [str(HERE / "races.py"), name, str(calls), str(interval)]
                text = run([str(arm.python), *script], arm.environment)
                yield json.loads(text)


def run(command: list[str], environment: dict[str, str] | None) -> str:
    done = subprocess.run(
        command, env=environment, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"run.py: {' '.join(command[:3])} ended with {done.returncode}")
    return done.stdout


def header(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "record": "header",
        "schema": SCHEMA,
        "moment": provenance.moment(),
        "machine": provenance.machine(),
        "commit": provenance.commit(HERE),
        "source": provenance.source_digest(),
        "seconds": arguments.seconds,
        "calls": arguments.calls,
        "repeat": arguments.repeat,
    }


def stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def write(file: TextIO, record: dict[str, Any]) -> None:
    file.write(json.dumps(record) + "\n")
    file.flush()


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
