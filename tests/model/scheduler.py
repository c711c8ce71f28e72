"""Runs a small concurrent program under every schedule, or under many random ones.

The program's threads are real, but exactly one of them runs at any time, and it hands over only at
*points*: at the lines of the modules under test (see ``instrument``) and at every primitive they
wait on (see ``primitives``). At each point the scheduler chooses who goes on, so a schedule is a
list of choices: it can be enumerated, printed and replayed.

* ``explore`` goes through all schedules with at most so many preemptions, depth first. A preemption
  takes the processor from a thread that could have gone on; a thread that waits or ends gives it
  up at no cost. Most concurrency bugs need two preemptions or fewer. Nobody is preempted where
  that could not make a difference: at lines that touch only what one lock guards (found out on the
  way, see ``Discipline``).
* ``walk`` draws schedules from a seed, for programs too large to enumerate.
* ``replay`` follows one schedule and keeps the trace.

A program fails if a thread raises, if an invariant does not hold at a point or at the end, if all
wait (a deadlock), if only the time-out of a wait could go on (a lost wake-up), or if it does not
end. A time-out fires while something else can run only where ``early_timeouts`` says that it may;
it then counts as a preemption. Waits shorter than ``naps_below`` seconds are *naps*: a program may
rely on their end, so they end when nothing else can run.
"""

from __future__ import annotations

import gc
import itertools
import linecache
import random
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from types import CodeType
from typing import Final, Protocol

#: Points after which a program is taken to run for ever.
MAX_STEPS: Final = 20_000
#: Seconds after which a thread is taken to hang in something that the checker cannot see.
HANG_SECONDS: Final = 30.0

#: Where a schedule leaves the default: before that step, that thread (or its time-out) goes on.
Schedule = list[tuple[int, str]]
TIMED_OUT: Final = ": time-out"
#: In place of the name of an attribute, where a line may touch something that has none.
UNKNOWN: Final = "?"


class Abandoned(BaseException):
    """Unwinds the threads of a run that has failed."""


class Unusable(Exception):
    """The checker cannot give a verdict: a program that is not deterministic, or too large."""


@dataclass
class Program:
    """One instance of the program to check, made afresh for every schedule.

    Args:
        threads: what each thread does, by name; the first is the one that starts by default.
        at_end: checks the outcome, when all threads have ended.
        always: checks an invariant, at every point; must not call the modules under test.
    """

    threads: dict[str, Callable[[], object]]
    at_end: Callable[[], object] = lambda: None
    always: Callable[[], object] | None = None


class Found(AssertionError):
    """A schedule under which the program fails."""

    def __init__(self, what: str, schedule: Schedule, trace: Sequence[str], tried: int) -> None:
        lines = [what, f"schedule {tried}, to be replayed: {schedule!r}", *trace]
        super().__init__("\n".join(lines))
        self.what = what
        self.trace = trace
        self.schedule = schedule
        self.tried = tried


@dataclass
class Verdict:
    """What was tried without finding a failure."""

    schedules: int = 0
    longest: int = 0
    #: Attributes that were touched without a common lock.
    bare: set[str] = field(default_factory=set)


class Discipline:
    """Which attributes are always touched under one and the same lock.

    Nobody else can come to such an attribute meanwhile, so a line that touches nothing else is no
    place to preempt. What was taken for guarded and turns out not to be makes :func:`explore` start
    again, knowing better.
    """

    def __init__(self) -> None:
        self._guards: dict[str, frozenset[int]] = {}
        self._verdicts: dict[tuple[frozenset[str], frozenset[int]], bool] = {}
        #: Attributes that are touched without a common lock.
        self.bare = {UNKNOWN}
        self.learned = False

    def guarded(self, names: frozenset[str], held: frozenset[int]) -> bool:
        """Learn from an access under some locks; tell whether nobody else can come to these."""
        known = self._verdicts.get((names, held))
        if known is not None:
            return known
        for name in names:
            guards = self._guards.get(name, held) & held
            self._guards[name] = guards
            if not guards and name not in self.bare:
                self.bare.add(name)
                self.learned = True
                self._verdicts.clear()
        verdict = bool(held) and self.bare.isdisjoint(names)
        self._verdicts[names, held] = verdict
        return verdict


