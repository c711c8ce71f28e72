"""Rows 25 to 40 of SPDL's observable behaviours: epochs, start and stop, the sink."""

from __future__ import annotations

import asyncio
import gc
import itertools
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Dialect
from .ops import PATIENCE, ASource, Counted, Passes, asame, same

pytestmark = pytest.mark.usefixtures("no_thread_left")


def numbers(dialect: Dialect, source: Any, *, continuous: bool = False) -> Any:
    return (
        dialect.PipelineBuilder()
        .add_source(source, continuous=continuous)
        .pipe(same, concurrency=2, output_order="input")
        .add_sink()
        .build(num_threads=2)
    )


@pytest.mark.parametrize("continuous", [False, True])
def test_a_new_iterator_goes_on_where_the_last_one_was_left(
    dialect: Dialect, continuous: bool
) -> None:
    """Row 25: nothing lost, nothing twice."""
    pipeline = numbers(dialect, range(6), continuous=continuous)
    with pipeline.auto_stop():
        assert list(itertools.islice(pipeline, 2)) == [0, 1]
        assert list(itertools.islice(pipeline.get_iterator(timeout=PATIENCE), 1)) == [2]
        assert pipeline.get_item(timeout=PATIENCE) == 3
        assert list(pipeline) == [4, 5]


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_an_exhausted_iterator_stays_exhausted(
    dialect: Dialect, continuous: bool, timeout: float | None
) -> None:
    """Row 26."""
    pipeline = numbers(dialect, range(3), continuous=continuous)
    with pipeline.auto_stop():
        iterator = pipeline.get_iterator(timeout=timeout)
        assert list(iterator) == [0, 1, 2]
        assert list(iterator) == []
        assert next(iterator, None) is None
        if continuous:
            assert list(pipeline) == [0, 1, 2]


def test_an_endless_source_can_be_left_again_and_again(dialect: Dialect) -> None:
    """Row 27."""
    pipeline = numbers(dialect, itertools.count())
    with pipeline.auto_stop():
        for epoch in range(5):
            assert list(itertools.islice(pipeline, 4)) == list(range(4 * epoch, 4 * epoch + 4))


@pytest.mark.parametrize("is_async", [False, True])
def test_stop_returns_with_every_queue_full_and_reading_ends(
    dialect: Dialect, is_async: bool
) -> None:
    """Row 28: SPDL hands out what was in the sink first, the shim lets it go; then the end."""
    full = Counted(3)  # as many as the sink holds, so it is full or about to be

    async def op(x: int) -> int:
        return int(full(x))

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(itertools.count())
        .pipe(op if is_async else full)
        .add_sink(3)
        .build(num_threads=1)
    )
    pipeline.start()
    assert full.reached.wait(PATIENCE)
    pipeline.stop()
    left = list(pipeline.get_iterator(timeout=PATIENCE))
    assert left == ([] if dialect.is_ours else list(range(len(left))))
    for _ in range(3):
        with pytest.raises(EOFError):
            pipeline.get_item(timeout=PATIENCE)


def test_an_endless_pipeline_is_stopped_in_an_epoch_and_between_two(dialect: Dialect) -> None:
    """Row 29."""
    for items in (2, 3):
        pipeline = numbers(dialect, range(3), continuous=True)
        with pipeline.auto_stop():
            assert list(itertools.islice(pipeline, items)) == list(range(items))
            if items == 3:
                with pytest.raises(EOFError):
                    pipeline.get_item(timeout=PATIENCE)


def test_starting_twice_is_an_error_and_stopping_twice_is_none(dialect: Dialect) -> None:
    """Row 30."""
    pipeline = numbers(dialect, range(3))
    pipeline.start()
    with pytest.raises(RuntimeError):
        pipeline.start()
    for _ in range(3):
        pipeline.stop()
    with pytest.raises(RuntimeError):
        pipeline.start()


def test_stopping_before_the_start_is_no_error(dialect: Dialect) -> None:
    """Row 30."""
    pipeline = numbers(dialect, range(3))
    for _ in range(3):
        pipeline.stop()


