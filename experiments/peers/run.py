"""What do loaders of detection images cost and give on the same work?  See README.md."""

from __future__ import annotations

import sys

from peer_loaders import others, ours, plain
from peer_loaders.cells import CELLS, METRICS
from peer_loaders.claims import HYPOTHESES

from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.trials import TrialExperiment, main

EXPERIMENT = TrialExperiment(
    name="peers",
    title="Loaders on the same work",
    question="What do loaders of detection images cost and give on the same work?",
    metrics=METRICS,
    contenders=(*ours.CONTENDERS, *others.CONTENDERS, *plain.CONTENDERS),
    cells=CELLS,
    hypotheses=HYPOTHESES,
    limits=(
        "Inputs are bytes in memory: nothing is said about disks, networks or page caches.",
        "Processes are forked, as torch does it on these Pythons: they start faster and share "
        "more than spawned ones, which nothing here speaks of.",
        "One epoch: what persistent workers save at the start of the next one is not shown.",
        "Others' numbers come from other work on machines with more cores; a claim that is "
        "refuted here is refuted for this work on this machine.",
        "Beyond the number of cores, more workers show what oversubscription does and not how "
        "loaders scale.",
        "Samples are cheap to index: a data set of millions of Python objects would cost worker "
        "processes memory and start-up that 16 images do not.",
        "No GPU takes part: pinned memory and copies to a device are left out for everybody.",
    ),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
    packages=("torch", "torchdata", "spdl-core"),
)

if __name__ == "__main__":
    sys.exit(main(EXPERIMENT, __file__))