class Actor:
    """One thread of the program."""

    def __init__(self, name: str, body: Callable[[], object]) -> None:
        self.name = name
        self.body = body
        self.gate = threading.Lock()
        self.gate.acquire()
        self.ident = -1
        self.started = False
        self.finished = False
        #: Tells whether the thread can go on; ``None`` while it does not wait.
        self.ready: Callable[[], bool] | None = None
        self.timeout: float | None = None
        self.timed_out = False
        #: Whether the thread has come from a line's point straight to a primitive.
        self.at_line = False
        #: The locks it holds, of those that were made before the threads were started.
        self.held: frozenset[int] = frozenset()
        self.code: CodeType | None = None
        self.line = 0

    def enabled(self) -> bool:
        return not self.finished and (self.ready is None or self.ready())

    def where(self) -> str:
        if self.code is None:
            return "its start"
        return f"{self.code.co_qualname}, line {self.line}"

    def here(self) -> str:
        text = linecache.getline(self.code.co_filename, self.line).strip() if self.code else ""
        return f"{self.where():40} {text}"


class Crew:
    """Threads that act in one execution after another: new ones for each would cost more than it.

    A thread is made when its place is first called for; all end with the crew.
    """

    def __init__(self) -> None:
        self._calls: list[SimpleQueue[Callable[[], None] | None]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for calls in self._calls:
            calls.put(None)
        for thread in self._threads:
            thread.join(HANG_SECONDS)

    def call(self, place: int, part: Callable[[], None]) -> None:
        """Have a part played by the thread of that place."""
        while len(self._calls) <= place:
            calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
            self._calls.append(calls)
            self._threads.append(threading.Thread(target=self._act, args=(calls,), daemon=True))
            self._threads[-1].start()
        self._calls[place].put(part)

    def _act(self, calls: SimpleQueue[Callable[[], None] | None]) -> None:
        while (part := calls.get()) is not None:
            part()


@dataclass(frozen=True)
class Timing:
    """What time-outs may do.

    Args:
        naps_below: waits with a shorter time-out, in seconds, are naps.
        early_timeouts: whether a time-out may fire although something else could run.
    """

    naps_below: float = 0.0
    early_timeouts: bool = False


@dataclass(frozen=True)
class Option:
    """One way to go on: a thread, or the time-out of a waiting one."""

    actor: Actor
    fires: bool = False
    costs: bool = False

    def __str__(self) -> str:
        return self.actor.name + (TIMED_OUT if self.fires else "")


class Policy(Protocol):
    """Chooses who goes on."""

    def may_preempt(self, step: int) -> bool:
        """Tell whether a thread that could go on may be made to wait at this step."""

    def choose(self, step: int, options: list[Option]) -> int:
        """Return the place of the option chosen at this step; place 0 is the default, and free."""


@dataclass
class Enumerate:
    """Follows a prefix of choices, then the defaults; notes where it could have gone elsewhere."""

    prefix: list[int]
    budget: int
    delays: bool
    made: list[tuple[int, int]] = field(default_factory=list)  # options, chosen

    def may_preempt(self, step: int) -> bool:
        return self.budget > 0

    def choose(self, step: int, options: list[Option]) -> int:
        place = len(self.made)
        chosen = self.prefix[place] if place < len(self.prefix) else 0
        if self.delays and not self.budget:
            options = options[:1]
        if chosen >= len(options):
            raise Unusable(
                f"step {step} differs between two runs: the program is not deterministic"
            )
        self.made.append((len(options), chosen))
        self.budget -= chosen > 0 if self.delays else options[chosen].costs
        return chosen

    def next_prefix(self) -> list[int] | None:
        """Return the prefix of the next run in depth-first order; ``None`` after the last."""
        made = list(self.made)
        while made:
            count, chosen = made.pop()
            if chosen + 1 < count:
                return [*(before for _, before in made), chosen + 1]
        return None


@dataclass
class Draw:
    """Chooses at random; how often it preempts is drawn once per run."""

    rng: random.Random

    def __post_init__(self) -> None:
        self.rate = self.rng.choice((0.02, 0.1, 0.4))

    def may_preempt(self, step: int) -> bool:
        return self.rng.random() < self.rate

    def choose(self, step: int, options: list[Option]) -> int:
        return self.rng.randrange(len(options))


@dataclass
class Follow:
    """Follows a schedule."""

    schedule: Schedule

    def __post_init__(self) -> None:
        self.by_step = dict(self.schedule)

    def may_preempt(self, step: int) -> bool:
        return step in self.by_step

    def choose(self, step: int, options: list[Option]) -> int:
        if step not in self.by_step:
            return 0
        names = [str(option) for option in options]
        if self.by_step[step] not in names:
            raise Unusable(f"step {step}: {self.by_step[step]!r} cannot go on, only {names}")
        return names.index(self.by_step[step])


class Execution:
    """One run of a program under one policy."""

    def __init__(
        self,
        program: Program,
        crew: Crew,
        policy: Policy,
        timing: Timing,
        discipline: Discipline | None = None,
        trace: bool = False,
    ) -> None:
        self._program = program
        self._crew = crew
        self._policy = policy
        self._timing = timing
        self._discipline = discipline
        self._actors = [Actor(name, body) for name, body in program.threads.items()]
        self._over = threading.Lock()  # held until all threads have ended, or one has failed
        self._over.acquire()
        self._invariant = program.always
        self.running: Actor | None = None
        self.abandoned = False
        self.failure: str | None = None
        self.unusable: Unusable | None = None
        self.steps = 0
        self.schedule: Schedule = []
        self.trace: list[str] | None = [] if trace else None

    def run(self) -> None:
        """Run the program to its end, or until it fails."""
        try:
            self._hand_over_to(self._decide(None))
            self._await_the_end()
        except Abandoned:
            pass
        for actor in self._actors:
            if actor.started and not actor.finished:  # unwind, one thread at a time
                self._hand_over_to(actor)
                self._await_the_end()
        self.running = None
        if self.unusable is not None:
            raise self.unusable
        if self.failure is None:
            try:
                self._program.at_end()
            except Exception as error:
                self.failure = f"at the end: {_text(error)}"

    def _await_the_end(self) -> None:
        before = -1
        while not self._over.acquire(timeout=HANG_SECONDS):
            if self.steps == before:
                name = self.running.name if self.running else "?"
                raise Unusable(f"thread {name!r} hangs between two points")
            before = self.steps

    # All below run on the thread of the actor that runs.

    def point(self, actor: Actor, names: frozenset[str] | None = None) -> None:
        """Let the scheduler choose who goes on; return when it is this thread's turn again.

        Args:
            actor: the calling thread.
            names: the attributes it is about to touch; ``None`` for a primitive.
        """
        if self.abandoned:
            raise Abandoned
        if self._invariant is not None:
            self._check(self._invariant)
        if self.trace is not None:
            self.trace.append(f"{self.steps:6} {actor.name:10} {actor.here()}")
        discipline = self._discipline
        if discipline is not None and names and discipline.guarded(names, actor.held):
            self.steps += 1
            return
        self._switch(actor)

    def wait(self, actor: Actor, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Make the thread wait until ``ready()``; return whether it came to that in time."""
        if self.abandoned:
            raise Abandoned
        actor.ready, actor.timeout = ready, timeout
        if self.trace is not None:
            self.trace.append(f"{self.steps:6} {actor.name:10} waits")
        self._switch(actor)
        actor.ready = None
        timed_out, actor.timed_out = actor.timed_out, False
        return not timed_out

    def _switch(self, actor: Actor) -> None:
        chosen = self._decide(actor)
        if chosen is not actor:
            self._hand_over_to(chosen)
            actor.gate.acquire()
            if self.abandoned:
                raise Abandoned

    def _hand_over_to(self, actor: Actor) -> None:
        self.running = actor
        if actor.started:
            actor.gate.release()
        else:
            actor.started = True
            self._crew.call(self._actors.index(actor), partial(self._live, actor))

    def _decide(self, actor: Actor | None) -> Actor:
        step = self.steps
        self.steps += 1
        if step > MAX_STEPS:
            self._fail(f"no end after {MAX_STEPS} steps")
        stays = actor is not None and actor.enabled()
        may_preempt = self._policy.may_preempt(step)
        if stays and not may_preempt:
            assert actor is not None
            return actor
        options = self._options(actor, may_preempt)
        place = 0
        if len(options) > 1:
            try:
                place = self._policy.choose(step, options)
            except Unusable as error:
                self.unusable = error
                self._fail(str(error))
        if place:
            self.schedule.append((step, str(options[place])))
        options[place].actor.timed_out = options[place].fires
        return options[place].actor

    def _options(self, actor: Actor | None, may_preempt: bool) -> list[Option]:
        """Return all ways to go on: first the thread that runs, then the others in turn."""
        place = 0 if actor is None else self._actors.index(actor)
        in_turn = self._actors[place:] + self._actors[:place]
        able = [other for other in in_turn if other.enabled()]
        waiting = [other for other in in_turn if not other.finished and other not in able]
        if not able:
            below = self._timing.naps_below
            naps = [a for a in waiting if a.timeout is not None and a.timeout < below]
            if not naps:
                self._report_wait(waiting)
            return [Option(other, fires=True) for other in naps]
        stays = able[0] is actor
        options = [Option(other, costs=stays and other is not actor) for other in able]
        if self._timing.early_timeouts and may_preempt:
            late = [other for other in waiting if other.timeout is not None]
            options += [Option(other, fires=True, costs=True) for other in late]
        return options

    def _report_wait(self, waiting: list[Actor]) -> None:
        text = "; ".join(f"{actor.name} waits in {actor.where()}" for actor in waiting)
        late = [actor.name for actor in waiting if actor.timeout is not None]
        if late:
            names = ", ".join(late)
            self._fail(f"lost wake-up: only a time-out could end the wait of {names}: {text}")
        self._fail(f"deadlock: {text}")

    def _check(self, invariant: Callable[[], object]) -> None:
        try:
            invariant()
        except Exception as error:
            self._fail(f"an invariant does not hold: {_text(error)}")

    def _fail(self, what: str) -> None:
        if self.failure is None:
            self.failure = what
        self.abandoned = True
        raise Abandoned

    def _live(self, actor: Actor) -> None:
        actor.ident = threading.get_ident()
        try:
            self._live_on(actor)
        except Abandoned:
            actor.finished = True
            self._over.release()

    def _live_on(self, actor: Actor) -> None:
        try:
            actor.body()
        except Abandoned:
            raise
        except BaseException as error:
            self._fail(f"thread {actor.name!r} raised {_text(error)}")
        actor.finished = True
        if all(other.finished for other in self._actors):
            self._over.release()
        else:
            self._hand_over_to(self._decide(actor))


#: The run in progress. One at a time: the modules under test are patched for all threads.
_execution: Execution | None = None
_lock_numbers = itertools.count()


def here() -> tuple[Execution, Actor] | None:
    """Return the run and the calling thread, or ``None`` if it is not one of a program's."""
    execution = _execution
    if execution is None or execution.running is None:
        return None
    actor = execution.running
    return (execution, actor) if actor.ident == threading.get_ident() else None


def number_of_lock() -> int | None:
    """Return the number of a new lock, the same in every run; ``None`` for one made on the way."""
    return next(_lock_numbers) if _execution is None else None


def explore(
    make: Callable[[], Program],
    preemptions: int,
    timing: Timing = Timing(),
    *,
    delays: bool = False,
    limit: int = 1_000_000,
) -> Verdict:
    """Run a program under every schedule with at most ``preemptions`` preemptions.

    Args:
        make: makes the program afresh.
        preemptions: the bound; fewer are tried first, so the first failure is among the simplest.
        timing: what time-outs may do.
        delays: whether choosing another than the next in turn counts as well where a thread waits
            or ends; fewer schedules for programs of many threads that wait often.
        limit: schedules after which to give up.

    Raises:
        Found: the program fails under a schedule.
        Unusable: there are more schedules than ``limit``, or the program is not deterministic.
    """
    verdict = Verdict(bare=(discipline := Discipline()).bare)
    with Crew() as crew:
        for budget in range(preemptions + 1):
            prefix: list[int] | None = []
            while prefix is not None:
                policy = Enumerate(prefix, budget, delays)
                _try(make, crew, policy, timing, verdict, discipline)
                prefix = [] if discipline.learned else policy.next_prefix()
                discipline.learned = False
                if verdict.schedules > limit:
                    raise Unusable(f"more than {limit} schedules with {budget} preemptions")
    return verdict


def walk(make: Callable[[], Program], runs: int, seed: int, timing: Timing = Timing()) -> Verdict:
    """Run a program under ``runs`` random schedules.

    Raises:
        Found: the program fails under a schedule.
    """
    verdict = Verdict()
    with Crew() as crew:
        for number in range(runs):
            _try(make, crew, Draw(random.Random(f"{seed}/{number}")), timing, verdict)
    return verdict


def replay(make: Callable[[], Program], schedule: Schedule, timing: Timing = Timing()) -> None:
    """Run a program under one schedule.

    Raises:
        Found: the program fails, as it did when the schedule was found.
        Unusable: the program cannot follow the schedule.
    """
    with Crew() as crew:
        execution = _run(make, crew, Follow(schedule), timing, trace=True)
    if execution.failure is not None:
        raise Found(execution.failure, schedule, execution.trace or (), 1)


def _try(
    make: Callable[[], Program],
    crew: Crew,
    policy: Policy,
    timing: Timing,
    verdict: Verdict,
    discipline: Discipline | None = None,
) -> None:
    if verdict.schedules % 500 == 499:
        gc.collect()
    execution = _run(make, crew, policy, timing, discipline)
    verdict.schedules += 1
    verdict.longest = max(verdict.longest, execution.steps)
    if execution.failure is None:
        return
    try:
        replay(make, execution.schedule, timing)
    except Found as found:
        raise Found(found.what, found.schedule, found.trace, verdict.schedules) from None
    raise Unusable(f"not seen again when replayed: {execution.failure}")


def _run(
    make: Callable[[], Program],
    crew: Crew,
    policy: Policy,
    timing: Timing,
    discipline: Discipline | None = None,
    trace: bool = False,
) -> Execution:
    global _execution, _lock_numbers
    _lock_numbers = itertools.count()
    execution = Execution(make(), crew, policy, timing, discipline, trace)
    # The collector must not run somebody's finaliser as a step of the program.
    collects = gc.isenabled()
    gc.disable()
    _execution = execution
    try:
        execution.run()
    finally:
        _execution = None
        if collects:
            gc.enable()
    return execution


def _text(error: BaseException) -> str:
    lines = traceback.format_exception_only(error)
    place = traceback.extract_tb(error.__traceback__)
    at = f" (line {place[-1].lineno} of {place[-1].name})" if place else ""
    return "".join(lines).strip() + at
