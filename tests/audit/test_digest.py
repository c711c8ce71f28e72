from __future__ import annotations

import array
import collections
import decimal
import functools
import itertools
import pathlib
import random
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ftloader.audit.digest import Walk, differences, digest, walk


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: Any) -> None:
        self.left = left


class Plain:
    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


@dataclass(frozen=True, slots=True)
class Frozen:
    size: tuple[int, int]


def counting(start: int) -> Callable[[], int]:
    count = start

    def step(by: int = 1) -> int:
        nonlocal count
        count += by
        return count

    return step


def steps() -> Any:
    total = 0
    for step in range(5):
        total += step
        yield total


def advanced(iterator: Any) -> Any:
    next(iterator)
    return iterator


def taken(lock: Any) -> Any:
    lock.acquire()
    return lock


def drawn(generator: Any) -> Any:
    generator.random()
    return generator


def called(function: Callable[[], Any]) -> Any:
    function()
    return function


#: Ways to make a value, and ways to make one that differs in one respect only.
DIFFERENT: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "sign of zero": (lambda: 0.0, lambda: -0.0),
    "type of a number": (lambda: 1, lambda: True),
    "text": (lambda: "a", lambda: "b"),
    "bytes": (lambda: b"ab", lambda: b"ac"),
    "array.array": (lambda: array.array("i", [1]), lambda: array.array("i", [2])),
    "length of a list": (lambda: [1], lambda: [1, 1]),
    "a late element": (lambda: list(range(90)), lambda: [*range(89), 0]),
    "order of a list": (lambda: [1, 2], lambda: [2, 1]),
    "order of a dict": (lambda: {1: 1, 2: 2}, lambda: {2: 2, 1: 1}),
    "key of a dict": (lambda: {(1,): 0}, lambda: {(2,): 0}),
    "member of a set": (lambda: {1, "a"}, lambda: {1, "b"}),
    "deque": (lambda: collections.deque([1]), lambda: collections.deque([2])),
    "type of a container": (lambda: [1], lambda: (1,)),
    "pixel": (lambda: np.zeros((2, 2), "u1"), lambda: np.eye(2, dtype="u1")),
    "dtype": (lambda: np.zeros(2, "i4"), lambda: np.zeros(2, "u4")),
    "shape": (lambda: np.zeros((2, 3)), lambda: np.zeros((3, 2))),
    "array of objects": (lambda: np.array([[1], None], object), lambda: np.array([[2], 0], object)),
    "numpy scalar": (lambda: np.float32(1), lambda: np.float32(2)),
    "image": (lambda: Image.new("RGB", (2, 2)), lambda: Image.new("RGB", (2, 2), "red")),
    "attribute": (lambda: Plain(a=1), lambda: Plain(a=2)),
    "another attribute": (lambda: Plain(a=1), lambda: Plain(a=1, b=1)),
    "slot": (lambda: Slotted(1), lambda: Slotted(2)),
    "dataclass": (lambda: Frozen((1, 2)), lambda: Frozen((2, 1))),
    "deep inside": (lambda: Plain(a=[Slotted({})]), lambda: Plain(a=[Slotted({1: 1})])),
    "numpy Generator": (
        lambda: np.random.default_rng(1),
        lambda: drawn(np.random.default_rng(1)),
    ),
    "RandomState": (lambda: np.random.RandomState(1), lambda: drawn(np.random.RandomState(1))),
    "random.Random": (lambda: random.Random(1), lambda: drawn(random.Random(1))),
    "closure": (lambda: counting(0), lambda: called(counting(0))),
    "partial": (lambda: functools.partial(int, 1), lambda: functools.partial(int, 2)),
    "bound method": (lambda: [1].append, lambda: [2].append),
    "generator": (steps, lambda: advanced(steps())),
    "local of a generator": (
        lambda: advanced(advanced(steps())),
        lambda: advanced(advanced(advanced(steps()))),
    ),
    "iterator": (lambda: iter([1, 2]), lambda: advanced(iter([1, 2]))),
    "zip": (lambda: zip([1], [2], strict=True), lambda: advanced(zip([1], [2], strict=True))),
    "count": (lambda: itertools.count(), lambda: advanced(itertools.count())),
    "lock": (threading.Lock, lambda: taken(threading.Lock())),
    "reentrant lock": (threading.RLock, lambda: taken(threading.RLock())),
    "number in C": (lambda: decimal.Decimal("1.5"), lambda: decimal.Decimal("1.50")),
    "pattern": (lambda: re.compile("a"), lambda: re.compile("b")),
    "path": (lambda: pathlib.Path("a"), lambda: pathlib.Path("b")),
    "class": (lambda: Plain, lambda: Slotted),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_equal_values_have_equal_digests_and_different_ones_do_not(name: str) -> None:
    make, other = DIFFERENT[name]
    assert digest(make()) == digest(make())
    assert digest(make()) != digest(other())


