"""The channel under every schedule of small programs, and under random ones of larger programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .channels import LOOK, MODULES, Bench, Setup
from .instrument import points_in
from .scheduler import Program, Timing, explore, walk

#: A reader of cheap items may rely on its naps, nobody on the look for the interpreter's end.
NAPS = Timing(naps_below=LOOK)
EARLY = Timing(naps_below=LOOK, early_timeouts=True)

#: All schedules with one preemption.
SMALL = [
    Setup("ab", writers=2),
    Setup("ab", writers=0),
    Setup(["abc"], write="let_in", read="poll"),
]
#: All schedules in which one choice is not the default.
WIDE = [
    Setup("abc", writers=2),
    Setup("ab", writers=2, ordered=False),
    Setup("ab", writers=0, read="poll", stopped=True),
    Setup(["a", "", "b"], writers=2),
    Setup("ab", writers=2, read="poll"),
    Setup(["-a-", "bc-"], write="let_in", capacity=2),
    Setup(["--a"], write="let_in"),
    Setup(["abc"], write="let_in", stopped=True),
    Setup(["a", "-", "b"], writers=2),
    Setup(["a", "-", "-"], writers=2, ordered=False),
    Setup("abc", read="read", capacity=2),
    Setup("ab", writers=0, stopped=True),
    Setup(["ab", "cd"], writers=2, pace=2, limit=2),
    Setup("ab", writers=2, readers=2),
    Setup(["a", "", "b"], writers=2, readers=2, ordered=False),
    Setup("ab", writers=0, readers=2),
    Setup("ab", writers=2, readers=2, stopped=True),
    Setup("ab", writers=0, readers=2, stopped=True),
    Setup(["ab", "c"], writers=2, streams=True),
    Setup(["ab", "cd"], writers=2, readers=2, pace=2, limit=2),
    Setup("abcd", writers=0, readers=2, pace=2, limit=2),
]
#: Random schedules.
LARGE = [
    Setup(["a", "", "bc", "d", "", "ef"], writers=3, readers=2, capacity=2),
    Setup(["ab", "", "cd", "e", "fgh"], writers=2, readers=2, streams=True),
    Setup("abcdefgh", writers=3, readers=3, ordered=False, stopped=True),
    Setup("abcdefgh", writers=0, readers=3, pace=2, limit=4, capacity=2),
    Setup(["abc", "def"], write="let_in", read="poll", stopped=True),
    Setup(["ab-", "--", "-cd-", "e", "--fg"], write="let_in", readers=2, capacity=2),
    Setup(["a-", "-", "bc", "--", "-", "ef"], writers=3, readers=2, capacity=2),
]


@pytest.fixture(autouse=True, scope="module")
def instrumented() -> Iterator[None]:
    with points_in(*MODULES):
        yield


def program(setup: Setup) -> Callable[[], Program]:
    return lambda: Bench(setup).program()


@pytest.mark.parametrize("setup", SMALL, ids=str)
def test_a_small_channel_holds_under_every_schedule(setup: Setup, deeper: int | None) -> None:
    explore(program(setup), 1 if deeper is None else deeper, NAPS)


@pytest.mark.parametrize("setup", WIDE, ids=str)
def test_a_channel_holds_under_every_schedule_near_the_default(
    setup: Setup, deeper: int | None
) -> None:
    explore(program(setup), 1 if deeper is None else deeper, NAPS, delays=True)


@pytest.mark.parametrize("setup", LARGE, ids=str)
def test_a_larger_channel_holds_under_random_schedules(setup: Setup, walks: int) -> None:
    walk(program(setup), walks, seed=1, timing=NAPS)


@pytest.mark.parametrize("setup", LARGE, ids=str)
def test_a_channel_holds_when_any_wait_may_time_out_early(setup: Setup, walks: int) -> None:
    walk(program(setup), walks, seed=2, timing=EARLY)
