"""Transforms for the scan: one per rule and way to break it, and innocent ones that look alike."""

from __future__ import annotations

import copy
import functools
import itertools
import os
import random
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from random import shuffle
from typing import Any, ClassVar

import numpy as np
from numpy import random as npr

Item = dict[str, Any]
Rng = np.random.Generator

LAST: list[Any] = []
CALLS = 0
STREAM = np.random.default_rng(0)


def doubled(boxes: Any) -> Any:
    boxes *= 2
    return boxes


def pasted(canvas: Any, patch: Any) -> None:
    canvas[: patch.shape[0], : patch.shape[1]] = patch


class Inner:
    def __init__(self, scale: int = 1) -> None:
        self._scale = scale

    @property
    def scale(self) -> int:
        return self._scale

    @scale.setter
    def scale(self, value: int) -> None:
        self._scale = value

    def reset(self) -> None:
        self._scale = 1

    def __call__(self, sample: Item) -> Item:
        return {**sample, "scale": self.scale}


# What must be found. Each names the rules, and a piece of the text.


class NestedAttribute:
    """S01: self.inner.limit"""

    def __init__(self) -> None:
        self.inner = Inner()

    def __call__(self, sample: Item, rng: Rng) -> Item:
        self.inner.limit = int(rng.integers(3))  # type: ignore[attr-defined]
        return self.inner(sample)


class Item_:
    """S01: self.table[0]"""

    def __init__(self) -> None:
        self.table = [0, 1]

    def __call__(self, sample: Item) -> Item:
        self.table[0] = sample["index"]
        return sample


class ByLocalName:
    """S01: self.table"""

    def __init__(self) -> None:
        self.table = np.zeros(4)

    def __call__(self, sample: Item) -> Item:
        table = self.table
        table[:2] = 1
        return sample


class BySetattr:
    """S01: by setattr()"""

    def __call__(self, sample: Item) -> Item:
        setattr(self, "scale", 1)  # noqa: B010 (that is the defect)
        return sample


class InHelperMethod:
    """S02: self.history.append()"""

    def __init__(self) -> None:
        self.history: deque[Any] = deque(maxlen=4)

    def _remember(self, sample: Item) -> None:
        self.history.append(sample)

    def __call__(self, sample: Item) -> Item:
        self._remember(sample)
        return sample


class InBaseClass(InHelperMethod):
    """S02: self.history.append()"""

    def __call__(self, sample: Item) -> Item:
        return super().__call__(sample)


class BySetter:
    """S03: self.inner.scale"""

    def __init__(self) -> None:
        self.inner = Inner()

    def __call__(self, sample: Item) -> Item:
        self.inner.scale = sample["index"]
        return self.inner(sample)


class GlobalName:
    """S04: CALLS"""

    def __call__(self, sample: Item) -> Item:
        global CALLS
        CALLS += 1
        return sample


def counting() -> Callable[[Item], Item]:
    calls = 0

    def transform(sample: Item) -> Item:
        nonlocal calls
        calls += 1
        return sample

    return transform


class ModuleList:
    """S05: scan_cases.LAST.append()"""

    def __call__(self, sample: Item) -> Item:
        LAST.append(sample)
        return sample


class ClassDict:
    """S06: ClassDict.seen['last']"""

    seen: ClassVar[Item] = {}

    def __call__(self, sample: Item) -> Item:
        self.seen["last"] = sample
        return sample


class OfType:
    """S06: OfType.count"""

    count = 0

    def __call__(self, sample: Item) -> Item:
        type(self).count = 1
        OfType.count = 2
        return sample


class MutableDefault:
    """S06: the default of seen"""

    def __call__(self, sample: Item, seen: list[int] = []) -> Item:  # noqa: B006
        seen.append(1)
        return sample


class LegacyNumpy:
    """S07: numpy.random.randint()"""

    def __call__(self, sample: Item) -> Item:
        return {**sample, "k": npr.randint(3)}


class ImportedShuffle:
    """S07: shuffle()"""

    def __call__(self, sample: Item) -> Item:
        order = [1, 2, 3]
        shuffle(order)
        return {**sample, "order": order}


