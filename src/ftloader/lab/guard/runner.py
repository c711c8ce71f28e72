"""Running both sources in turns: a process per interpreter, source and block, in shuffled order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArmError, MeasurementError
from .. import provenance
from ..arms import Arm, environment
from ..measure import disturbance
from ..orchestrate import Progress

CHILD = Path(__file__).with_name("child.py")
#: Names in the order in which the child defines them.
WORKS = (
    "hand_over_1",
    "hand_over_3",
    "generator",
    "first_item",
    "decoding",
    "rasterising",
    "planning",
    "loading",
)
EARLIER, NOW = "earlier", "now"
_SECONDS = 330


@dataclass(frozen=True)
class Plan:
    """What a check runs.

    Attributes:
        arms: interpreters and GIL modes.
        interpreters: path of each arm's interpreter, by arm name.
        sources: folder of each source, ``EARLIER`` and ``NOW``.
        works: names of what is measured.
        blocks: each holds every arm with both sources.
        rounds: windows per work and process.
        seed: of the order.
    """

    arms: Sequence[Arm]
    interpreters: Mapping[str, Path]
    sources: Mapping[str, Path]
    works: Sequence[str]
    blocks: int
    rounds: int
    seed: int


@dataclass(frozen=True)
class Taken:
    """What one process measured.

    Attributes:
        arm: its arm's name.
        source: ``EARLIER`` or ``NOW``.
        block: number of the block.
        works: by name {value (seconds per unit), amount, digest} or {missing}.
        disturbed: whether others used the machine meanwhile.
    """

    arm: str
    source: str
    block: int
    works: Mapping[str, Mapping[str, Any]]
    disturbed: bool


def run(plan: Plan) -> list[Taken]:
    """Measure everything; a disturbed process is tried once more, and the quieter one counts.

    Raises:
        MeasurementError: a process died, hung, or was not what it should be.
        KeyboardInterrupt: Ctrl-C; the process in flight has been ended.
    """
    found: list[Taken] = []
    amounts: dict[str, dict[str, int]] = {}
    both = [(arm, source) for arm in plan.arms for source in (EARLIER, NOW)]
    progress = Progress(plan.blocks * len(both))
    try:
        for block in range(plan.blocks):
            rng = np.random.default_rng([plan.seed, block])
            for place in rng.permutation(len(both)):
                arm, source = both[place]
                progress.step(len(found), f"block {block + 1}, {arm.name}, {source}")
                order = [plan.works[each] for each in rng.permutation(len(plan.works))]
                # A window holds the same work for both sources.
                known = amounts.setdefault(arm.name, {})
                taken = _process(plan, arm, source, block, order, known)
                if taken.disturbed:
                    taken = _process(plan, arm, source, block, order, known)
                for name, one in taken.works.items():
                    if "amount" in one:
                        known.setdefault(name, one["amount"])
                found.append(taken)
        progress.step(len(found), "measured")
    finally:
        progress.close()
    return found


def _process(
    plan: Plan, arm: Arm, source: str, block: int, order: Sequence[str], amounts: Mapping[str, int]
) -> Taken:
    where = f"{arm.name}, {source} source, block {block + 1}"
    job = json.dumps({"order": order, "amounts": amounts, "rounds": plan.rounds})
    before, cpu, begin = provenance.cpu_times(), _children(), time.perf_counter()
    record = ask(plan.interpreters[arm.name], arm, plan.sources[source], job, where)
    seconds, used = time.perf_counter() - begin, _children() - cpu
    _, _, quiet = disturbance(before, provenance.cpu_times(), seconds, used)
    if (record["version"], record["gil"]) != (arm.version, arm.gil):
        raise ArmError(f"{where}: ran CPython {record['version']}, GIL {record['gil']}")
    if Path(record["source"]) != plan.sources[source].resolve():
        raise ArmError(f"{where}: imported another ftloader than the one it was given")
    return Taken(arm.name, source, block, record["works"], not quiet)


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def ask(interpreter: Path, arm: Arm, source: Path, job: str, where: str) -> dict[str, Any]:
    """Run the child to its end and return its record.

    Raises:
        MeasurementError: it died or hung.
    """
    env = {**environment(arm), "PYTHONPATH": str(source)}
    words = [str(interpreter), "-P", str(CHILD)]
    with subprocess.Popen(
        words,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            out, err = child.communicate(job, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            raise MeasurementError(f"{where}: hung for {_SECONDS} s and was ended") from None
        except BaseException:
            child.send_signal(signal.SIGKILL)
            raise
    if child.returncode:
        last = "\n    ".join(err.strip().splitlines()[-20:]) or "(nothing on stderr)"
        raise MeasurementError(f"{where}: ended with {child.returncode}; last words:\n    {last}")
    record: dict[str, Any] = json.loads(out)
    return record
