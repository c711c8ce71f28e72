"""A process that forks: after runs have ended, and while one is open.

Forking a process with several threads is never safe in general: the child has only the thread that
forked, and a lock that another thread held stays locked there for ever. Python says so with a
``DeprecationWarning`` from 3.12 on. What ftloader promises is less: a run that has ended leaves no
thread, so a fork after it is an ordinary one; and a run that is open belongs to the parent, which
goes on, while the child may start runs of its own and exit. Each case is in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PREAMBLE = """
import asyncio, itertools, os, sys, threading, warnings
from ftloader import Pipeline

def same(x):
    return x

async def asame(x):
    await asyncio.sleep(0)
    return x

def pipeline(source):
    return Pipeline(source).pipe(same, concurrency=3).pipe(asame, concurrency=4).aggregate(2)

def fork(child):
    number = os.fork()
    if number:
        return number
    child()
    print('child has ended', flush=True)
    sys.exit()  # as a program does, with all that Python does at its end

def wait(number):
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0

EXPECTED = [[x, x + 1] for x in range(0, 100, 2)]

def whole_run():
    assert list(pipeline(range(100))) == EXPECTED
"""


def python(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-X",
            "faulthandler",
            "-c",
            PREAMBLE + textwrap.dedent(body),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_fork_after_runs_have_ended_is_one_of_a_single_thread() -> None:
    done = python(  # the warning about threads would be an error here
        """
        whole_run()
        for item in pipeline(itertools.count()):
            break
        for _ in range(3):
            wait(fork(whole_run))
        whole_run()
        print(threading.active_count())
        """
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "child has ended\n" * 3 + "1\n"


@pytest.mark.parametrize("moment", ["at once", "when items are waiting", "after an item"])
def test_while_a_run_is_open_the_child_runs_its_own_and_the_parent_goes_on(moment: str) -> None:
    start = {
        "at once": "",
        "when items are waiting": "full.wait()",
        "after an item": "assert next(run) == EXPECTED[0]",
    }[moment]
    done = python(
        f"""
        # This is the fork that the warning is about; what it warns of is in the child only.
        warnings.filterwarnings('ignore', '.*multi-threaded.*fork', DeprecationWarning)
        full = threading.Event()

        def source():
            for x in range(100):
                if x == 10:
                    full.set()
                yield x

        run = iter(pipeline(source).run())
        {start}
        child = fork(whole_run)
        got = list(run)
        assert got == EXPECTED[len(EXPECTED) - len(got):] and len(got) >= len(EXPECTED) - 1
        wait(child)
        print(threading.active_count())
        """
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "child has ended\n1\n"


def test_the_child_of_an_open_run_can_let_go_of_it() -> None:
    done = python(
        """
        warnings.filterwarnings('ignore', '.*multi-threaded.*fork', DeprecationWarning)
        run = pipeline(itertools.count()).run()
        assert next(run) == [0, 1]

        def let_go():
            global run
            del run
            whole_run()

        wait(fork(let_go))
        assert next(run) == [2, 3]
        run.stop()
        print(threading.active_count())
        """
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "child has ended\n1\n"