class ImportedInside:
    """S07: random.choice()"""

    def __call__(self, sample: Item) -> Item:
        import random as rnd

        return {**sample, "k": rnd.choice([1, 2])}


class ModuleStream:
    """S07: scan_cases.STREAM"""

    def __call__(self, sample: Item) -> Item:
        return {**sample, "k": STREAM.random()}


class PassedOn:
    """S07: self.rng"""

    def __init__(self) -> None:
        self.rng = random.Random(1)

    def __call__(self, sample: Item) -> Item:
        return {**sample, "k": self._draw(self.rng)}

    def _draw(self, rng: random.Random) -> float:
        return rng.uniform(0, 1)


class Unseeded:
    """S07: without a seed"""

    def __call__(self, sample: Item) -> Item:
        return {**sample, "k": np.random.default_rng().random()}


class CachedProperty:
    """S08: self.table"""

    @functools.cached_property
    def table(self) -> Any:
        return np.arange(256)

    def __call__(self, sample: Item) -> Item:
        return {**sample, "img": self.table[sample["img"]]}


class Cycle:
    """S09: self.scales"""

    def __init__(self) -> None:
        self.scales = itertools.cycle([1, 2])

    def __call__(self, sample: Item) -> Item:
        return {**sample, "scale": next(self.scales)}


class LoopsOverIterator:
    """S09: self.steps"""

    def __init__(self) -> None:
        self.steps = (step for step in (1, 2))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def __call__(self, sample: Item) -> Item:
        for step in self.steps:
            sample = {**sample, "step": step}
        return sample


class HelperInPlace:
    """S10: sample['boxes']"""

    def __call__(self, sample: Item) -> Item:
        return {**sample, "boxes": doubled(sample["boxes"])}


class ShallowCopy:
    """S10: sample['boxes']"""

    def __call__(self, sample: Item) -> Item:
        sample = dict(sample)
        sample["boxes"][:, 0] += 1
        return sample


class ByView:
    """S10: sample['img']"""

    def __call__(self, sample: Item) -> Item:
        top = sample["img"][:8].reshape(-1)
        np.multiply(top, 0, out=top)
        return sample


class MaybeCopied:
    """S10: sample['img']"""

    def __call__(self, sample: Item, rng: Rng) -> Item:
        img = sample["img"]
        if rng.random() < 0.5:
            img = img.copy()
        img += 1
        return {**sample, "img": img}


