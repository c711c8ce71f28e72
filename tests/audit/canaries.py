"""Transforms with one known defect each, and two good ones that must not be accused.

They take a dict with ``img`` (H, W, 3), ``boxes`` (N, 4) and ``labels`` (a list), and the sample's
random stream, and return a new dict: here, writing to the input is a defect. ``CANARIES`` names for
each the detector that must catch it, and what else may; ``GOOD`` has the ones to be cleared.
"""

from __future__ import annotations

import copy
import functools
import os
import random
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Item = dict[str, Any]

COUNTS = {"calls": 0}


def samples() -> list[Item]:
    """Sixteen inputs from 64 x 64 to 640 x 480, all different."""
    sizes = [(64, 64)] * 9 + [(96, 72)] * 3 + [(320, 240)] * 2 + [(640, 480)] * 2
    made = []
    for number, (width, height) in enumerate(sizes):
        rng = np.random.default_rng(number)
        corner = rng.uniform(0, 0.5, (4, 2)) * (width, height)
        boxes = np.concatenate([corner, corner + rng.uniform(4, 30, (4, 2))], 1)
        img = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        made.append(
            {"index": number, "img": img, "boxes": boxes.astype("f4"), "labels": [1, 2, 3, 4]}
        )
    return made


def bright(sample: Item, gain: float) -> Item:
    img = np.clip(sample["img"] * np.float32(gain), 0, 255).astype(np.uint8)
    return {**sample, "img": img}


def flip(sample: Item) -> Item:
    img, boxes = sample["img"][:, ::-1].copy(), sample["boxes"].copy()
    boxes[:, [0, 2]] = img.shape[1] - boxes[:, [2, 0]]
    return {**sample, "img": img, "boxes": boxes}


# The good ones.


class Good:
    """Draws from the stream it is given and writes to nothing."""

    thread_safety = "stateless"

    def __init__(self, low: float = 0.5, high: float = 1.5) -> None:
        self.low, self.high = low, high

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        done = bright(sample, rng.uniform(self.low, self.high))
        return flip(done) if rng.random() < 0.5 else done


class GoodTable:
    """Holds a table that it never writes to."""

    thread_safety = "read-only state"

    def __init__(self) -> None:
        self.table = np.arange(255, -1, -1, dtype=np.uint8)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "img": self.table[sample["img"]]}


class GoodScratch:
    """Reuses a buffer, and says so."""

    thread_safety = "per-thread state"
    mutable_state = ("_scratch",)

    def __init__(self) -> None:
        self._scratch = np.empty(0, np.float32)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        img = sample["img"]
        if self._scratch.size < img.size:
            self._scratch = np.empty(img.size, np.float32)
        view = self._scratch[: img.size].reshape(img.shape)
        np.multiply(img, np.float32(rng.uniform(0.5, 1)), out=view)
        return {**sample, "img": view.astype(np.uint8)}


