"""A small trial experiment for the laboratory's own tests; ``TINY_FAULT`` plants a fault in it."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping

from ftloader import lab
from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.trials import (
    Cell,
    Contender,
    Hypothesis,
    Metric,
    Outcome,
    TrialExperiment,
    main,
)

FAULT = os.environ.get("TINY_FAULT", "")
WAITS = tuple(0.001 * place for place in range(1, 501))


def counting(name: str, title: str, factor: int, needs: tuple[str, ...] = ()) -> Contender:
    def run(inputs: lab.Inputs, settings: Mapping[str, int | float | str]) -> Outcome:
        steps = 1000 * int(settings["steps"])
        digest = name if FAULT == "differs" else str(sum(range(steps)))
        values = {"steps": float(factor * steps), "share": 0.5}
        if name == "double":
            values.pop("share")
        note = ("It counted twice.",) if name == "double" else ()
        return Outcome(values, digest, {"steps": [factor * wait for wait in WAITS]}, note)

    return Contender(name, title, run, needs)


def crash(inputs: lab.Inputs, settings: Mapping[str, int | float | str]) -> Outcome:
    faulthandler.disable()
    os.kill(os.getpid(), signal.SIGSEGV)
    return Outcome({})


def fail(inputs: lab.Inputs, settings: Mapping[str, int | float | str]) -> Outcome:
    raise RuntimeError(f"no luck in {__file__}")


def hang(inputs: lab.Inputs, settings: Mapping[str, int | float | str]) -> Outcome:
    threading.Event().wait()
    return Outcome({})


def leave(inputs: lab.Inputs, settings: Mapping[str, int | float | str]) -> Outcome:
    left = subprocess.Popen(["sleep", "600"])
    return Outcome({"steps": float(left.pid)})


def ours(inputs: lab.Inputs, settings: Mapping[str, int | float | str]) -> Outcome:
    if FAULT == "our crash":
        raise RuntimeError("our own fault")
    return Outcome({"steps": 1.0})


def no_one(inputs: lab.Inputs, settings: Mapping[str, int | float | str]) -> Outcome:
    raise AssertionError("what is left out is never called")


def cell(steps: int) -> Cell:
    return Cell(
        name=f"count_{steps}",
        title=f"Counting {steps} thousand",
        about="the sum of the first numbers",
        settings={"steps": steps, "how": "in a loop"},
        contenders=("single", "double", "peer", "absent", "free"),
        baseline="single",
        group="counting",
        x=steps,
        x_title="thousands",
    )


EXPERIMENT = TrialExperiment(
    name="tiny-trials",
    title="Tiny trials & <more>",
    question="Does the laboratory try?",
    metrics=(
        Metric("steps", "Steps", "steps", "lower", "counted on the side"),
        Metric("share", "Share kept", "", "", "made up"),
    ),
    contenders=(
        counting("single", "counting once", 1),
        counting("double", "counting twice", 2),
        counting("peer", "somebody else's", 3, needs=("json",)),
        Contender("absent", "an absent one", no_one, needs=("sys", "no_such_module")),
        Contender("free", "only without the GIL", no_one, gil="off"),
        Contender("alone", "ours alone", ours, needs=("json",), ours=True),
        Contender("crash", "a crash", crash, needs=("json",)),
        Contender("fail", "an exception", fail, needs=("json",)),
        Contender("leave", "one that leaves a process behind", leave, needs=("json",)),
        Contender("hang", "one that hangs", hang, needs=("json",)),
    ),
    cells=(
        cell(1),
        cell(2),
        Cell("alone", "Alone", "one contender by itself", {}, contenders=("alone",)),
        Cell("faults", "Faults", "others' code going wrong", {}, ("crash", "fail", "leave")),
        Cell("hanging", "Hanging", "others' code standing still", {}, contenders=("hang",)),
    ),
    hypotheses=(
        Hypothesis("twice the steps of once", "count_1", "double", "steps", 1.5, "lower", "single"),
        Hypothesis("a thousand steps", "count_1", "single", "steps", 1000.0, "higher"),
        Hypothesis(
            "twice the steps of the small cell",
            "count_2",
            "single",
            "steps",
            2.0,
            "lower",
            against_cell="count_1",
        ),
        Hypothesis("an absent one", "count_1", "absent", "steps", 1.0, "lower"),
        Hypothesis("what is not measured", "count_1", "double", "share", 1.0, "lower"),
        Hypothesis("without the GIL", "count_1", "single", "steps", 1.03, "lower", across_gil=True),
    ),
    limits=("It is tiny.",),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
    packages=("numpy", "no-such-package"),
    images=2,
    deadline=1.5 if FAULT == "hang" else 60.0,
)

if __name__ == "__main__":
    sys.exit(main(EXPERIMENT, __file__))
