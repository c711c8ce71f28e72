"""Transforms for the tests of the detectors of state, and how to audit one with one detector."""

from __future__ import annotations

import io
import os
import random
import sys
import threading
import warnings
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from ftloader.audit.subject import Subject, Target
from ftloader.audit.verdict import Evidence

Item = dict[str, Any]
TABLES: dict[int, Any] = {}
_LAST: Any = None


def subject(kind: type[Any] | str) -> Subject:
    """Return a transform of this module, or of the canaries, as a subject."""
    if isinstance(kind, str):
        path = f"{__name__}:{kind}"
    else:
        path = f"{kind.__module__}:{kind.__qualname__}"
    return Subject(
        Target(name=path, path=path, samples="tests.audit.canaries:samples", style="sample-rng")
    )


def accuses(evidence: Evidence) -> bool:
    """Whether evidence speaks against a transform."""
    return evidence.status == "found" and any(f.effect != "caution" for f in evidence.findings)


class Resize:
    def __init__(self) -> None:
        self.scale = 0.0

    def __call__(self, sample: Item) -> Item:
        return {**sample, "scale": self.scale}


class Nested:
    """Hands a draw to its child on the child itself."""

    def __init__(self) -> None:
        self.resize = Resize()

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.resize.scale = float(rng.random())
        return self.resize(sample)


class DeclaredChild(Resize):
    thread_safety = "per-thread state"
    mutable_state = ("scale",)


class DeclaredNested(Nested):
    def __init__(self) -> None:
        self.resize = DeclaredChild()


class CountsOnItsClass:
    calls: ClassVar[int] = 0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        type(self).calls += 1
        return dict(sample)


def _remembered(sample: Item) -> Any:
    global _LAST
    last, _LAST = _LAST, sample["index"]
    return last


def through_a_helper(sample: Item, rng: np.random.Generator) -> Item:
    return {**sample, "last": _remembered(sample)}


def _counting() -> Any:
    count = 0

    def step(sample: Item, rng: np.random.Generator) -> Item:
        nonlocal count
        count += 1
        return dict(sample)

    return step


class HoldsAClosure:
    def __init__(self) -> None:
        self.step = _counting()

    def __deepcopy__(self, memo: dict[int, Any]) -> HoldsAClosure:
        return type(self)()

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return self.step(sample, rng)  # type: ignore[no-any-return]


class KeepsInADefault:
    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return self.keep(sample)

    def keep(self, sample: Item, seen: list[int] = []) -> Item:  # noqa: B006
        seen.append(sample["index"])
        return dict(sample)


@lru_cache(maxsize=32)
def ramp(width: int) -> Any:
    table = np.linspace(0, 1, width)
    table.flags.writeable = False
    return table


def cached_table(sample: Item, rng: np.random.Generator) -> Item:
    return {**sample, "ramp": ramp(sample["img"].shape[1])}


class Slotted:
    __slots__ = ("gain",)

    def __init__(self) -> None:
        self.gain = 1.0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.gain = float(rng.random())
        return {**sample, "gain": self.gain}


class LockedThroughout:
    """Hands over through itself, but under a lock until it has read it again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.gain = 0.0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        with self.lock:
            self.gain = float(rng.random())
            return {**sample, "gain": self.gain}


class LosesUpdates:
    """Takes a number and sets the next one: two calls may take the same."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        number = self.number
        self.number = number + 1
        return {**sample, "number": number}


class OwnInThread(Slotted):
    __slots__ = ()
    thread_safety = "per-thread state"
    mutable_state = ("gain",)


class TooCurious:
    """Behaves otherwise when somebody else's class sits on it."""

    def __init__(self) -> None:
        self.known = {TooCurious: 1}

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "known": self.known.get(type(self))}


class RaisesOnLarge:
    def __call__(self, sample: Item, rng: np.random.Generator) -> Item | None:
        if sample["img"].shape[0] > 64:
            raise ValueError("too large")
        return None


class Unrepeatable:
    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "noise": os.urandom(8)}


class UnrepeatableWriter(Unrepeatable):
    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.calls = 1
        return super().__call__(sample, rng)


class MadeByADraw:
    """Draws when it is made, never when it is called."""

    def __init__(self) -> None:
        self.gain = random.random()

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "gain": self.gain}


class SetsTheSameAgain:
    """Sets what is set already after its first call."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        os.environ["FTLOADER_TEST"] = "1"
        np.set_printoptions(precision=3)
        sys.setrecursionlimit(3000)
        warnings.simplefilter("ignore")
        return dict(sample)


class SetsWithinABlock:
    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        with np.errstate(divide="ignore"):
            return {**sample, "inverse": 1 / sample["boxes"]}


class OpensPicture:
    """Opens a picture in its constructor; Pillow reads the pixels when a call asks for them."""

    def __init__(self) -> None:
        file = io.BytesIO()
        Image.new("L", (8, 8), 7).save(file, "PNG")
        self.picture = Image.open(file)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "img": sample["img"] ^ np.asarray(self.picture)[0, 0]}


class ReadsPicture(OpensPicture):
    """Has it read the pixels there, too."""

    def __init__(self) -> None:
        super().__init__()
        self.picture.load()


class Kept:
    """What a call leaves behind; its class and the globals it names come into sight with it."""

    limit: ClassVar[dict[str, int]] = {"most": 4}

    def known(self) -> Any:
        return TABLES, self.limit


class Keeps:
    """Keeps an object of another class per call."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.kept.append(Kept())
        return dict(sample)