class GoodCache:
    """Blends with the image before, under a lock that covers reading and use."""

    thread_safety = "locked"
    mutable_state = ("_last", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = np.uint8(0)

    def __deepcopy__(self, memo: dict[int, Any]) -> GoodCache:
        return type(self)()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        with self._lock:
            last, self._last = self._last, sample["img"][0, 0, 0]
            return {**sample, "img": sample["img"] ^ last}


# The nine that were measured.


class InstanceRng:
    """Draws from a generator of its own."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return bright(sample, self.rng.uniform(0.5, 1.5))


class GlobalRng:
    """Draws from the random module."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return bright(sample, random.uniform(0.5, 1.5))


class ParameterOnSelf:
    """Keeps what it has drawn on itself: image and boxes may get different draws."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.scale = 1 if rng.random() < 0.5 else 2
        img = sample["img"].repeat(self.scale, 0).repeat(self.scale, 1)
        return {**sample, "img": img, "boxes": sample["boxes"] * self.scale}


class ReusedBuffer:
    """Returns a view of its own buffer."""

    def __init__(self) -> None:
        self.buffer = np.empty(640 * 480 * 3, np.uint8)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        img = sample["img"]
        out = self.buffer[: img.size].reshape(img.shape)
        np.subtract(255, img, out=out)
        return {**sample, "img": out}


class BoxesInPlace:
    """Scales the boxes it was given, in place."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        sample["boxes"] *= 2
        return {**sample, "img": sample["img"].repeat(2, 0).repeat(2, 1)}


class LazyTable:
    """Publishes a table before it is filled."""

    def __init__(self) -> None:
        self.table: Any = None

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        if self.table is None:
            self.table = np.zeros(256, np.uint8)
            for value in range(256):
                self.table[value] = 255 - value
        return {**sample, "img": self.table[sample["img"]]}


class ModuleCounter:
    """Counts its calls in a module's dict, and lets the count decide."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        COUNTS["calls"] += 1
        return flip(sample) if COUNTS["calls"] % 2 else dict(sample)


class MosaicCache:
    """Keeps earlier images for later ones, without a lock."""

    def __init__(self) -> None:
        self.cache: list[Any] = []

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.cache.append(sample["img"][:32, :32].copy())
        if len(self.cache) > 4:
            self.cache.pop(0)
        img = sample["img"].copy()
        img[:32, :32] = self.cache[int(rng.integers(len(self.cache)))]
        return {**sample, "img": img}


class SharedGenerator:
    """Takes its gains from a generator that all threads would resume."""

    def __init__(self) -> None:
        self.gains = self._forever()

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedGenerator:
        return type(self)()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def _forever(self) -> Iterator[float]:
        while True:
            for step in range(5):
                yield 1 + step / 10

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return bright(sample, next(self.gains))


# Those listed after them.


class HalfLocked:
    """Draws under its lock, and uses what it has drawn outside."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.gain = 1.0

    def __deepcopy__(self, memo: dict[int, Any]) -> HalfLocked:
        return type(self)()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        with self.lock:
            self.gain = rng.uniform(0.5, 1.5)
        return bright(sample, self.gain)


class CachedMethod:
    """Hands out one cached array again and again, and scales it."""

    @functools.lru_cache(maxsize=8)  # noqa: B019 (that is the defect)
    def weights(self, width: int) -> Any:
        return np.full(width, 1.0)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        weights = self.weights(sample["img"].shape[1])
        weights *= 0.9
        return {**sample, "img": (sample["img"] * weights[:, None]).astype(np.uint8)}


class ClassList:
    """Appends to a list that all instances share."""

    seen: list[float] = []  # noqa: RUF012 (that is the defect)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.seen.append(rng.uniform(0.5, 1.5))
        return bright(sample, self.seen[-1])


class Remembering:
    """A descriptor that stores the instance on itself, then copies itself."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.instance: Any = None

    def __get__(self, instance: Any, owner: Any) -> Any:
        self.instance = weakref.ref(instance)
        return copy.copy(self)

    def __call__(self, *args: Any) -> Any:
        return self.function(self.instance(), *args)


class Descriptor:
    """Calls its method through such a descriptor."""

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    @Remembering
    def chooses(self, rng: np.random.Generator) -> bool:
        return bool(rng.random() < self.probability)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return flip(sample) if self.chooses(rng) else dict(sample)


class ViewOfStore:
    """Loads images from memory, and returns the stored array itself, open to writing."""

    def __init__(self) -> None:
        self.store = [np.full((64, 64, 3), value, np.uint8) for value in range(16)]

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "img": self.store[sample["index"]][:, :32]}


class LabelsPopped:
    """Takes a label off the list it was given."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        sample["labels"].pop()
        return {**sample, "boxes": sample["boxes"][: len(sample["labels"])].copy()}


class FilteredInPlace:
    """Filters a sample's own dict in place."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        keep = sample["boxes"][:, 2] - sample["boxes"][:, 0] > 12
        sample["boxes"] = sample["boxes"][keep]
        sample["labels"] = [
            label for label, kept in zip(sample["labels"], keep, strict=True) if kept
        ]
        return dict(sample)


class Seeds:
    """Seeds NumPy's global generator."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        np.random.seed(sample["index"])
        return bright(sample, np.random.uniform(0.5, 1.5))


class ChangesSettings:
    """Changes a setting of the whole process for its own sake."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        os.environ["OMP_NUM_THREADS"] = str(sample["index"])
        np.seterr(over="ignore")
        return bright(sample, rng.uniform(0.5, 1.5))


class StaysLocked:
    """Leaves its lock taken when it raises."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> StaysLocked:
        return type(self)()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.lock.acquire()
        done = bright(sample, rng.uniform(0.5, 1.5))
        self.lock.release()
        return done


class LargeOnly:
    """Well-behaved on small images; reuses a buffer on large ones."""

    def __init__(self) -> None:
        self.buffer = np.empty((480, 640, 3), np.uint8)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        img = sample["img"]
        if img.size <= 320 * 240 * 3:
            return {**sample, "img": 255 - img}
        out = self.buffer[: img.shape[0], : img.shape[1]]
        np.subtract(255, img, out=out)
        return {**sample, "img": out}


class KillsInterpreter:
    """Brings the interpreter down."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        os.abort()


@dataclass(frozen=True)
class Canary:
    """A transform, and the detectors that must catch it."""

    kind: type[Any]
    must: tuple[str, ...]


CANARIES = (
    Canary(InstanceRng, ("permutation", "state", "scan")),
    Canary(GlobalRng, ("rng", "scan")),
    Canary(ParameterOnSelf, ("state", "park", "scan")),
    Canary(ReusedBuffer, ("state", "alias", "scan")),
    Canary(BoxesInPlace, ("frozen", "scan")),
    Canary(LazyTable, ("state", "park", "scan")),
    Canary(ModuleCounter, ("permutation", "state", "scan")),
    Canary(MosaicCache, ("permutation", "state", "scan")),
    Canary(SharedGenerator, ("permutation", "state", "scan")),
    Canary(HalfLocked, ("state", "park", "scan")),
    Canary(CachedMethod, ("permutation", "state", "scan")),
    Canary(ClassList, ("state", "scan")),
    Canary(Descriptor, ("state", "park", "scan")),
    Canary(ViewOfStore, ("alias",)),
    Canary(LabelsPopped, ("frozen", "scan")),
    Canary(FilteredInPlace, ("frozen", "scan")),
    Canary(Seeds, ("rng", "scan")),
    Canary(ChangesSettings, ("settings", "scan")),
    Canary(StaysLocked, ("errors",)),
    Canary(LargeOnly, ("state", "alias", "scan")),
    Canary(KillsInterpreter, ("call",)),
)
GOOD = (Good, GoodTable, GoodScratch, GoodCache)
