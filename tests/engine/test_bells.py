"""Bells: each kind is rung by another thread, gives up in time, and leaves nothing open."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time

import pytest

from ftloader import runtime
from ftloader.engine import bells

needs_files = pytest.mark.skipif(not bells.HAS_FILES, reason="no eventfd on this platform")
KINDS = [queue.SimpleQueue, pytest.param(bells.FileBell, marks=needs_files)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bell_rung_by_another_thread_ends_the_wait(kind):
    bell = kind()
    ringer = threading.Thread(target=bell.put, args=(None,))
    ringer.start()
    assert bells.wait_for(bell, 60.0)
    ringer.join()


@pytest.mark.parametrize("kind", KINDS)
def test_a_bell_rung_before_anybody_waits_is_heard(kind):
    bell = kind()
    bell.put(None)
    assert bells.wait_for(bell, 60.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [0.0, 1e-4, 0.003])
def test_a_wait_ends_in_time_and_not_before(kind, seconds):
    begin = time.monotonic()
    assert not bells.wait_for(kind(), seconds)
    assert time.monotonic() - begin >= seconds


def test_items_that_cost_something_get_a_bell_that_calls_at_once_where_there_is_no_gil():
    expected = (
        bells.FileBell if bells.HAS_FILES and not runtime.gil_enabled() else queue.SimpleQueue
    )
    assert type(bells.new_bell(cheap=False)) is expected
    assert type(bells.new_bell(cheap=True)) is queue.SimpleQueue


@needs_files
def test_runs_of_expensive_items_leave_no_descriptor_open():
    script = """
import os
from ftloader import Pipeline, runtime
from ftloader.engine import bells
runtime.gil_enabled = lambda: False  # the kind it would take
made = []
class Counted(bells.FileBell):
    def __init__(self):
        super().__init__()
        made.append(None)
bells.FileBell = Counted
def work(item):
    return sum(range(200_000)) + item
before = len(os.listdir("/proc/self/fd"))
for _ in range(5):
    sum(Pipeline(range(100)).pipe(work, concurrency=3))
print(len(made) > 50, len(os.listdir("/proc/self/fd")) - before)
"""
    assert printed(script) == ["True 0"]


@needs_files
def test_without_descriptors_a_run_goes_on_with_the_other_kind():
    script = """
import os, resource
from ftloader import Pipeline, runtime
from ftloader.engine import bells
runtime.gil_enabled = lambda: False  # the kind it would take
def work(item):
    return sum(range(200_000)) + item
pipeline = Pipeline(range(200)).pipe(work, concurrency=2)
assert sum(pipeline) > 0  # all modules are imported
first = len(os.listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (first - 1, first - 1))
try:
    bells.FileBell()
except OSError as error:
    print(error.strerror)
print(sum(pipeline) == 200 * sum(range(200_000)) + sum(range(200)))
"""
    assert printed(script) == ["Too many open files", "True"]


def printed(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