def test_stop_waits_no_longer_than_told_for_operations_in_flight(dialect: Dialect) -> None:
    """Row 30: and in the shim none begins any more that was waiting for a thread."""
    release, calls = threading.Event(), []
    started = threading.Event()

    def op(x: int) -> int:
        calls.append(x)
        started.set()
        assert release.wait(PATIENCE)
        return x

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(itertools.count())
        .pipe(op, concurrency=4)
        .add_sink()
        .build(num_threads=1)
    )
    pipeline.start()
    assert started.wait(PATIENCE)
    with pytest.raises(TimeoutError):
        pipeline.stop(timeout=0.01)
    release.set()
    pipeline.stop()
    if dialect.is_ours:
        assert len(calls) == 1


@pytest.mark.parametrize("begin", ["start", "get_item", "get_iterator", "timed"])
def test_a_dropped_pipeline_leaves_no_thread(dialect: Dialect, begin: str) -> None:
    """Rows 31 and 33: nothing that waits for the exit keeps it alive."""
    before = set(threading.enumerate())
    pipeline = numbers(dialect, itertools.count())
    if begin == "start":
        pipeline.start()
    elif begin == "get_item":
        assert pipeline.get_item() == 0
    elif begin == "timed":
        assert pipeline.get_item(timeout=PATIENCE) == 0
    else:
        assert next(iter(pipeline)) == 0
    assert set(threading.enumerate()) > before
    alive = weakref.ref(pipeline)
    del pipeline
    gc.collect()
    assert alive() is None
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("dialect_module", ["spdl.pipeline", "ftloader.interop.spdl"])
@pytest.mark.parametrize("reads", ["list(zip(range(3), p))", "p.get_item(timeout=9)", "p.start()"])
def test_a_pipeline_that_is_never_stopped_lets_the_interpreter_exit(
    dialect_module: str, reads: str
) -> None:
    """Row 32."""
    code = f"""
        import itertools
        from {dialect_module} import PipelineBuilder
        p = PipelineBuilder().add_source(itertools.count()).pipe(abs).add_sink().build(
            num_threads=1)
        {reads}
        print("end")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "end\n")
    if dialect_module.startswith("ftloader"):
        assert done.stderr == ""


@pytest.mark.parametrize("op", [same, asame])
def test_epochs_do_not_mix_and_each_ends_with_its_short_batch(dialect: Dialect, op: Any) -> None:
    """Row 34: in completion order too."""
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(5), continuous=True)
        .pipe(op, concurrency=4)
        .aggregate(2)
        .add_sink(8)
        .build(num_threads=4)
    )
    with pipeline.auto_stop():
        for _ in range(5):
            batches = list(pipeline)
            assert [len(batch) for batch in batches] == [2, 2, 1]
            assert sorted(itertools.chain(*batches)) == [0, 1, 2, 3, 4]


def test_a_continuous_async_source_is_iterated_again(dialect: Dialect) -> None:
    """Row 34."""
    pipeline = numbers(dialect, ASource(range(3)), continuous=True)
    with pipeline.auto_stop():
        assert [list(pipeline) for _ in range(3)] == [[0, 1, 2]] * 3


def test_an_aggregator_starts_each_epoch_empty(dialect: Dialect) -> None:
    """Row 34: the last group of an epoch is handed out, or dropped, at its end."""

    class Pairs(dialect.Aggregator):  # type: ignore[name-defined]
        def __init__(self) -> None:
            self.items: list[int] = []

        def accumulate(self, item: int) -> list[int] | None:
            self.items.append(item)
            return self.flush() if len(self.items) == 2 else None

        def flush(self) -> list[int] | None:
            items, self.items = self.items, []
            return items or None

    for drop_last, rest in ((False, [[2]]), (True, [])):
        pipeline = (
            dialect.PipelineBuilder()
            .add_source(range(3), continuous=True)
            .aggregate(Pairs(), drop_last=drop_last)
            .add_sink()
            .build(num_threads=1)
        )
        with pipeline.auto_stop():
            assert [list(pipeline) for _ in range(3)] == [[[0, 1], *rest]] * 3


def test_epochs_may_be_empty_or_of_one_item(dialect: Dialect) -> None:
    """Row 35."""
    epochs: list[list[int]] = [[], [1], [], [], [2, 3], [4]]
    pipeline = numbers(dialect, Passes(*epochs), continuous=True)
    with pipeline.auto_stop():
        assert [list(pipeline) for _ in epochs] == epochs


def test_threads_serve_every_epoch_in_spdl_and_one_epoch_in_the_shim(dialect: Dialect) -> None:
    """Row 36, a difference on purpose: an epoch of the shim is a run, and a run has its threads."""
    local, made = threading.local(), itertools.count()

    def op(x: int) -> int:
        if not hasattr(local, "state"):
            local.state = next(made)
        return x

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(3), continuous=True)
        .pipe(op)
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        for _ in range(3):
            assert list(pipeline) == [0, 1, 2]
    assert next(made) in ((3, 4) if dialect.is_ours else (1,))  # or 4: the next epoch has begun


@pytest.mark.parametrize("op", [same, asame])
def test_an_executor_of_ones_own(dialect: Dialect, op: Any) -> None:
    """Row 37: both refuse it for an async operation, the shim altogether."""
    with ThreadPoolExecutor(1) as pool:
        if op is same and not dialect.is_ours:
            return
        with pytest.raises(ValueError, match="executor"):
            dialect.PipelineBuilder().pipe(op, executor=pool)


def test_the_background_runs_ahead_as_far_as_the_sink_allows(dialect: Dialect) -> None:
    """Row 40: all ten items are made before one is read."""
    made = Counted(10)
    pipeline = (
        dialect.PipelineBuilder().add_source(range(10)).pipe(made).add_sink(10).build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert made.reached.wait(PATIENCE)
        assert list(pipeline) == list(range(10))


@pytest.mark.parametrize("is_async", [False, True])
def test_a_read_that_takes_too_long_is_an_error_and_loses_no_item(
    dialect: Dialect, is_async: bool
) -> None:
    """Row 40."""
    release = threading.Event()

    def op(x: int) -> int:
        assert release.wait(PATIENCE)
        return x

    async def aop(x: int) -> int:
        return await asyncio.to_thread(op, x)

    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(4))
        .pipe(aop if is_async else op)
        .add_sink()
        .build(num_threads=1, max_failures=0)
    )
    with pipeline.auto_stop():
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError):
                pipeline.get_item(timeout=timeout)
        with pytest.raises(TimeoutError):
            next(pipeline.get_iterator(timeout=0.01))
        release.set()
        assert pipeline.get_item(timeout=PATIENCE) == 0
        assert pipeline.get_item() == 1
        assert list(pipeline.get_iterator(timeout=PATIENCE)) == [2, 3]


def test_a_pipeline_can_be_stopped_and_dropped_while_a_read_has_timed_out(shim: Dialect) -> None:
    """Rows 31 and 40."""
    for stops in (True, False):
        release = threading.Event()

        async def wait(x: int, release: threading.Event = release) -> int:
            await asyncio.Event().wait()
            return x

        pipeline = (
            shim.PipelineBuilder().add_source(range(4)).pipe(wait).add_sink().build(num_threads=1)
        )
        with pytest.raises(TimeoutError):
            pipeline.get_item(timeout=0)
        if stops:
            pipeline.stop()
            with pytest.raises(EOFError):
                pipeline.get_item(timeout=PATIENCE)
        del pipeline


@pytest.mark.parametrize("timeout", ["None", "50"])
def test_after_ctrl_c_no_reader_takes_the_rest_for_an_end(timeout: str) -> None:
    """Row 29: read on or get an error, but no short epoch."""
    code = f"""
        import signal, threading
        from ftloader import RunStopped
        from ftloader.interop.spdl import PipelineBuilder

        read, seen = threading.Event(), threading.Event()

        def interrupt(*_):
            seen.set()
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, interrupt)

        def op(x):
            if x == 2 and not seen.is_set():
                assert read.wait(50)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                assert seen.wait(50)
            return x

        p = (PipelineBuilder().add_source(range(6), continuous=True).pipe(op).add_sink()
             .build(num_threads=1))
        items = []
        try:
            for x in p.get_iterator(timeout={timeout}):
                items.append(x)
                if x == 1:
                    read.set()
        except KeyboardInterrupt:
            print("interrupted")
        try:
            items += p.get_iterator(timeout={timeout})
        except RunStopped:
            print("stopped")
        print(items)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    read_on = ["interrupted", "[0, 1, 2, 3, 4, 5]"]
    assert done.stdout.splitlines() in (read_on, ["interrupted", "stopped", "[0, 1]"])
    assert (done.returncode, done.stderr) == (0, "")
