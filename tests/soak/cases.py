"""The ways a run ends, each at a moment drawn from a seed and counted in items or calls.

A case runs a drawn pipeline, ends it its own way, checks what the reader was told, and leaves
nothing behind; ``child`` checks that. Cases in ``ENDS_PROCESS`` end their process as well, with the
code that the table gives.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from ftloader import Pipeline, RunStopped, SourceError, StageError


class Planned(Exception):
    """Raised on purpose."""


class Clock:
    """When the last operation returned, and when the end of the run was asked for."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def now(self) -> None:
        self.last = time.monotonic()


class Draw:
    """What one repetition is made of.

    Args:
        seed: everything follows from it, except for what the threads do.
    """

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.clock = Clock()
        self._calls = itertools.count()  # next() is one step, on every build
        self.moment = self.rng.choice((0, 1, 2, 5, 20, 100, 300))

    def hook(self) -> None:
        """Called by one operation; cases put in its place what is to happen at their moment."""

    def _enter(self) -> None:
        self.hook()
        self.clock.now()

    def is_it_time(self) -> bool:
        """Tell, once, that this call is the moment drawn."""
        return next(self._calls) == self.moment

    def pipeline(self, source: Any, hooked: bool = True) -> Pipeline[Any]:
        """Return a drawn pipeline that passes its items on as they are, in any order."""
        made: Pipeline[Any] = Pipeline(source)
        stages = self.rng.choices(("function", "generator", "coroutine", "agen", "lists"), k=2)
        at = self.rng.randrange(3)
        for number, kind in enumerate((*stages[:at], "hook", *stages[at:])):
            if kind == "lists":
                lists: Any = made.aggregate(self.rng.randrange(1, 4))
                made = lists.disaggregate()
            elif kind != "hook":
                made = self._pipe(made, kind, number, lambda: None)
            elif hooked:
                kind = self.rng.choice(("function", "generator", "coroutine", "agen"))
                made = self._pipe(made, kind, number, self._enter)
        return made.prefetch(self.rng.randrange(1, 5)) if self.rng.random() < 0.3 else made

    def _pipe(
        self, made: Pipeline[Any], kind: str, number: int, before: Callable[[], None]
    ) -> Pipeline[Any]:
        def function(x: Any) -> Any:
            before()
            return x

        def generator(x: Any) -> Iterator[Any]:
            before()
            yield x

        async def coroutine(x: Any) -> Any:
            await asyncio.sleep(0)
            before()
            return x

        async def agen(x: Any) -> AsyncIterator[Any]:
            before()
            await asyncio.sleep(0)
            yield x

        kinds = {"function": function, "generator": generator, "coroutine": coroutine, "agen": agen}
        order: Any = self.rng.choice(("input", "completion"))
        return made.pipe(
            kinds[kind],
            concurrency=self.rng.choice((1, 2, 3)),
            output_order=order,
            name=f"{number} {kind}",
        )

    def source(self, items: Iterable[int], fail_at: int | None = None) -> Any:
        """Return a source, synchronous or not."""

        def read() -> Iterator[int]:
            for item in items:
                if item == fail_at:
                    raise Planned
                yield item

        async def aread() -> AsyncIterator[int]:
            for item in read():
                if item % 7 == 0:
                    await asyncio.sleep(0)
                yield item

        return self.rng.choice((read, aread))


def for_ever(draw: Draw) -> Pipeline[Any]:
    return draw.pipeline(draw.source(itertools.count()))


def expect(error: type[BaseException], items: Iterable[Any], cause: type | None = None) -> None:
    """Read to the end, which must be that error, caused by that one."""
    caught: BaseException | None = None
    try:
        for _ in items:
            pass
    except error as end:
        caught = end
    assert caught is not None, f"no {error.__name__}"
    assert cause is None or isinstance(caught.__cause__, cause), repr(caught.__cause__)


def left_by_break(draw: Draw) -> None:
    for number, _ in enumerate(for_ever(draw)):
        if number == draw.moment:
            draw.clock.now()
            break


def exhausted(draw: Draw) -> None:
    count = draw.moment
    assert sorted(draw.pipeline(draw.source(range(count)))) == list(range(count))


def operation_raises(draw: Draw) -> None:
    def fail() -> None:
        if draw.is_it_time():
            raise Planned

    draw.hook = fail  # type: ignore[method-assign]
    with for_ever(draw).run() as run:
        expect(StageError, run, Planned)


def source_raises(draw: Draw) -> None:
    pipeline = draw.pipeline(draw.source(itertools.count(), fail_at=draw.moment))
    with pipeline.run() as run:
        expect(SourceError, run, Planned)


def consumer_raises(draw: Draw) -> None:
    try:
        with for_ever(draw).run() as run:
            for number, _ in enumerate(run):
                if number == draw.moment:
                    draw.clock.now()
                    raise Planned
    except Planned:
        return
    raise AssertionError("the consumer's own error was lost")


