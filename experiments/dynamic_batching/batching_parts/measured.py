"""The measured part, as far as it needs no torch: what is trained on, by which plans, and why.

Both the process in charge and those that train make their plans here, so they are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ftloader.batching import (
    AspectGroups,
    DeviceBytes,
    EpochPlan,
    FixedSize,
    HostBytes,
    MemoryBudget,
    Policy,
    plan_epoch,
)
from ftloader.detection.augment import Augment
from ftloader.detection.coco import open_coco
from ftloader.detection.transforms.recipes import multi_scale
from ftloader.planreport.figures import Budget, figures
from ftloader.sizes import Sizes

GROUP_SIZE = 8
#: Collated batches that the pipeline holds beside the one that is trained on.
BATCHES_IN_FLIGHT = 3
#: Part of the predicted peak by which a limit is above it: what the prediction may be off by.
SLACK = 0.05
#: Policies that are measured, and who runs under the limit: with which policy, in the mean size of
#: ours or not, and whether it is expected to survive.
MEASURED = ("random", "groups", "ours")
LIMITED = {
    "ours": ("ours", False, True),
    "groups": ("groups", False, True),
    "random-mean": ("random", True, False),
    "groups-mean": ("groups", True, False),
}


@dataclass(frozen=True)
class Setting:
    """What every process of the measured part works with; plain values, they travel as JSON.

    Attributes:
        folder: of the synthetic images.
        shortest: short sides to choose from, pixels.
        longest: limit of the long side, pixels.
        threads: of torch.
        workers: of the pipeline.
        shapes: heights and widths to calibrate with, pixels.
        images: numbers of images to calibrate with.
        boxes: numbers of objects per image to calibrate with.
    """

    folder: str
    shortest: tuple[int, ...]
    longest: int
    threads: int
    workers: int
    shapes: tuple[tuple[int, int], ...]
    images: tuple[int, ...]
    boxes: tuple[int, ...]

    @classmethod
    def of(cls, found: dict[str, Any]) -> Setting:
        """Return what was written as JSON."""
        shapes = tuple(tuple(shape) for shape in found["shapes"])
        rest = {name: tuple(found[name]) for name in ("shortest", "images", "boxes")}
        return cls(**{**found, **rest, "shapes": shapes})


FULL = Setting(
    folder="",
    shortest=(192, 224, 256, 288, 320),
    longest=533,
    threads=1,
    workers=2,
    shapes=((192, 256), (320, 320), (320, 544)),
    images=(2, 4, 8),
    boxes=(1, 20, 60),
)
QUICK = replace(
    FULL,
    shortest=(96, 128, 160),
    longest=266,
    shapes=((96, 128), (160, 288)),
    images=(2, 6),
    boxes=(1, 20),
)


@dataclass(frozen=True)
class Course:
    """One epoch of one seed over the synthetic images."""

    setting: Setting
    seed: int

    @cached_property
    def augment(self) -> Augment:
        recipe = multi_scale(shortest=self.setting.shortest, longest=self.setting.longest)
        return Augment(open_coco(Path(self.setting.folder)), recipe, seed=self.seed)

    @cached_property
    def order(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.random.default_rng(self.seed).permutation(len(self.augment))

    @cached_property
    def after(self) -> Sizes:
        return self.augment.sizes(self.order)

    @cached_property
    def before(self) -> Sizes:
        infos = [self.augment.dataset.sample_info(place) for place in self.order.tolist()]
        return Sizes.of([info.width for info in infos], [info.height for info in infos])

    def plan(self, policy: Policy) -> EpochPlan:
        """Return the plan of this epoch for one process."""
        order = {"samples": self.order, "original": self.before, "seed": self.seed}
        return plan_epoch(self.after, policy, **order)


def policy_of(name: str, size: int, budget: float, model: DeviceBytes) -> Policy:
    """Return a policy by its name."""
    if name == "ours":
        return MemoryBudget(budget=budget, cost=model)
    if name == "groups":
        # What is left over in the groups is dropped, as detectron2 does it: mixed, it would be a
        # batch larger than any that the budget was made for.
        return AspectGroups(batch_size=size, style="detectron2", tail="drop")
    return FixedSize(batch_size=size)


def costliest(courses: Iterable[Course], policy: Policy, model: DeviceBytes) -> float:
    """Return what the costliest batch of all these epochs costs."""
    return max(float(course.plan(policy).batches.costs(model).max()) for course in courses)


def agreed(courses: Sequence[Course], model: DeviceBytes) -> dict[str, Any]:
    """Return the budget, and the batch sizes that go with it: see README.md.

    The budget is what two groups need; random batches get the largest size within it.
    """
    budget = costliest(courses, policy_of("groups", GROUP_SIZE, 0, model), model)
    size = 1
    while costliest(courses, FixedSize(batch_size=size + 1), model) <= budget:
        size += 1
    ours = policy_of("ours", 0, budget, model)
    mean = float(np.mean(np.concatenate([c.plan(ours).batches.images for c in courses])))
    return {
        "budget": budget,
        "sizes": {"random": size, "groups": GROUP_SIZE, "ours": 0},
        "mean_size": round(mean),
        "mean": mean,
    }


def foretold(plan: EpochPlan, model: DeviceBytes, static: int, budget: float) -> dict[str, Any]:
    """Return what the report of a plan says of peak and padding.

    The margin is for what the model does not know; it belongs to bounds, not to predictions.
    """
    held = Budget(amount=budget, model=model, counts="bytes", origin="the experiment")
    found = figures(plan, held, ranks=1)
    growth = found.costliest.cost - model.margin
    host = BATCHES_IN_FLIGHT * float(plan.batches.costs(HostBytes()).max())
    return {
        "static": static,
        "predicted_growth": growth,
        "predicted_host": host,
        "predicted_peak": static + host + growth,
        "predicted_efficiency": found.efficiency,
        "images_per_batch": float(plan.batches.images.mean()),
        "batches": len(plan.batches),
        "over_budget": found.over_budget,
    }


def as_json(setting: Setting) -> dict[str, Any]:
    return asdict(setting)
