"""What a trial's process is asked to do.

Apart from the worker, which is run as a program and must not be imported as a module beside that.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..arms import Arm
from ..jobs import Sent, fields


@dataclass(frozen=True)
class Job(Sent):
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

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Make a job from what :meth:`to_json` returned."""
        return cls(**fields(text))
