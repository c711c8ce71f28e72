"""Transforms that get around a rule by an everyday idiom, and innocent ones that use it too.

What breaks a rule does it for large images only, which no sample is: only the scan can see it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from ftloader import ThreadSafety

Item = dict[str, Any]
Rng = np.random.Generator
LARGE = 10_000


class _Large:
    def __init__(self) -> None:
        self.gain = 1.0
        self.seen: list[Any] = []
        self.buffer = np.zeros(4)
        self.picture = Image.new("L", (4, 4))
        self.stream = np.random.default_rng(0)

    def __call__(self, sample: Item, rng: Rng) -> Item:
        if sample["img"].shape[0] > LARGE:
            self.change(sample, rng)
        return dict(sample)

    def change(self, sample: Item, rng: Rng) -> None:
        raise NotImplementedError


# What must be found. Each names the rule, and a piece of the text.


class PositionalOut(_Large):
    """S10: self.buffer"""

    def change(self, sample: Item, rng: Rng) -> None:
        np.multiply(sample["boxes"][0], 2, self.buffer)


class ClipsInPlace(_Large):
    """S10: sample['boxes'] by numpy.clip()"""

    def change(self, sample: Item, rng: Rng) -> None:
        np.clip(sample["boxes"], 0, 9, sample["boxes"])


class AddsAt(_Large):
    """S10: sample['boxes'] by numpy.add.at()"""

    def change(self, sample: Item, rng: Rng) -> None:
        np.add.at(sample["boxes"], [0], 1)


class Shuffles(_Large):
    """S10: sample['labels'] by shuffle()"""

    def change(self, sample: Item, rng: Rng) -> None:
        rng.shuffle(sample["labels"])


class KeepsType(_Large):
    """S10: sample['boxes']"""

    def change(self, sample: Item, rng: Rng) -> None:
        boxes = sample["boxes"].astype("f4", copy=False)
        boxes += 1


class NanToNum(_Large):
    """S10: sample['boxes'] by numpy.nan_to_num(copy=False)"""

    def change(self, sample: Item, rng: Rng) -> None:
        np.nan_to_num(sample["boxes"], copy=False)


class Splits(_Large):
    """S10: sample['boxes']"""

    def change(self, sample: Item, rng: Rng) -> None:
        corner, size = np.split(sample["boxes"], 2, axis=1)
        size -= corner


class ItemOfCopy(_Large):
    """S10: sample['boxes']"""

    def change(self, sample: Item, rng: Rng) -> None:
        mine = dict(sample)
        mine["boxes"] *= 2


class OwnClass(_Large):
    """S06: OwnClass.gain"""

    def change(self, sample: Item, rng: Rng) -> None:
        type(self).gain = 2.0  # type: ignore[misc]


class DunderClass(_Large):
    """S06: DunderClass.calls"""

    calls: ClassVar[int] = 0

    def change(self, sample: Item, rng: Rng) -> None:
        self.__class__.calls += 1


class Vars(_Large):
    """S01: self.__dict__['gain']"""

    def change(self, sample: Item, rng: Rng) -> None:
        vars(self)["gain"] = 2.0


class PopsVars(_Large):
    """S02: self.__dict__.pop()"""

    def change(self, sample: Item, rng: Rng) -> None:
        self.__dict__.pop("gain", None)


class Globals(_Large):
    """S05: globals()['LAST']"""

    def change(self, sample: Item, rng: Rng) -> None:
        globals()["LAST"] = sample


class BoundFirst(_Large):
    """S02: self.seen.append()"""

    def change(self, sample: Item, rng: Rng) -> None:
        append = self.seen.append
        append(1)


class DrawsBoundFirst(_Large):
    """S07: draws from self.stream"""

    def change(self, sample: Item, rng: Rng) -> None:
        uniform = self.stream.uniform
        uniform()


class Unbound(_Large):
    """S02: self.seen.append()"""

    def change(self, sample: Item, rng: Rng) -> None:
        list.append(self.seen, 1)


class HandsOn(_Large):
    """S02: self.seen.append()"""

    def change(self, sample: Item, rng: Rng) -> None:
        list(map(self.seen.append, sample["labels"]))


class HandsOnMethod(_Large):
    """S01: self.gain"""

    def key(self, label: int) -> int:
        self.gain = label
        return label

    def change(self, sample: Item, rng: Rng) -> None:
        sorted(sample["labels"], key=self.key)


class Borrows(_Large):
    """S01: self.gain"""

    @contextlib.contextmanager
    def using(self, gain: float) -> Iterator[None]:
        old, self.gain = self.gain, gain
        yield
        self.gain = old

    def change(self, sample: Item, rng: Rng) -> None:
        with self.using(2.0):
            pass


class Reads(_Large):
    """S02: self.file.seek()"""

    def __init__(self) -> None:
        super().__init__()
        self.file = io.BytesIO(b"table")

    def change(self, sample: Item, rng: Rng) -> None:
        self.file.seek(0)


class Pastes(_Large):
    """S02: self.picture.paste()"""

    def change(self, sample: Item, rng: Rng) -> None:
        self.picture.paste(0, (0, 0, 2, 2))


class ChangesFolder(_Large):
    """S12: contextlib.chdir()"""

    def change(self, sample: Item, rng: Rng) -> None:
        with contextlib.chdir(os.curdir):
            pass


FOUND = (
    PositionalOut, ClipsInPlace, AddsAt, Shuffles, KeepsType, NanToNum, Splits, ItemOfCopy,
    OwnClass, DunderClass, Vars, PopsVars, Globals, BoundFirst, DrawsBoundFirst, Unbound, HandsOn,
    HandsOnMethod, Borrows, Reads, Pastes, ChangesFolder,
)  # fmt: skip


# What must not be accused.


class FunctionsOfCopies(_Large):
    def change(self, sample: Item, rng: Rng) -> None:
        boxes = np.transpose(sample["boxes"].copy())
        boxes *= 2
        wide = sample["boxes"].astype("f8", copy=True)
        corner, size = np.split(wide, 2, axis=1)
        size -= corner
        np.clip(wide, 0, 9, wide)
        labels = list(sample["labels"])
        rng.shuffle(labels)


class ReplacedFirst(_Large):
    def change(self, sample: Item, rng: Rng) -> None:
        mine = {**sample, "boxes": sample["boxes"].copy()}
        mine["boxes"] *= 2
        mine = dict(sample, labels=list(sample["labels"]))
        mine["labels"].append(1)
        mine = dict(sample)
        mine.update(boxes=sample["boxes"] + 1)
        mine["boxes"] *= 2
        mine["index"] += 1


class NumbersForOut(_Large):
    def change(self, sample: Item, rng: Rng) -> None:
        for value in (sample["boxes"].copy(), self.gain):
            np.abs(value, out=value)


class AnotherOfItsClass(_Large):
    def change(self, sample: Item, rng: Rng) -> None:
        other = type(self)()
        other.gain = 2.0
        other.seen.append(1)
        kwargs = dict(vars(self))
        kwargs["gain"] = 3.0
        mine = copy.copy(self)
        mine.gain = 4.0


class PureCallbacks(_Large):
    def key(self, label: int) -> int:
        return -label

    def change(self, sample: Item, rng: Rng) -> None:
        sorted(map(self.seen.count, sample["labels"]), key=self.key)


class LocalScratch:
    def __init__(self) -> None:
        self.local = threading.local()

    def __deepcopy__(self, memo: dict[int, Any]) -> LocalScratch:
        return type(self)()

    def __call__(self, sample: Item, rng: Rng) -> Item:
        boxes = sample["boxes"]
        scratch = getattr(self.local, "scratch", None)
        if scratch is None:
            scratch = self.local.scratch = np.empty_like(boxes)
        np.multiply(boxes, 2, out=scratch)
        return {**sample, "boxes": scratch.copy()}


class ChecksWhatIsSet(_Large):
    thread_safety = ThreadSafety.PER_THREAD
    mutable_state = ("gain",)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def change(self, sample: Item, rng: Rng) -> None:
        self.gain = 2.0


GOOD = (
    FunctionsOfCopies, ReplacedFirst, NumbersForOut, AnotherOfItsClass, PureCallbacks,
    LocalScratch, ChecksWhatIsSet,
)  # fmt: skip
