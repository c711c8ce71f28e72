"""Memory and CPU time of process trees: real processes that own what is known."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ftloader.errors import MeasurementError
from ftloader.lab import tree

MIB = 1 << 20
#: What an interpreter does besides, and pages that one sum sees and the next does not.
SLACK = 4 * MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@contextmanager
def running(code: str) -> Iterator[subprocess.Popen[str]]:
    """Run code up to its first line of output; it ends when its stdin does."""
    with subprocess.Popen(
        [sys.executable, "-c", "import os, sys\n" + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            yield child
        finally:
            child.kill()


WAIT = "print('ready', flush=True); sys.stdin.read()"
#: Burns half a second of CPU time, however busy the machine is.
BURN = "import time\ndef burn():\n  while time.process_time() < 0.5: pass\n"
#: A child that stays until its parent is gone.
FORKED = """
import signal
read, write = os.pipe()
pid = os.fork()
if not pid:
    os.close(write)
    {child}
    os.write(done, b'x')
    os.read(read, 1)
    os._exit(0)
os.read(look, 1)
"""


def forked(child: str, before: str = "") -> str:
    """Return code that forks, has the child do something, waits for that, and waits."""
    body = "look, done = os.pipe()\n" + FORKED.format(child=child)
    return before + body + WAIT


def test_a_process_alone_is_a_tree_of_one_and_a_child_belongs_to_its_parents():
    with running(WAIT) as alone:
        assert tree.pids(alone.pid) == (alone.pid,)
        assert {os.getpid(), alone.pid} <= set(tree.pids())
    with running(forked("pass")) as parent:
        found = tree.pids(parent.pid)
        assert len(found) == 2
        assert parent.pid in found
        assert set(found) <= set(tree.pids())


def test_a_process_that_has_ended_is_not_of_the_tree():
    with running(WAIT) as child:
        child.communicate("")
        assert child.pid not in tree.pids()
    for read in (tree.pids, tree.pss, tree.cpu_seconds, tree.unmapped):
        with pytest.raises(MeasurementError, match=f"no process {child.pid}"):
            read(child.pid)


def test_a_zombie_does_not_live_but_its_cpu_time_counts():
    with running(BURN + forked("burn(); os.write(done, b'x'); os._exit(0)")) as parent:
        wait_until(lambda: tree.pids(parent.pid) == (parent.pid,))
        assert 0.5 <= tree.cpu_seconds(parent.pid) < 5


def test_cpu_time_of_children_counts_while_they_live_and_when_they_were_waited_for():
    with running(BURN + forked("burn()")) as parent:
        assert 0.5 <= tree.cpu_seconds(parent.pid) < 5
    waited = "burn(); os._exit(0)"
    code = f"pid = os.fork()\nif not pid: {waited}\nos.waitpid(pid, 0)\n{WAIT}"
    with running(BURN + code) as one:
        assert tree.pids(one.pid) == (one.pid,)
        # Of what was waited for, whole ticks of user and of system time are counted.
        assert 0.48 <= tree.cpu_seconds(one.pid) < 5


def test_this_process_counts_its_own_children():
    before = tree.cpu_seconds()
    subprocess.run([sys.executable, "-c", BURN + "burn()"], check=True)
    assert tree.cpu_seconds() - before >= 0.5


def test_private_memory_of_parent_and_child_adds_up():
    empty, full = (
        forked("kept = bytearray(b'x') * size", f"size = {size}\nmine = bytearray(b'x') * size\n")
        for size in (1, 48 * MIB)
    )
    with running(empty) as small, running(full) as large:
        grown = tree.pss(large.pid) - tree.pss(small.pid)
    # The child has the parent's pages as well, which count once.
    assert abs(grown - 96 * MIB) < SLACK


#: Page by page: what an allocator keeps of a large temporary object would be in the way.
TOUCH = "[shared.__setitem__(place, 1) for place in range(0, size, 4096)]"


@pytest.mark.parametrize("child", ["pass", TOUCH])
def test_shared_pages_count_once(child):
    make = f"import mmap\nshared = mmap.mmap(-1, size)\n{TOUCH}\n"
    with (
        running(forked(child, f"size = {MIB}\n{make}")) as small,
        running(forked(child, f"size = {48 * MIB}\n{make}")) as large,
    ):
        grown = tree.pss(large.pid) - tree.pss(small.pid)
    assert abs(grown - 47 * MIB) < SLACK


OPENED = f"import mmap\nfile = os.memfd_create('batch')\nos.write(file, b'x' * {16 * MIB})\n"


def test_shared_memory_that_is_open_and_not_mapped_is_told_apart():
    with running(forked("pass", OPENED)) as parent:
        assert tree.unmapped(parent.pid) == 16 * MIB  # open in both, one file
        beside = tree.pss(parent.pid)
    with running(forked("kept = mmap.mmap(file, 0); sum(kept[::4096])", OPENED)) as parent:
        assert tree.unmapped(parent.pid) == 0
        assert abs(tree.pss(parent.pid) - beside - 16 * MIB) < SLACK


COMING_AND_GOING = f"""
print('ready', flush=True)
os.set_blocking(0, False)
while os.getppid() == {os.getpid()}:
    pid = os.fork()
    if not pid: os._exit(0)
    os.waitpid(pid, 0)
"""


def test_processes_that_come_and_go_disturb_nothing():
    with running(COMING_AND_GOING) as child:
        used = 0.0
        for _ in range(5):
            assert child.pid in tree.pids(child.pid)
            assert tree.pss(child.pid) > 0
            assert tree.unmapped(child.pid) == 0
            now = tree.cpu_seconds(child.pid)
            assert now >= used - 0.1  # a child counts in full until only its whole ticks do
            used = now


def test_memory_that_may_not_be_read_is_not_told(monkeypatch):
    def forbidden(process):
        raise PermissionError

    monkeypatch.setattr(tree, "_pss_of", forbidden)
    assert tree.pss() is None
    monkeypatch.setattr(tree, "_cpu_of", forbidden)
    with pytest.raises(MeasurementError, match="permission denied"):
        tree.cpu_seconds()


def test_elsewhere_than_on_linux_there_is_a_clear_line(monkeypatch):
    monkeypatch.setattr(tree.sys, "platform", "darwin")
    assert tree.pss() is None
    assert tree.unmapped() is None
    for read in (tree.pids, tree.cpu_seconds):
        with pytest.raises(MeasurementError, match="only Linux"):
            read()


def wait_until(holds) -> None:
    """Look again until something holds; the suite's time limit is the bound."""
    while not holds():
        os.sched_yield()
