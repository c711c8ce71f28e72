"""The process that calls a transform: ``python -m ftloader.audit.worker``, a job on stdin.

It reports on its stdout, one JSON document per line: ``start`` and ``done`` of each detector,
``ready`` when the transform has been made, ``error`` if it cannot be, ``end``. Whatever the
transform prints goes to stderr. At a detector's time limit the process writes its stacks and ends;
in the end it leaves without waiting for threads that a transform may have left behind.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import platform
import resource
import sys
import traceback
from dataclasses import asdict
from typing import IO, Any, Final

from ..errors import AuditError, summary
from ..runtime import free_threaded_build, gil_enabled
from ._jobs import Job, unpack
from .subject import Subject
from .verdict import Evidence, Finding, found

#: Libraries whose version is told where they have been loaded, by the name of their module.
_LIBRARIES: Final = {
    "numpy": "numpy",
    "PIL": "pillow",
    "torch": "torch",
    "torchvision": "torchvision",
    "cv2": "opencv",
    "scipy": "scipy",
    "albumentations": "albumentations",
    "mmcv": "mmcv",
    "mmdet": "mmdet",
    "visdet": "visdet",
}


def run(job: Job, events: Events) -> None:
    """Make the subject and run the job's detectors on it, one after the other.

    Raises:
        AuditError: it cannot be imported, made or called.
    """
    events.send("making", limit=job.limit(""))
    subject = Subject(job.target)
    events.send(
        "ready",
        declared=subject.declared,
        convention=subject.convention.name,
        samples=len(subject.samples),
        environment=environment(),
    )
    for name in job.detectors:
        limit = job.limit(name)
        events.send("start", detector=name, limit=limit)
        faulthandler.dump_traceback_later(limit, exit=True)
        evidence = detect(name, subject, job)
        faulthandler.cancel_dump_traceback_later()
        events.send("done", evidence=asdict(evidence))
    events.send("end", environment=environment())


def detect(name: str, subject: Subject, job: Job) -> Evidence:
    """Run one detector; what it cannot do is evidence too.

    Raises:
        AuditError: from the detector.
    """
    where = f".{name}" if name in ("scan", "hammer") else f".oracles.{name}"
    extra = {"threads": job.threads, "seconds": job.seconds} if name == "hammer" else {}
    try:
        detector = importlib.import_module(where, __package__).detect
        evidence: Evidence = detector(subject, **extra)
    except AuditError:
        raise
    except (SystemExit, KeyboardInterrupt) as error:
        what = f"ends the process: raises {summary(error)}"
        return found(name, what, [Finding(name, "crash", what, hint="raise an Exception instead")])
    except Exception as error:
        traceback.print_exc()
        return Evidence(name, "not run", f"the detector itself failed: {summary(error)}")
    return evidence


def environment() -> dict[str, str]:
    """Return interpreter, GIL and the versions of the libraries that are loaded."""
    gil = "on" if gil_enabled() else "off"
    if free_threaded_build() and gil_enabled():
        gil = "on, although the interpreter can do without: an import or an option turned it on"
    facts = {
        "python": platform.python_version() + ("t" if free_threaded_build() else ""),
        "gil": gil,
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for module, name in _LIBRARIES.items():
        version = getattr(sys.modules.get(module), "__version__", None)
        if version is not None:
            facts[name] = str(version)
    return facts


class Events:
    """The way back to the parent; takes over stdout, which then leads to stderr."""

    def __init__(self) -> None:
        self._stream: IO[bytes] = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def send(self, event: str, **facts: Any) -> None:
        """Send one event; end this process if nobody is there any more."""
        line = json.dumps({"event": event, **facts}, default=_plain)
        try:
            self._stream.write(line.encode() + b"\n")
            self._stream.flush()
        except BrokenPipeError:
            os._exit(1)


def _plain(value: Any) -> Any:
    """Return a NumPy number as a number, anything else as text."""
    return value.item() if hasattr(value, "item") else str(value)


def main() -> None:
    """Do the job on stdin, and end the process."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected; its core is not wanted
    events = Events()
    data = sys.stdin.buffer.read()
    # A transform that reads stdin finds it empty.
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    try:
        job = unpack(data)
        faulthandler.dump_traceback_later(job.limit(""), exit=True)
        run(job, events)
    except AuditError as error:
        events.send("error", message=str(error))
    except BaseException as error:
        traceback.print_exc()
        events.send("error", message=f"the audit could not begin: {summary(error)}")
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