class Storing:
    """Stores its instance on itself."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: Any) -> Any:
        self.instance = instance
        return functools.partial(self.function, instance)


class StoringDescriptor:
    """S11: StoringDescriptor.draw.instance"""

    @Storing
    def draw(self) -> int:
        return 1

    def __call__(self, sample: Item) -> Item:
        return {**sample, "k": self.draw()}


class Settings:
    """S12: warnings.filterwarnings()"""

    def __call__(self, sample: Item) -> Item:
        warnings.filterwarnings("ignore")
        return sample


class EnvironmentUpdate:
    """S12: os.environ.update()"""

    def __call__(self, sample: Item) -> Item:
        os.environ.update(SCAN_CASE="1")
        return sample


class OneOfMany:
    """S01: self.steps[1].seen"""

    def __init__(self) -> None:
        self.steps = [Inner(), Remembers()]

    def __call__(self, sample: Item) -> Item:
        for _, step in enumerate(self.steps):
            sample = step(sample)
        return sample


class Remembers:
    def __call__(self, sample: Item) -> Item:
        self.seen = sample
        return sample


FOUND = (
    NestedAttribute, Item_, ByLocalName, BySetattr, InHelperMethod, InBaseClass, BySetter,
    GlobalName, ModuleList, ClassDict, OfType, MutableDefault, LegacyNumpy, ImportedShuffle,
    ImportedInside, ModuleStream, PassedOn, Unseeded, CachedProperty, Cycle, LoopsOverIterator,
    HelperInPlace, ShallowCopy, ByView, MaybeCopied, StoringDescriptor, Settings,
    EnvironmentUpdate, OneOfMany,
)  # fmt: skip


# What must not be accused.


class CopiesFirst:
    def __call__(self, sample: Item, rng: Rng) -> Item:
        boxes = sample["boxes"].copy()
        boxes[:, [0, 2]] *= 2
        boxes += 1
        img = sample["img"] * np.float32(1)
        img += 1
        np.add(img, 1, out=img)
        return {**sample, "boxes": doubled(boxes), "img": img}


class FiltersCopies:
    def __call__(self, sample: Item, rng: Rng) -> Item:
        keep = sample["boxes"][:, 0] > 1
        boxes = sample["boxes"][keep]
        boxes[:, 0] = 0
        labels = list(sample["labels"])
        labels.pop()
        return {**sample, "boxes": boxes, "labels": labels}


class FillsCanvas:
    def __call__(self, sample: Item, rng: Rng) -> Item:
        canvas = np.zeros((600, 700, 3), np.uint8)
        pasted(canvas, sample["img"])
        out = dict(sample)
        out["img"] = canvas
        out["img"][0] = 1
        out.update(extra=1)
        return out


class Numbers:
    def __init__(self) -> None:
        self.scale, self.offset = 1.5, (1, 2)

    def __call__(self, sample: Item, rng: Rng, gain: float = 1.0) -> Item:
        scale = self.scale
        scale *= 2
        height, width = sample["img"].shape[:2]
        height += 1
        gain += width
        index = sample["index"]
        index += 1
        return {**sample, "k": scale * height * gain * index}


class Nonlocal:
    def __call__(self, sample: Item, rng: Rng) -> Item:
        count = 0

        def add() -> None:
            nonlocal count
            count += 1

        add()
        return {**sample, "k": count}


class DrawsFromArgument:
    def __init__(self) -> None:
        self.choices = [1, 2, 3]

    def __call__(self, sample: Item, rng: Rng) -> Item:
        order = self.choices.copy()
        rng.shuffle(order)
        own = np.random.default_rng(sample["index"])
        return {**sample, "k": self._one(rng), "own": own.random(), "order": order}

    def _one(self, stream: Rng) -> Any:
        return stream.choice(self.choices)


class DeepCopies:
    def __call__(self, sample: Item, rng: Rng) -> Item:
        sample = copy.deepcopy(sample)
        sample["boxes"] *= 2
        sample["labels"].clear()
        return sample


class PerThread:
    def __init__(self) -> None:
        self.local = threading.local()

    def __deepcopy__(self, memo: dict[int, Any]) -> PerThread:
        return type(self)()

    def __call__(self, sample: Item, rng: Rng) -> Item:
        self.local.count = 1
        return sample


class Frozen:
    def __init__(self, factor: int = 2) -> None:
        object.__setattr__(self, "factor", factor)
        self.table: Any = None
        self._fill()

    def _fill(self) -> None:
        self.table = np.arange(256)
        self.table[0] = 1

    def reset(self) -> None:
        self.table = None

    def __call__(self, sample: Item, rng: Rng) -> Item:
        return {**sample, "img": self.table[sample["img"]]}


class CachedFunction:
    def __call__(self, sample: Item, rng: Rng) -> Item:
        return {**sample, "k": weights(sample["img"].shape[1]).sum()}


@functools.lru_cache(maxsize=8)
def weights(width: int) -> Any:
    return np.ones(width)


class Branches:
    def __call__(self, sample: Item, rng: Rng) -> Item:
        if rng.random() < 0.5:
            img = sample["img"].copy()
        elif sample["index"]:
            return sample
        else:
            img = np.zeros_like(sample["img"])
        img[0] = 1
        for row in img:
            row += 1
        return {**sample, "img": img}


class Generates:
    def _parts(self, sample: Item) -> Iterator[Any]:
        yield from range(len(sample["labels"]))

    def __call__(self, sample: Item, rng: Rng) -> Item:
        return {**sample, "parts": list(self._parts(sample))}


GOOD = (
    CopiesFirst, FiltersCopies, FillsCanvas, Numbers, Nonlocal, DrawsFromArgument, DeepCopies,
    PerThread, Frozen, CachedFunction, Branches, Generates,
)  # fmt: skip
