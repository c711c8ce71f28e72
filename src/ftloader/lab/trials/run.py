"""Running trials: which processes there are, in which order, and what becomes of each.

A run that must not be believed stops at once: a wrong arm, outputs that differ, code of ours that
crashed or hung. That somebody else's code crashed or hung is a result: it is recorded and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import WorkerDied
from .. import provenance, results
from ..arms import Arm
from ..orchestrate import Progress, ask
from .check import Seen
from .describe import Contender, TrialExperiment
from .job import Job

_CONTROLS_DEADLINE = 120.0
_WORDS = 20

Key = tuple[int, str, str, str]


@dataclass(frozen=True)
class Bench:
    """What stays the same over a run's processes.

    Attributes:
        script: where the experiment is described, as ``where.load`` takes it.
        experiment: what it defines.
        inputs: file with the pickled inputs.
        interpreters: path of each arm's interpreter, by arm name.
        cells: names of the contenders to be tried, by cell.
        blocks: number of blocks.
        seed: of the order.
        pairs: accepted pairs wanted of each control.
        cpus: logical CPUs to stay on; empty for all.
    """

    script: Path | str
    experiment: TrialExperiment
    inputs: Path
    interpreters: Mapping[str, Path]
    cells: Mapping[str, tuple[str, ...]]
    blocks: int
    seed: int
    pairs: int
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One process to run; without cell and contender it measures the controls.

    Attributes:
        block: number of the block.
        position: place inside the block.
        arm: the arm.
        cell: name of the cell.
        contender: name of the contender.
        order: what the process runs, in order.
    """

    block: int
    position: int
    arm: Arm
    cell: str
    contender: str
    order: tuple[str, ...]

    @property
    def key(self) -> Key:
        """What tells it from the run's other processes."""
        return (self.block, self.arm.name, self.cell, self.contender)

    @property
    def where(self) -> str:
        """Which process this is, for messages."""
        what = f"{self.cell}, {self.contender}" if self.cell else "controls"
        return f"arm {self.arm.name}, {what}, block {self.block + 1}"


def plan(bench: Bench, arms: Sequence[Arm]) -> list[list[Trial]]:
    """Lay out every process of a run, block by block.

    Inside a block each (arm, cell, contender) comes once, and so do the controls of each arm, all
    in one random order.

    Determinism: the same arguments give the same plan.
    """
    known = {one.name: one for one in bench.experiment.contenders}
    judges = [control.name for control in bench.experiment.controls]
    every = [(arm, "", "") for arm in arms]
    for cell, names in bench.cells.items():
        every += [(arm, cell, name) for arm in arms for name in names if _fits(known[name], arm)]
    blocks = []
    for block in range(bench.blocks):
        rng = np.random.default_rng([bench.seed, block])
        trials = []
        for position, place in enumerate(rng.permutation(len(every))):
            arm, cell, name = every[place]
            shuffled = tuple(judges[index] for index in rng.permutation(len(judges)))
            order = (name,) if cell else shuffled
            trials.append(Trial(block, position, arm, cell, name, order))
        blocks.append(trials)
    return blocks


def recorded(file: results.ResultFile) -> frozenset[Key]:
    """Return the keys of the processes that a result file holds; failed trials are among them."""
    return frozenset(key_of(one) for one in (*file.processes, *file.failures))


def key_of(record: Mapping[str, Any]) -> Key:
    """Return the :attr:`Trial.key` of the process that a result file's line is of."""
    return (record["block"], record["arm"], record["cell"], record["contender"])


def still_planned(keys: Iterable[Key], file: results.ResultFile) -> list[Key]:
    """Leave out the processes of contenders that an arm was found not to have."""
    missing = {
        (one["arm"], one["contender"])
        for one in file.processes
        if "missing" in one.get("trial", {})
    }
    done = recorded(file)
    return [key for key in keys if key in done or (key[1], key[3]) not in missing]


def run(
    bench: Bench, arms: Sequence[Arm], writer: results.Writer, done: Collection[Key] = ()
) -> None:
    """Run every process of every block, appending each record.

    Args:
        bench: what stays the same.
        arms: the arms.
        writer: the result file; the header and the processes in ``done`` are in it.
        done: keys of processes that are not run again.

    Raises:
        MeasurementError: our own code died or hung, or a process measured something that must not
            be believed.
        KeyboardInterrupt: Ctrl-C; the process in flight has been ended.
    """
    seen = Seen()
    by_name = {arm.name: arm for arm in arms}
    for record in results.read(writer.path).processes:
        seen.add(record, by_name[record["arm"]])
    blocks = [[one for one in block if one.key not in done] for block in plan(bench, arms)]
    total, finished = sum(map(len, blocks)), 0
    progress = Progress(total)
    try:
        for block in blocks:
            busy = []
            for trial in block:
                progress.step(finished, trial.where)
                if not _take(bench, trial, seen, writer):
                    busy.append(trial)
                finished += 1
            # Once more, when the machine has had time to calm down.
            for trial in busy:
                progress.step(finished, f"{trial.where}, again")
                _take(bench, trial, seen, writer)
        progress.step(total, "measured")
    finally:
        progress.close()


def _take(bench: Bench, trial: Trial, seen: Seen, writer: results.Writer) -> bool:
    """Run one process and append its record; return false if the machine was too busy for it."""
    if (trial.arm.name, trial.contender) in seen.missing:
        return True
    place = {"block": trial.block, "position": trial.position}
    try:
        record = {**_ask(bench, trial), **place}
    except WorkerDied as death:
        if _ours(bench, trial):
            raise
        writer.process({**_failed(trial, death), **place})
        return True
    seen.add(record, trial.arm)
    writer.process(record)
    return bool(record.get("trial", {}).get("accepted", True))


def _ask(bench: Bench, trial: Trial) -> dict[str, Any]:
    deadline = bench.experiment.deadline if trial.cell else _CONTROLS_DEADLINE
    job = Job(
        experiment=str(bench.script),
        inputs=str(bench.inputs),
        arm=trial.arm,
        order=trial.order,
        cell=trial.cell,
        pairs=bench.pairs,
        deadline=deadline,
        cpus=bench.cpus,
    )
    return ask(
        bench.interpreters[trial.arm.name],
        "ftloader.lab.trials.worker",
        trial.arm,
        job.to_json(),
        deadline,
        trial.where,
    )


def _fits(contender: Contender, arm: Arm) -> bool:
    return contender.gil in ("any", "on" if arm.gil else "off")


def _ours(bench: Bench, trial: Trial) -> bool:
    """Tell whether what ran in a process is ours to mend; controls are."""
    known = {one.name: one for one in bench.experiment.contenders}
    return not trial.cell or known[trial.contender].ours or not known[trial.contender].needs


def _failed(trial: Trial, death: WorkerDied) -> dict[str, Any]:
    spoken = [line for line in death.words if line.strip(" ^~")]
    words = [provenance.without_folders(line) for line in spoken[-_WORDS:]]
    return {
        "role": "failed",
        "arm": trial.arm.name,
        "threads": 0,
        "order": list(trial.order),
        "cell": trial.cell,
        "contender": trial.contender,
        "controls": {},
        "trial": {"failed": death.how, "words": words},
    }
