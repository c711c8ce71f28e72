"""The probe for the GIL: what it concludes from measurements, and that it cleans up."""

from __future__ import annotations

import threading

import pytest

from ftloader import Pipeline
from ftloader.runtime import gil_enabled
from ftloader.stages import Pipe
from ftloader.tuning.gil import CallFailed, Scaling, scaling, throughput
from ftloader.tuning.neighbours import Neighbours

pytestmark = pytest.mark.usefixtures("no_thread_left")


def pipe(op: object) -> Pipe:
    stage = Pipeline([1]).pipe(op).stages[0]  # type: ignore[arg-type]
    assert isinstance(stage, Pipe)
    return stage


@pytest.mark.parametrize(
    ("measured", "bound"),
    [
        (Scaling(ratio=0.97, cores=1.0, control=1.95), True),
        (Scaling(ratio=1.90, cores=1.9, control=1.95), False),
        # Both cores were busy, so it was no lock: memory, or a cache, is what they share.
        (Scaling(ratio=1.10, cores=1.9, control=1.95), False),
        # Not even the control gained: somebody else had the second core.
        (Scaling(ratio=1.00, cores=1.0, control=1.10), None),
        (Scaling(ratio=1.80, cores=1.8, control=1.10), False),
    ],
)
def test_what_a_second_thread_brought_tells_of_the_gil(
    measured: Scaling, bound: bool | None
) -> None:
    assert measured.gil_bound is (bound if gil_enabled() else False)


def test_two_threads_are_at_work_together() -> None:
    both = threading.Barrier(2)

    def meet(item: int) -> None:
        if both.n_waiting or not both.broken:
            try:
                both.wait(timeout=60)
            finally:
                both.abort()  # once is enough

    def call(item: int) -> None:
        try:
            meet(item)
        except threading.BrokenBarrierError:
            pass

    together, _ = throughput(call, [1, 2], 2, 0.01)
    assert together > 0


def test_every_thread_calls_at_least_once_however_short_the_window() -> None:
    seen = []
    throughput(seen.append, [1, 2], 2, 0.0)
    assert set(seen) >= {1, 2}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_an_operation_raises_ends_the_probe(error: type[BaseException]) -> None:
    def fail(item: int) -> None:
        raise error("in a thread")

    with pytest.raises(CallFailed) as caught:
        throughput(fail, [1], 2, 60.0)
    assert type(caught.value.__cause__) is error
    assert scaling(pipe(fail), [1], 0.0, 60.0) is None


def test_what_this_process_computes_is_not_its_neighbours_doing() -> None:
    watching = Neighbours()
    assert watching.cores() is None or watching.cores() >= 0  # type: ignore[operator]


def test_there_is_no_probe_without_the_time_for_it() -> None:
    assert scaling(pipe(abs), [1], 1.0, 5.0) is None


def test_a_generator_is_run_to_its_end() -> None:
    ended = threading.Event()

    def outputs(item: int):  # type: ignore[no-untyped-def]
        yield item
        ended.set()

    assert scaling(pipe(outputs), [1], 0.0, 60.0) is not None
    assert ended.is_set()
