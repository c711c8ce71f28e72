"""What does a memory budget buy over a batch size?  See README.md beside this.

``run.py [--data SIZES] [--out FOLDER]`` plans, trains, writes ``figures.jsonl``, ``report.md`` and
``report.html``. ``run.py --report FOLDER`` writes the reports anew.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from batching_parts import measured, planned

from ftloader import runtime
from ftloader.batching import DeviceBytes
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.errors import FtloaderError
from ftloader.lab import provenance

SCHEMA = 1
HERE = Path(__file__).resolve().parent
FILE_NAME = "figures.jsonl"


@dataclass(frozen=True)
class Size:
    """How much is done; ``--quick`` is the second.

    Attributes:
        drawn: sizes, where none are given.
        seeds: shuffles that are planned.
        train: samples that planning is timed with.
        repeat: plans that are timed in a process.
        images: that are trained on.
        blocks: of the measured policies.
        setting: of training.
        limited: seeds that are run under the limit.
        timed: scales for which planning is timed.
    """

    drawn: int
    seeds: int
    train: int
    repeat: int
    images: int
    blocks: int
    setting: measured.Setting
    limited: int
    timed: tuple[str, ...]


FULL = Size(planned.DRAWN, 5, planned.TRAIN, 5, 320, 5, measured.FULL, 2, ("fixed", "multi-scale"))
QUICK = Size(400, 2, 2_000, 2, 24, 1, measured.QUICK, 1, ("multi-scale",))


def main() -> int:
    arguments = parsed()
    if arguments.report is not None:
        report(arguments.report)
        return 0
    out: Path = arguments.out or HERE.parents[1] / "reports" / f"dynamic-batching-{stamp()}"
    out.mkdir(parents=True)
    size = replace(
        QUICK if arguments.quick else FULL,
        **{
            name: value
            for name in ("blocks", "images", "seeds")
            if (value := vars(arguments)[name])
        },
    )
    with (out / FILE_NAME).open("x", encoding="utf-8") as file:
        table = planned.table_of(arguments.data, size.drawn)
        write(file, header(arguments, size, table))
        for record in records(arguments, size, table):
            write(file, record)
        write(file, {"record": "end", "moment": provenance.moment()})
    report(out)
    print(out / "report.html")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a CSV file of sizes, or a COCO folder")
    parser.add_argument("--out", type=Path, help="a new folder; one below reports by default")
    parser.add_argument("--report", type=Path, help="a folder of results to report on instead")
    parser.add_argument("--planned", action="store_true", help="leave out what needs torch")
    parser.add_argument("--cache", type=Path, help="where synthetic images are kept")
    parser.add_argument("--blocks", type=int, help="of the measured policies")
    parser.add_argument("--images", type=int, help="that are trained on, per epoch")
    parser.add_argument("--seeds", type=int, help="shuffles that are planned")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    return parser.parse_args()


def records(
    arguments: argparse.Namespace, size: Size, table: planned.Table
) -> Iterator[dict[str, Any]]:
    """Yield everything that is found out, in turn."""
    say(f"planning: {table.about}")
    yield from planned.measured_plans(table, range(size.seeds), list(planned.POLICIES))
    for scale in size.timed:
        for name in planned.POLICIES:
            say(f"  {size.train:,} samples, {scale}, {name}")
            yield planning(arguments, scale, name, size)
    if not arguments.planned:
        folder = synthetic_coco(SyntheticSpec(images=size.images), arguments.cache)
        yield from trainings(replace(size.setting, folder=str(folder)), size)


def planning(arguments: argparse.Namespace, scale: str, name: str, size: Size) -> dict[str, Any]:
    """Return what planning costs, from a process of its own."""
    data = None if arguments.data is None else str(arguments.data)
    job = {"work": "planning", "data": data, "drawn": size.drawn, "scale": scale, "policy": name}
    lines, ended = child({**job, "count": size.train, "repeat": size.repeat})
    if ended["exit"]:
        raise SystemExit(f"run.py: planning {name} ended with {ended}")
    return lines[0]


def trainings(setting: measured.Setting, size: Size) -> Iterator[dict[str, Any]]:
    """Yield the calibration, the measured epochs in shuffled blocks, and the runs under a limit."""
    setting = replace(setting, threads=max(1, runtime.usable_cores() - 1))
    plain = measured.as_json(setting)
    say("calibrating")
    lines, ended = child({"work": "calibration", "setting": plain})
    if ended["exit"]:
        raise SystemExit(f"run.py: calibration ended with {ended} {lines[-1:]}")
    (calibration,) = lines
    model = DeviceBytes(
        **{**calibration["model"], "strides": tuple(calibration["model"]["strides"])}
    )
    courses = [measured.Course(setting, seed) for seed in range(size.blocks)]
    found = measured.agreed(courses, model)
    yield {**calibration, **found}
    job = {
        "work": "training",
        "setting": plain,
        "model": calibration["model"],
        "static": calibration["static"],
        "budget": found["budget"],
    }
    for block in range(size.blocks):
        names = list(measured.MEASURED)
        random.Random(block).shuffle(names)
        for position, name in enumerate(names):
            say(f"  block {block + 1} of {size.blocks}: {name}")
            own = {"policy": name, "size": found["sizes"][name], "seed": block, "limited": False}
            yield {"record": "measured", "block": block, "position": position, **epoch(job | own)}
    for seed in range(size.limited):
        for case, (name, mean, survives) in measured.LIMITED.items():
            if case == "groups-mean" and found["mean_size"] <= measured.GROUP_SIZE:
                continue  # the same as groups
            say(f"  under a limit, seed {seed}: {case}")
            images = found["mean_size"] if mean else found["sizes"][name]
            own = {"policy": name, "size": images, "seed": seed, "limited": True}
            expected = {"case": case, "expected_to_survive": survives}
            yield {"record": "limited", **expected, **epoch(job | own)}


def epoch(job: dict[str, Any]) -> dict[str, Any]:
    """Return what came of an epoch in a process of its own, which may have died in it."""
    lines, ended = child(job)
    steps = [line for line in lines if "step" in line]
    facts = {key: value for line in lines if "step" not in line for key, value in line.items()}
    if not job["limited"] and (ended["exit"] or not sound(facts, job["policy"])):
        raise SystemExit(f"run.py: {job['policy']} ended with {ended} {facts}")
    own = {name: job[name] for name in ("policy", "size", "seed")}
    return {**own, **facts, **ended, "steps": steps}


def sound(facts: dict[str, Any], policy: str) -> bool:
    """Tell whether every sample came once and all losses were finite; groups drop their rest."""
    whole = policy == "groups" or not facts["left_out"]
    return bool(facts["finite"] and whole and not facts["again"])


def child(job: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run a job in a process of its own; return what it said, and how it ended."""
    # Bounded, or every new shape of a batch would leave kernels behind that no model can foresee.
    more = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16", "PYTHONPATH": str(HERE)}
    threads = job.get("setting", {}).get("threads", 1)
    dropped = ("PYTHONDONTWRITEBYTECODE",)
    env = {name: value for name, value in os.environ.items() if name not in dropped} | more
    done = subprocess.run(
        [sys.executable, str(HERE / "child.py"), json.dumps(job)],
        env={**env, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    tail = done.stderr.strip().splitlines()[-1:]
    return lines, {"exit": done.returncode, "stderr": tail[0][:300] if tail else ""}


def header(arguments: argparse.Namespace, size: Size, table: planned.Table) -> dict[str, Any]:
    return {
        "record": "header",
        "schema": SCHEMA,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": arguments.quick,
        "data": table.about,
        "seeds": size.seeds,
        "blocks": size.blocks,
        "images": size.images,
        "setting": {**measured.as_json(size.setting), "folder": "synthetic"},
        "moment": provenance.moment(),
        "machine": provenance.machine(),
        "process": provenance.process(),
        "commit": provenance.commit(HERE),
        "source": provenance.source_digest(),
    }


def report(folder: Path) -> None:
    from batching_parts import page  # needs matplotlib and jinja2, which planning does not

    page.write(folder)


def stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def write(file: TextIO, record: dict[str, Any]) -> None:
    file.write(json.dumps(record) + "\n")
    file.flush()


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FtloaderError as error:
        sys.exit(f"run.py: {error}")