def test_nan_equals_nan() -> None:
    assert digest([float("nan"), np.nan]) == digest([float("nan"), np.nan])
    assert digest(np.array([np.nan])) == digest(np.array([np.nan]))


def test_strides_and_sharing_do_not_count() -> None:
    image = np.arange(24).reshape(2, 3, 4)
    assert digest(image[:, ::-1]) == digest(image[:, ::-1].copy())
    assert digest([image, image]) == digest([image, image.copy()])


def test_order_of_a_set_does_not_count() -> None:
    # 0 and 8 fall on one place of a small table, so the first one in comes first.
    one, two = {0}, {8}
    one.add(8)
    two.add(0)
    assert list(one) != list(two)
    assert digest(one) == digest(two)


def test_cycles_end() -> None:
    def ring() -> Plain:
        one = Plain(name="one")
        one.next = Plain(back=one)  # type: ignore[attr-defined]
        return one

    assert digest(ring()) == digest(ring())


def test_a_digest_is_the_same_in_another_process() -> None:
    code = (
        "import numpy as np; from ftloader.audit.digest import digest;"
        "print(digest({'a': {1, 'b', (2, 3)}, 'c': np.arange(3), 'd': [1.5, None]}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(
        {"a": {1, "b", (2, 3)}, "c": np.arange(3), "d": [1.5, None]}
    )


def test_reading_advances_nothing() -> None:
    generator, iterator, stream = steps(), iter([1, 2]), np.random.default_rng(3)
    expected = np.random.default_rng(3).random()
    digest([generator, iterator, stream])
    walk([generator, iterator, stream])
    assert (next(generator), next(iterator), stream.random()) == (0, 1, expected)


def test_thread_locals_and_the_weakly_referenced_are_not_looked_into() -> None:
    local, kept = threading.local(), Plain(a=1)
    before = digest([local, weakref.ref(kept)])
    local.value, kept.a = 1, 2  # type: ignore[attr-defined]
    assert digest([local, weakref.ref(kept)]) == before


def test_what_has_only_dead_references_differs_from_what_has_live_ones() -> None:
    kept = Plain()
    reference = weakref.ref(kept)
    before = walk(reference)
    del kept
    assert differences(before, walk(reference)) == ["self"]


def test_paths_read_like_the_code_that_gets_there() -> None:
    value = Plain(resize=Plain(scale=2), cache=[1, {"a b": 3}], step=counting(4))
    paths = walk(value)
    assert paths["self.resize.scale"] == "int 2"
    assert paths["self.cache[1]['a b']"] == "int 3"
    assert paths["self.step (closure of step: count)"] == "int 4"
    assert paths["self.step (default of step: by)"] == "int 1"


def test_differences_name_what_has_changed_appeared_and_gone() -> None:
    value = Plain(a=1, b=2, c=3)
    before = walk(value)
    value.a, value.d = 9, 4  # type: ignore[attr-defined]
    del value.b  # type: ignore[attr-defined]
    assert differences(before, walk(value)) == ["self.a", "self.b", "self.d"]


def test_a_walk_sees_that_two_parts_have_become_one_object() -> None:
    value = Plain(a=[1], b=[1])
    before = walk(value)
    value.b = value.a  # type: ignore[attr-defined]
    assert digest(value) == digest(Plain(a=[1], b=[1]))
    assert "self.b" in differences(before, walk(value))


def test_an_lru_cache_that_grows_is_unchanged_and_one_whose_values_are_written_to_is_not() -> None:
    @functools.lru_cache(maxsize=4)
    def table(size: int) -> Any:
        return np.zeros(size)

    first = table(3)
    before = walk(table)
    table(5)
    grown = walk(table)
    assert all(grown[path] == leaf for path, leaf in before.items())
    first += 1
    assert any(walk(table)[path] != leaf for path, leaf in grown.items())


def test_what_is_nested_too_deeply_is_said_to_be_left_out() -> None:
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    walked = Walk()
    walked.add("self", deep)
    assert walked.cut
