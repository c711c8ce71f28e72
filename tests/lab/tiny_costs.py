"""A small cost experiment for the laboratory's own tests; ``TINY_FAULT`` plants a fault in it."""

from __future__ import annotations

import os
import sys
import time

from ftloader import lab
from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.costs import Cell, Claim, Contender, CostExperiment, Measured, Part, main

FAULT = os.environ.get("TINY_FAULT", "")


def summing(name: str, title: str, step: int) -> Contender:
    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        begin = time.perf_counter()
        total = 0
        for number in range(0, 1000 * amount, step):
            total += number
        seconds = time.perf_counter() - begin
        digest = str(step) if FAULT == "differs" else "same"
        return Measured(1e6 * seconds / amount, seconds, digest)

    return Contender(name, title, measure)


def no_one(inputs: lab.Inputs, amount: int) -> Measured:
    raise AssertionError("what is left out is never called")


EXPERIMENT = CostExperiment(
    name="tiny-costs",
    title="A tiny comparison & <more>",
    question="Does the laboratory compare?",
    cells=(
        Cell(
            name="sums",
            title="Sums",
            about="sums of every number, or of every tenth",
            unit="µs per thousand",
            better="lower",
            baseline="all",
            contenders=(summing("all", "every number", 1), summing("tenth", "every tenth", 10)),
            first=1,
        ),
        Cell(
            name="once",
            title="One event",
            about="a single event",
            unit="ms",
            better="lower",
            baseline="",
            contenders=(Contender("only", "it", lambda inputs, amount: Measured(2.0, 0.0)),),
            fixed=True,
            rounds=2,
        ),
        Cell(
            name="parts",
            title="A whole in parts",
            about="a whole, a part of it, and somebody who is not here",
            unit="ms",
            better="lower",
            baseline="whole",
            contenders=(
                Contender(
                    "whole", "it", lambda inputs, amount: Measured(4.0, 0.0, "", {"half": 2.0})
                ),
                Contender("absent", "an absent one", no_one, needs=("sys", "no_such_module")),
            ),
            fixed=True,
            parts=(Part("half", "half of it", "whole"), Part("none", "of absent", "absent")),
        ),
    ),
    claims=(
        Claim("a tenth of the work", "sums", "tenth", 0.5, "lower", "all"),
        Claim("two milliseconds", "once", "only", 1.0, "higher", per=2.0),
        Claim("without the GIL", "sums", "all", 1.03, "lower", across=True),
        Claim("beside an absent one", "parts", "whole", 1.0, "lower", "absent"),
    ),
    limits=("It is tiny.",),
    packages=("numpy", "no-such-package"),
    one_thread=True,
    controls=(CEILING_CONTROL,)
    if FAULT == "no contention control"
    else (CEILING_CONTROL, CONTENTION_CONTROL),
)

if __name__ == "__main__":
    sys.exit(main(EXPERIMENT, __file__))
