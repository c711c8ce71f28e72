"""What a child process of an audit is asked to do, and how that gets there.

A job travels as a pickle in a pickle: the outer one holds plain strings, among them the search
path, without which the inner one could not be loaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import sys
from dataclasses import dataclass
from typing import Any

from ..errors import AuditError, summary
from .subject import Target


@dataclass(frozen=True, slots=True)
class Job:
    """What a child process is asked to do.

    Attributes:
        target: what to audit.
        detectors: names, in the order in which they run.
        threads: thread counts of the hammer.
        seconds: how long the hammer runs.
        patience: seconds after which any other detector counts as hanging.
    """

    target: Target
    detectors: tuple[str, ...]
    threads: tuple[int, ...]
    seconds: float
    patience: float

    def limit(self, detector: str) -> float:
        """Return the seconds after which a detector, or making the transform (""), hangs."""
        if not detector:
            return 2 * self.patience  # imports can be slow
        # The hammer may take three times its seconds to do its least number of rounds.
        return self.patience + (3 * self.seconds if detector == "hammer" else 0)


def dumps(value: Any, name: str) -> bytes:
    """Pickle something for a process that is not this one.

    Args:
        value: what; by value where cloudpickle is installed and the module is ``__main__``.
        name: what messages call it.

    Raises:
        AuditError: it cannot be pickled, or the other process could not load it.
    """
    pickler = "cloudpickle" if importlib.util.find_spec("cloudpickle") else "pickle"
    advice = (
        "give it as package.module:name"
        if pickler == "cloudpickle"
        else "give it as package.module:name, or install ftloader[audit], which can do more"
    )
    try:
        data: bytes = importlib.import_module(pickler).dumps(value)
    except Exception as error:
        raise AuditError(f"{name} cannot be pickled ({summary(error)}); {advice}") from error
    if pickler == "pickle" and b"__main__" in data:
        raise AuditError(f"{name} is defined in the script itself, which cannot be sent; {advice}")
    return data


def pack(job: Job) -> bytes:
    """Return what :func:`unpack` makes a job of in another process."""
    return pickle.dumps((list(sys.path), dumps(job, job.target.name)))


def unpack(data: bytes) -> Job:
    """Return the job that was packed, and take over the search path of who packed it.

    Raises:
        AuditError: it cannot be loaded here.
    """
    sys.path[:], inner = pickle.loads(data)
    try:
        job: Job = pickle.loads(inner)
    except Exception as error:
        raise AuditError(
            f"the arguments cannot be loaded in another process: {summary(error)}"
        ) from error
    return job
