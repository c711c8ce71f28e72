"""What does each transform cost, beside its peers, and what does a recipe?  See README.md."""

from __future__ import annotations

import sys

from transform_cells import mixing, objects, recipes, steps

from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.costs import CostExperiment, main

CASES = (*steps.CASES, *objects.CASES, *mixing.CASES)

EXPERIMENT = CostExperiment(
    name="transforms",
    title="What the transforms cost",
    question="What does each transform cost beside its peers, and a recipe per image?",
    cells=(*(case.cell() for case in CASES), *recipes.CELLS),
    claims=tuple(claim for case in CASES for claim in case.claims()),
    limits=(),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
    packages=("opencv-python-headless", "mmcv-lite", "mmdet", "torch", "torchvision",
              "albumentations", "pycocotools"),
    one_thread=True,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(EXPERIMENT, __file__))
