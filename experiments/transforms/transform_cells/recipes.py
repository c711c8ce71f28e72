"""(b) A recipe's whole cost per COCO image on one thread, and the share of each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from ftloader import lab
from ftloader.detection.annotations import Annotations
from ftloader.detection.augment import Augment
from ftloader.detection.coco import CocoFolder
from ftloader.detection.image import decode
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.compose import Compose, RandomApply, RandomChoice, steps
from ftloader.detection.transforms.recipes import RECIPES
from ftloader.lab.costs import Cell, Contender, Measured, Part
from ftloader.lab.digest import Sampler
from ftloader.rng import sample_rng

from .case import SEED, Infos
from .samples import folder_of

#: Every image is augmented this often in a window: the draws of a recipe differ a lot in cost.
EPOCHS = 2
LOADING = {
    "objects": "objects, from the index's columns",
    "draw": "draw, all steps",
    "read": "read the file (in the page cache)",
    "decode": "decode",
}
PARTNERS = {"partners": "partners: read and decode"}

# A data set to ask a recipe for its steps with, before there is one.
NOBODY = Infos([SampleInfo(1, 1, Annotations.none(), 0, 0, "", (1, 1))])


class Clock:
    """Adds up what each part takes.

    Belongs to one thread.
    """

    def __init__(self, names: list[str]) -> None:
        self.seconds = dict.fromkeys(names, 0.0)
        self._last = 0.0

    def start(self) -> None:
        self._last = time.perf_counter()

    def mark(self, name: str) -> None:
        """Count the time since the last mark as that of a part."""
        now = time.perf_counter()
        self.seconds[name] += now - self._last
        self._last = now


def parts_of(recipe: Transform[Any]) -> dict[str, str]:
    """Return the parts of a recipe, loading included, with their titles."""
    names = {type(step).__name__: type(step).__name__ for step in elementary(recipe)}
    with_partners = {"Mosaic", "MixUp"} & names.keys()
    return LOADING | (PARTNERS if with_partners else {}) | names


def elementary(transform: Transform[Any]) -> Iterator[Transform[Any]]:
    """Yield every step that may be done."""
    if isinstance(transform, Compose | RandomChoice):
        for step in transform.transforms:
            yield from elementary(step)
    elif isinstance(transform, RandomApply):
        yield from elementary(transform.transform)
    else:
        yield transform


def clocked(
    data: CocoFolder, recipe: Transform[Any], index: int, epoch: int, clock: Clock
) -> Sample | None:
    """Do what ``Augment`` does to one index, with a look at the clock after every part."""
    clock.start()
    info = data.sample_info(index)
    clock.mark("objects")
    params = recipe.draw(sample_rng(SEED, epoch, index), info)
    clock.mark("draw")
    if params is None:
        return None
    jpeg = data.read_bytes(index)
    clock.mark("read")
    sample = Sample(decode(jpeg, name=info.file_name), info)
    clock.mark("decode")
    wanted = recipe.partners(params)
    partners = {other: data.load(other) for other in wanted}
    if wanted:
        clock.mark("partners")
    for step, own in steps(recipe, params):
        sample = step.apply(sample, own, partners)
        clock.mark(type(step).__name__)
    return sample


def in_parts(make: Callable[[Any], Transform[Any]]) -> Callable[[lab.Inputs, int], Measured]:
    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        data = folder_of(inputs)
        recipe = make(data)
        clock, sampler = Clock(list(parts_of(recipe))), Sampler()
        for epoch in range(amount):
            for index in range(len(data)):
                sample = clocked(data, recipe, index, epoch, clock)
                if epoch == 0:
                    look(sampler, sample)
        seconds = sum(clock.seconds.values())
        per = 1e3 / (amount * len(data))
        parts = {name: per * value for name, value in clock.seconds.items()}
        return Measured(per * seconds, seconds, f"{sampler.take():08x}", parts)

    return measure


def as_operation(make: Callable[[Any], Transform[Any]]) -> Callable[[lab.Inputs, int], Measured]:
    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        data = folder_of(inputs)
        augment, sampler = Augment(data, make(data), seed=SEED), Sampler()
        seconds = 0.0
        for epoch in range(amount):
            operation = augment.at_epoch(epoch)
            for index in range(len(data)):
                begin = time.perf_counter()
                sample = next(operation(index), None)
                seconds += time.perf_counter() - begin
                if epoch == 0:
                    look(sampler, sample)
        value = 1e3 * seconds / (amount * len(data))
        return Measured(value, seconds, f"{sampler.take():08x}")

    return measure


def look(sampler: Sampler, sample: Sample | None) -> None:
    sampler.add(None if sample is None else [sample.image, sample.boxes, sample.labels])


def cell(name: str, make: Callable[[Any], Transform[Any]]) -> Cell:
    parts = parts_of(make(NOBODY))
    return Cell(
        name=f"recipe-{name}",
        title=f"Recipe {name}",
        about="everything from an index to an augmented uint8 sample, on one thread; a dropped "
        "sample counts as one; the ratio of a part is its share of the whole",
        unit="ms per image",
        better="lower",
        baseline="whole",
        contenders=(
            Contender("whole", "the whole, in parts", in_parts(make)),
            Contender("augment", "the whole, as the operation of a pipeline", as_operation(make)),
        ),
        first=EPOCHS,
        fixed=True,
        parts=tuple(Part(part, title, "whole") for part, title in parts.items()),
    )


CELLS = tuple(cell(name, make) for name, make in RECIPES.items())
