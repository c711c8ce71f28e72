"""What a trial's process is asked to do.

Apart from the worker, which is run as a program and must not be imported as a module beside that.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ..arms import Arm


@dataclass(frozen=True)
class Job:
    """What a worker process is asked to do.

    Attributes:
        experiment: where it is described, as ``where.load`` takes it.
        inputs: path of the pickled :class:`~ftloader.lab.experiment.Inputs`.
        arm: the arm it must be.
        order: the contender; for the controls, their names in the order to run them.
        cell: name of the cell; empty for the controls.
        pairs: accepted pairs wanted of each control.
        deadline: seconds after which the process ends itself.
        cpus: logical CPUs to stay on; empty for all.
    """

    experiment: str
    inputs: str
    arm: Arm
    order: tuple[str, ...]
    cell: str
    pairs: int
    deadline: float
    cpus: tuple[int, ...] = ()

    def to_json(self) -> str:
        """Return the job as one JSON document."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Make a job from what :meth:`to_json` returned."""
        record = json.loads(text)
        record["arm"] = Arm.from_json(record["arm"])
        record["order"], record["cpus"] = tuple(record["order"]), tuple(record["cpus"])
        return cls(**record)
