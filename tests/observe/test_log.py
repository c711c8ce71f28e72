"""The periodic line: who writes it, when it ends, and that it keeps nothing alive."""

from __future__ import annotations

import gc
import itertools
import logging
import queue
import threading
import weakref
from collections.abc import Iterator

import pytest

from ftloader import Pipeline, PipelineError
from ftloader.observe.log import LogEvery, log_every

pytestmark = pytest.mark.usefixtures("no_thread_left")


class Lines(logging.Handler):
    """Lets a test wait for a line."""

    def __init__(self) -> None:
        super().__init__()
        self.records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.put(record)

    def next(self) -> str:
        return self.records.get(timeout=60).getMessage()


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger = logging.getLogger("ftloader")
    handler, level = Lines(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def thread_of(log: LogEvery) -> threading.Thread:
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "ftloader-log"]
    return thread


def double(x: int) -> int:
    return 2 * x


def test_lines_come_while_the_run_goes_on(lines: Lines) -> None:
    with Pipeline(itertools.count).pipe(double).run() as run, log_every(run, 0.01):
        for _ in range(3):
            next(run)
            assert "the reader waited" in lines.next()
        record = lines.records.get(timeout=60)
    assert (record.name, record.levelname) == ("ftloader", "INFO")


def test_leaving_the_block_logs_what_a_short_run_did(lines: Lines) -> None:
    with Pipeline(range(1000)).pipe(double).run() as run, log_every(run, 3600):
        assert len(list(run)) == 1000
    assert ": 1,000 items, " in lines.next()
    assert lines.records.empty()


def test_it_ends_with_the_run(lines: Lines) -> None:
    run = Pipeline(itertools.count).pipe(double).run()
    log = log_every(run, 0.01)
    thread = thread_of(log)
    run.stop()
    thread.join(60)
    assert not thread.is_alive()
    log.close()


def test_it_does_not_keep_a_dropped_run_alive(lines: Lines) -> None:
    run = Pipeline(itertools.count).pipe(double).run()
    dropped = weakref.ref(run)
    log = log_every(run, 3600)
    thread = thread_of(log)
    del run
    gc.collect()
    assert dropped() is None
    thread.join(60)
    assert not thread.is_alive()
    log.close()
    assert lines.records.empty()


def test_nothing_is_logged_unless_asked_for(lines: Lines) -> None:
    assert list(Pipeline(range(10)).pipe(double)) == list(range(0, 20, 2))
    assert lines.records.empty()


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_period_that_cannot_be_is_refused(seconds: float) -> None:
    with Pipeline(range(10)).run() as run, pytest.raises(PipelineError, match="log_every"):
        LogEvery(run, seconds)
