"""The ladder: from nothing shared down to one object that everybody writes.

Loops touch what they are about and nothing else. Of a pair, the good one does the same with what is
the thread's own. Literals are small integers, which are never counted; a float literal in a loop
would itself be a shared, counted object.
"""

# ruff: noqa: B018 (a look at an object is what is measured)

from __future__ import annotations

import threading
from math import gcd
from queue import SimpleQueue
from typing import Any

import numpy as np

from ftloader.lab.controls import CEILING_CONTROL as CEILING
from ftloader.lab.controls import CONTENTION_CONTROL as ONE_LIST
from ftloader.rng import Streams

from .pattern import Pattern

BATCH = 16
#: A module's data: an object as any other, counted, and owned by the main thread.
TABLE = object()


# --- nothing shared -------------------------------------------------------------------------------


def fractions(shared: Any, steps: int) -> None:
    limit = steps * steps + 7
    top, bottom = steps, steps + 1
    for place in range(steps // 5):
        top, bottom = top * (place + 2) + bottom, bottom * (place + 3)
        common = gcd(top, bottom)
        top, bottom = top // common % limit, bottom // common % limit + 1


# --- what a module holds --------------------------------------------------------------------------


def same(item: int) -> int:
    return item


def call_global(shared: Any, steps: int) -> None:
    for _ in range(steps):
        same(1)


def call_local(shared: Any, steps: int) -> None:
    call = same
    for _ in range(steps):
        call(1)


def look_global(shared: Any, steps: int) -> None:
    for _ in range(steps):
        TABLE


def look_local(shared: Any, steps: int) -> None:
    table = TABLE
    for _ in range(steps):
        table


# --- a configuration ------------------------------------------------------------------------------


class Config:
    """What a recipe was made with."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def step(self, item: int) -> int:
        return item


def config() -> Config:
    return Config(float("0.75"))


def attribute(shared: Config, steps: int) -> None:
    for _ in range(steps):
        shared.scale


def attribute_local(shared: Config, steps: int) -> None:
    scale = shared.scale
    for _ in range(steps):
        scale


def attribute_own(shared: Config, steps: int) -> None:
    # A new float: the copy of a float, deep or not, is the same object.
    mine = Config(shared.scale + 0)
    for _ in range(steps):
        mine.scale


def method(shared: Config, steps: int) -> None:
    for _ in range(steps):
        shared.step(1)


def method_local(shared: Config, steps: int) -> None:
    call = shared.step
    for _ in range(steps):
        call(1)


# --- containers -----------------------------------------------------------------------------------


def list_own(shared: Any, steps: int) -> None:
    mine = [object()]
    for _ in range(steps):
        mine[0]


def a_dict() -> dict[str, object]:
    return {"key": object()}


def dict_get(shared: dict[str, object], steps: int) -> None:
    for _ in range(steps):
        shared.get("key")


def dict_own(shared: Any, steps: int) -> None:
    dict_get(a_dict(), steps)


# --- closures -------------------------------------------------------------------------------------


def closure() -> Any:
    scale = float("0.75")

    def scaled() -> float:
        return scale

    return scaled


def call_closure(shared: Any, steps: int) -> None:
    for _ in range(steps):
        shared()


def closure_own(shared: Any, steps: int) -> None:
    call_closure(closure(), steps)


# --- random numbers -------------------------------------------------------------------------------

RNG_THIN = 10


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def draw(shared: np.random.Generator, steps: int) -> None:
    random = shared.random
    for _ in range(steps // RNG_THIN):
        random()


def draw_thread(shared: Any, steps: int) -> None:
    draw(generator(), steps)


def draw_sample(shared: Any, steps: int) -> None:
    streams = Streams(7, 0)
    for sample in range(steps // RNG_THIN):
        streams.at(sample).random()


# --- NumPy, on arrays of the thread's own ---------------------------------------------------------

FEW, SOME, MANY = 4, 2_048, 16_384
CALL_THIN, LONG_THIN = 10, 100


def add_few(shared: Any, steps: int) -> None:
    _add(FEW, steps // CALL_THIN)


def add_many(shared: Any, steps: int) -> None:
    _add(MANY, steps // LONG_THIN)


def _add(numbers: int, calls: int) -> None:
    left, right, total = (np.ones(numbers, np.float32) for _ in range(3))
    for _ in range(calls):
        np.add(left, right, total)


def sine_some(shared: Any, steps: int) -> None:
    # Arithmetic in the first-level cache: what is left of a long call without its memory.
    angles = np.linspace(0.0, 1.0, SOME)
    sines = np.empty_like(angles)
    for _ in range(steps // LONG_THIN):
        np.sin(angles, sines)


def slice_few(shared: Any, steps: int) -> None:
    mine = np.ones(FEW, np.float32)
    for _ in range(steps // CALL_THIN):
        mine[1:3]


# --- counting -------------------------------------------------------------------------------------


class Counter:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


def count_locked(shared: Counter, steps: int) -> None:
    for _ in range(steps):
        with shared.lock:
            shared.count += 1


def count_own(shared: Counter, steps: int) -> None:
    count = 0
    for _ in range(steps):
        count += 1
    with shared.lock:
        shared.count += count


def counted(shared: Counter, operations: int) -> bool:
    return shared.count == operations


# --- hand-overs -----------------------------------------------------------------------------------

HOP_THIN = 10


def hop_item(shared: SimpleQueue[Any], steps: int) -> None:
    put, get = shared.put, shared.get
    for _ in range(steps // HOP_THIN):
        put(1)
        get()


def hop_batch(shared: SimpleQueue[Any], steps: int) -> None:
    put, get = shared.put, shared.get
    for _ in range(steps // HOP_THIN // BATCH):
        batch = []
        for _ in range(BATCH):
            batch.append(1)  # noqa: PERF401 (as items come)
        put(batch)
        for _ in get():
            pass


def emptied(shared: SimpleQueue[Any], operations: int) -> bool:
    return shared.empty()


LADDER = (
    Pattern("arithmetic", "nothing shared: float arithmetic on locals", CEILING.work),
    Pattern("fractions", "nothing shared: exact fractions on integers", fractions, thin=5),
    Pattern("function", "a module's function, looked up by name for each call", call_global),
    Pattern("function_local", "the same, bound to a local", call_local),
    Pattern("module_data", "a module's data, looked up by name", look_global),
    Pattern("module_data_local", "the same object, bound to a local", look_local),
    Pattern("config", "an attribute of a shared configuration", attribute, config),
    Pattern("config_local", "its value, bound to a local: still shared", attribute_local, config),
    Pattern("config_own", "an attribute of the thread's own copy", attribute_own, config),
    Pattern("method", "a method of a shared object", method, config),
    Pattern("method_local", "the same method, bound to a local", method_local, config),
    Pattern("closure", "a shared closure with a cell", call_closure, closure, 1, True),
    Pattern("closure_own", "a closure made by the thread", closure_own),
    Pattern("list", "an element of a shared list", ONE_LIST.work, ONE_LIST.make),
    Pattern("list_own", "an element of the thread's own list", list_own),
    Pattern("dict", "get() of a shared dict", dict_get, a_dict, 1, True),
    Pattern("dict_own", "get() of the thread's own dict", dict_own),
    Pattern("rng", "a shared generator, which NumPy locks", draw, generator, RNG_THIN, True),
    Pattern("rng_thread", "a generator for each thread", draw_thread, thin=RNG_THIN),
    Pattern("rng_sample", "a stream for each sample", draw_sample, thin=RNG_THIN),
    Pattern("ufunc", f"np.add of {FEW} numbers of its own", add_few, thin=CALL_THIN),
    Pattern("ufunc_long", f"np.add of {MANY:,} numbers of its own", add_many, thin=LONG_THIN),
    Pattern("ufunc_sine", f"np.sin of {SOME:,} numbers of its own", sine_some, thin=LONG_THIN),
    Pattern("slice", "a slice of the thread's own array", slice_few, thin=CALL_THIN),
    Pattern("counter", "a shared counter under a lock", count_locked, Counter, 1, True, counted),
    Pattern("counter_own", "a count of its own, added up once", count_own, Counter, check=counted),
    Pattern("hop", "a queue crossed item by item", hop_item, SimpleQueue, HOP_THIN, True, emptied),
    Pattern(
        "hop_batch",
        f"a queue crossed by {BATCH} items at once",
        hop_batch,
        SimpleQueue,
        HOP_THIN,
        True,
        emptied,
    ),
)
