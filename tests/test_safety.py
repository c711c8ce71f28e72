"""What a class says of itself and threads is what the pipeline does with it."""

from __future__ import annotations

import functools
import threading
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError
from ftloader.detection.transforms import Compose, RandomApply, RandomChoice, RandomFlip
from ftloader.safety import PerThread, ThreadSafety, declared, weakest

pytestmark = pytest.mark.usefixtures("no_thread_left")


class Scratch:
    thread_safety = "per-thread state"

    def __init__(self) -> None:
        self.users: set[int] = set()

    def __call__(self, x: int) -> tuple[int, int, int]:
        self.users.add(threading.get_ident())
        return x, id(self), len(self.users)

    def generate(self, x: int) -> Any:
        yield self(x)


class Racy:
    thread_safety = ThreadSafety.UNSAFE
    thread_safety_reason = "keeps its draw on itself"

    def __call__(self, x: int) -> int:
        return x


class Counting(Racy):
    thread_safety = ThreadSafety.ORDER_DEPENDENT
    thread_safety_reason = ""


class Odd:
    thread_safety = "perhaps"

    def __call__(self, x: int) -> int:
        return x


@pytest.mark.parametrize("concurrency", [2, "auto"])
@pytest.mark.parametrize("op", [Racy(), Racy().__call__, functools.partial(Racy()), Counting()])
def test_an_unsafe_operation_is_refused_beside_others_and_says_why(op, concurrency):
    with pytest.raises(PipelineError, match=r"stage 'mine': (Racy|Counting) is declared"):
        Pipeline(range(9)).pipe(op, concurrency=concurrency, name="mine")


def test_the_refusal_has_the_authors_reason():
    with pytest.raises(PipelineError, match="keeps its draw on itself; run it with concurrency=1"):
        Pipeline(range(9)).pipe(Racy(), concurrency=2)


@pytest.mark.parametrize("op", [Racy(), Counting()])
def test_an_unsafe_operation_runs_alone(op):
    with Pipeline(range(9)).pipe(op).run() as run:
        assert list(run) == list(range(9))


@pytest.mark.parametrize("engine", ["threads", "serial", "spdl"])
def test_every_thread_gets_a_per_thread_operation_of_its_own(engine):
    original = Scratch()
    for op in (original, original.generate, functools.partial(original)):
        with Pipeline(range(200)).pipe(op, concurrency=4).run(engine) as run:
            results = list(run)
        assert [x for x, _, _ in results] == list(range(200))
        assert {users for _, _, users in results} == {1}
    assert original.users == set()


def test_a_per_thread_operation_cannot_be_shared_by_one_event_loop():
    class Waits:
        thread_safety = ThreadSafety.PER_THREAD

        async def __call__(self, x: int) -> int:
            return x

    Pipeline(range(3)).pipe(Waits(), concurrency=1)
    with pytest.raises(PipelineError, match="per-thread state"):
        Pipeline(range(3)).pipe(Waits(), concurrency=2)


def test_a_word_that_is_no_class_of_safety_is_refused_with_those_there_are():
    with pytest.raises(PipelineError, match=r"'perhaps'.*'stateless'.*'unsafe'"):
        Pipeline(range(3)).pipe(Odd())


def test_plain_functions_and_classes_say_nothing():
    assert declared(len) is None
    assert declared(Racy) is None
    assert isinstance(Pipeline(range(3)).pipe(str, concurrency=4), Pipeline)


def test_what_is_made_of_transforms_promises_what_its_weakest_part_does():
    class Weak(RandomFlip):
        @property
        def thread_safety(self) -> ThreadSafety:
            return ThreadSafety.PER_THREAD

    flip, weak = RandomFlip(), Weak()
    assert Compose([flip]).thread_safety is ThreadSafety.STATELESS
    for whole in (Compose([flip, weak]), RandomApply(weak, 0.5), RandomChoice([flip, weak])):
        assert whole.thread_safety is ThreadSafety.PER_THREAD
    assert weakest([]) is ThreadSafety.STATELESS


def test_a_copy_for_a_thread_is_made_once():
    own = PerThread(Scratch())
    assert own(1)[1] == own(2)[1]
