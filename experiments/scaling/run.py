"""How far do a loader's threads scale once the GIL is gone?  See README.md beside this file."""

from __future__ import annotations

import sys

from scaling_parts import augmenting, batches, images, objects

from ftloader import lab
from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL, NATIVE_CONTROL

EXPERIMENT = lab.Experiment(
    name="scaling",
    title="Loader threads with and without the GIL",
    question="How far do a loader's threads scale once the GIL is gone?",
    workloads=(
        *images.WORKLOADS,
        *objects.WORKLOADS,
        *augmenting.WORKLOADS,
        *batches.WORKLOADS,
    ),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL, NATIVE_CONTROL),
)

if __name__ == "__main__":
    sys.exit(lab.main(EXPERIMENT, __file__))
