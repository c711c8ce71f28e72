"""What an engine gets for ``concurrency="auto"``: numbers, found once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError, StageError
from ftloader.stages import Pipe
from ftloader.tuning import auto, resolve

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.fixture(autouse=True)
def in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "SECONDS", 0.3)


class Source:
    """Counts how often it is opened."""

    def __init__(self, numbers: range = range(20)) -> None:
        self.numbers, self.opened = numbers, 0

    def __call__(self) -> Iterator[int]:
        self.opened += 1
        return iter(self.numbers)


def described(source: Callable[[], Iterator[int]]) -> Pipeline[Any]:
    return Pipeline(source).pipe(abs, concurrency="auto").aggregate(3)


def test_a_pipeline_of_numbers_is_returned_as_it_is() -> None:
    pipeline = Pipeline(range(3)).pipe(abs, concurrency=2)
    assert resolve(pipeline) is pipeline


def test_auto_becomes_a_number() -> None:
    resolved = resolve(described(Source()))
    stage = resolved.stages[0]
    assert isinstance(stage, Pipe)
    assert isinstance(stage.concurrency, int)
    assert list(resolved.run("serial"))[-1] == [18, 19]


def test_equal_pipelines_are_tuned_once() -> None:
    source = Source()
    first = resolve(described(source))
    assert resolve(described(source)) is first
    assert source.opened == 1


def test_another_source_is_another_pipeline() -> None:
    source, other = Source(), Source()
    resolve(described(source))
    resolve(described(other))
    assert (source.opened, other.opened) == (1, 1)


def test_threads_that_ask_together_wait_for_one_tuning() -> None:
    source = Source()
    together = threading.Barrier(4)
    found: list[Pipeline[Any]] = []

    def ask() -> None:
        together.wait()
        found.append(resolve(described(source)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.opened == 1
    assert all(pipeline is found[0] for pipeline in found)
    assert len(found) == 4


def test_an_operation_may_run_a_pipeline_of_its_own() -> None:
    inner = Source()

    def nested(x: int) -> int:
        return sum(resolve(Pipeline(inner).pipe(abs, concurrency="auto")).run("serial"))

    outer = Pipeline(Source(range(3))).pipe(nested, concurrency="auto")
    assert list(resolve(outer).run("serial")) == [190, 190, 190]


def test_only_the_last_pipelines_are_remembered() -> None:
    source = Source()
    resolve(described(source))
    others = [Source() for _ in range(auto.REMEMBERED)]
    for other in others:
        resolve(described(other))
    resolve(described(source))
    assert source.opened == 2
    resolve(described(others[-1]))
    assert others[-1].opened == 1


def test_what_failed_is_tried_again() -> None:
    broken = [True]

    def fails_at_first(x: int) -> int:
        if broken:
            raise OSError("not mounted yet")
        return x

    pipeline = Pipeline(range(9)).pipe(fails_at_first, concurrency="auto")
    with pytest.raises(StageError, match="not mounted yet"):
        resolve(pipeline)
    broken.clear()
    assert list(resolve(pipeline).run("serial")) == list(range(9))


def test_an_iterator_is_refused_before_it_is_touched() -> None:
    numbers = iter(range(9))
    pipeline = Pipeline(numbers).pipe(abs, concurrency="auto")
    with pytest.raises(PipelineError, match=r"'abs'.*pass the callable that makes it, or numbers"):
        resolve(pipeline)
    assert next(numbers) == 0


def test_operations_that_cannot_be_hashed_are_fine() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, x: int) -> int:
            return x

    pipeline = Pipeline(range(9)).pipe(Unhashable(), concurrency="auto")
    assert resolve(pipeline) is resolve(pipeline)


def test_a_forked_child_forgets_what_it_may_not_wait_for() -> None:
    source = Source()
    entry = auto._cache.entry(described(source))
    with entry.lock, auto._cache._lock:
        child = os.fork()
        if child == 0:
            held = auto._cache._lock.locked() or auto._cache.entry(described(source)) is entry
            os._exit(int(held))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
