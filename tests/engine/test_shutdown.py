"""How a process ends with a run still open; each case in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from ftloader.engine import ENGINES

PREAMBLE = """
import asyncio, itertools, os, signal, sys, threading
from ftloader import Pipeline
# A process started in the background ignores SIGINT; these tests are about one that does not.
signal.signal(signal.SIGINT, signal.default_int_handler)
def same(x): return x
async def asame(x):
    await asyncio.sleep(0)
    return x
engine = sys.argv[1]
def open_run():
    run = (Pipeline(itertools.count).pipe(same, concurrency=3).pipe(asame, concurrency=4)
           .aggregate(2).run(engine))
    next(run)
    return run
"""


def python(body: str, engine: str) -> subprocess.CompletedProcess[str]:
    code = PREAMBLE + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "faulthandler", "-c", code, engine],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_nobody_stopped_does_not_keep_the_interpreter_from_exiting(engine: str) -> None:
    done = python("run = open_run(); print('end')", engine)
    assert (done.returncode, done.stdout) == (0, "end\n")
    if engine != "spdl":  # its own threads complain there; engine/spdl.py says so
        assert done.stderr == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_the_loop_body_ends_the_process_with_that_error_only(engine: str) -> None:
    done = python("for x in open_run(): raise LookupError('body')", engine)
    assert done.returncode == 1
    assert done.stderr.endswith("LookupError: body\n")
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dropped_run_leaves_no_thread_and_no_warning(engine: str) -> None:
    done = python(
        """
        for _ in range(5):
            run = open_run()
            del run
        left = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
        print(left)
        """,
        engine,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_while_waiting_reaches_the_reader_and_ends_the_run(engine: str) -> None:
    done = python(
        """
        started, made = threading.Event(), threading.Event()
        def interrupt():
            started.wait()
            made.wait()
            os.kill(os.getpid(), signal.SIGINT)
        async def for_ever(x):
            started.set()
            await asyncio.Event().wait()
        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        run = Pipeline(itertools.count).pipe(for_ever, concurrency=2).run(engine)
        try:
            made.set()
            next(run)
        except KeyboardInterrupt:
            print('interrupted')
        run = None
        interrupter.join()
        left = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
        print(left)
        """,
        engine,
    )
    assert done.stderr == ""
    assert done.stdout == "interrupted\n[]\n"
    assert done.returncode == 0


def test_an_unhandled_ctrl_c_ends_the_process_by_the_signal() -> None:
    done = python(
        """
        started = threading.Event()
        def interrupt():
            started.wait()
            os.kill(os.getpid(), signal.SIGINT)
        def source():
            started.set()
            yield from itertools.count()
        threading.Thread(target=interrupt).start()
        for x in Pipeline(source).pipe(same, concurrency=2).run(engine):
            pass
        """,
        "threads",
    )
    assert done.returncode == -signal.SIGINT
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in done.stderr