def aggregator_raises(draw: Draw) -> None:
    class Failing:
        def add(self, item: Any) -> Iterable[Any]:
            if draw.is_it_time():
                raise Planned
            return (item,)

        def flush(self) -> Iterable[Any]:
            return ()

    expect(StageError, for_ever(draw).aggregate(Failing).run(), Planned)


def reference_dropped(draw: Draw) -> None:
    run = for_ever(draw).run()
    for _ in range(draw.moment):
        next(run)
    draw.clock.now()
    del run


def interrupted(draw: Draw) -> None:
    reading = threading.Event()

    def interrupt() -> None:
        # Before the first item the run may be starting its threads; see docs/design.md.
        if reading.is_set() and draw.is_it_time():
            os.kill(os.getpid(), signal.SIGINT)

    draw.hook = interrupt  # type: ignore[method-assign]
    run = for_ever(draw).run()
    try:
        for _ in run:
            reading.set()
    except KeyboardInterrupt:
        return
    raise AssertionError("no KeyboardInterrupt")


def stopped_elsewhere(draw: Draw) -> None:
    now = threading.Event()

    def tell() -> None:
        if draw.is_it_time():
            now.set()

    draw.hook = tell  # type: ignore[method-assign]
    run = for_ever(draw).run()

    def stop() -> None:
        now.wait()
        draw.clock.now()
        run.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    expect(RunStopped, run)
    stopper.join()


def stopped_by_an_operation(draw: Draw) -> None:
    made = threading.Event()
    runs: list[Any] = []

    def stop() -> None:
        if draw.is_it_time():
            made.wait()
            runs[0].stop()

    draw.hook = stop  # type: ignore[method-assign]
    runs.append(for_ever(draw).run())
    made.set()
    expect(RunStopped, runs[0])
    runs[0].stop()  # waits, which the one inside could not


def stopped_while_operations_wait(draw: Draw) -> None:
    cleaned, waiting = [], threading.Event()

    async def wait(x: int) -> int:
        if x < draw.moment:
            return x
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(x)
            draw.clock.now()
        return x

    concurrency = draw.rng.choice((1, 3, 50))
    pipeline = draw.pipeline(draw.source(itertools.count()), hooked=False)
    run = pipeline.pipe(wait, concurrency=concurrency, name="waits").run()
    threading.Thread(target=lambda: (waiting.wait(), run.stop())).start()
    expect(RunStopped, run)
    run.stop()
    assert cleaned, "an operation was not cleaned up"
    assert len(cleaned) <= concurrency


def forked_afterwards(draw: Draw) -> None:
    exhausted(draw)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            exhausted(Draw(f"child of {draw.moment}"))
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    draw.clock.now()


#: Keeps a run alive until the interpreter ends.
kept: list[Any] = []


def open_run(draw: Draw) -> Iterator[Any]:
    kept.append(for_ever(draw).run())
    for _ in range(draw.moment):
        next(kept[-1])
    return iter(kept[-1])


def exits_with_an_open_run(draw: Draw) -> None:
    open_run(draw)


def exits_by_sys_exit(draw: Draw) -> None:
    open_run(draw)
    sys.exit(3)


def exits_by_an_error(draw: Draw) -> None:
    open_run(draw)
    raise Planned


def exits_by_an_interrupt(draw: Draw) -> None:
    kept.append(threading.Event())

    def interrupt() -> None:
        if kept[0].is_set() and draw.is_it_time():
            os.kill(os.getpid(), signal.SIGINT)

    draw.hook = interrupt  # type: ignore[method-assign]
    for _ in for_ever(draw):
        kept[0].set()


def exits_while_a_thread_reads(draw: Draw) -> None:
    reading = threading.Event()

    def read() -> None:
        try:
            for number, _ in enumerate(for_ever(draw)):
                if number == draw.moment:
                    reading.set()
        except RunStopped:
            pass

    threading.Thread(target=read).start()
    reading.wait()


CASES: dict[str, Callable[[Draw], None]] = {
    case.__name__: case
    for case in (
        left_by_break,
        exhausted,
        operation_raises,
        source_raises,
        consumer_raises,
        aggregator_raises,
        reference_dropped,
        interrupted,
        stopped_elsewhere,
        stopped_by_an_operation,
        stopped_while_operations_wait,
        forked_afterwards,
    )
}
#: What each case ends its process with, and the last line it may leave on the error stream.
ENDS_PROCESS: dict[str, tuple[Callable[[Draw], None], int, str]] = {
    "exits_with_an_open_run": (exits_with_an_open_run, 0, ""),
    "exits_by_sys_exit": (exits_by_sys_exit, 3, ""),
    "exits_by_an_error": (exits_by_an_error, 1, "tests.soak.cases.Planned"),
    "exits_by_an_interrupt": (exits_by_an_interrupt, -signal.SIGINT, "KeyboardInterrupt"),
    "exits_while_a_thread_reads": (exits_while_a_thread_reads, 0, ""),
}
