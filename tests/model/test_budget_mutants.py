"""The checker's canaries: bugs that one could write into the share, and the checker must find."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ftloader.engine import budget

from .instrument import mutants, points_in
from .scheduler import Found, explore, walk
from .test_budget import EARLY, MODULES, Bench, Setup

#: Somebody waits whom nobody will wake.
FORGOTTEN = "deadlock|lost wake-up"


class Bug(NamedTuple):
    what: str
    old: str
    new: str
    setup: Setup
    found: str
    freed_by_maker: bool = False
    preemptions: int = 1


BUGS = [
    Bug(
        "a maker looks before it leaves word",
        """                    return lease
                bell = new_bell(cheap=False)
                self._waiting.append(bell)
""",
        """                    return lease
            bell = new_bell(cheap=False)
            self._waiting.append(bell)
""",
        Setup(1, (1, 1)),
        FORGOTTEN,
    ),
    Bug(
        "the next ticket is not told that its turn has come",
        """                    self._wake()
                    return lease
""",
        """                    return lease
""",
        Setup(2, (1, 1), group=2, said=False),
        FORGOTTEN,
    ),
    Bug(
        "the event loop is not told that its turn has come",
        """            else:
                self._wake()
            return lease
""",
        """            return lease
""",
        Setup(2, (1, 1), loop=True, group=2, said=False),
        FORGOTTEN,
    ),
    Bug(
        "nobody is told of bytes that came back",
        """                self.used -= lease.weight
            self._wake()
""",
        """                self.used -= lease.weight
""",
        Setup(1, (1, 1)),
        FORGOTTEN,
    ),
    Bug(
        "the event loop is not told of bytes that came back",
        """        wakers, self._wakers = self._wakers, []
        for waker in wakers:
            waker()
""",
        "",
        Setup(1, (1, 1), loop=True),
        FORGOTTEN,
    ),
    Bug(
        "a stop is not told to waiting makers",
        """        if self._lock.acquire(timeout=timeout):
            self._wake()
            self._lock.release()
""",
        "        pass\n",
        Setup(1, (1, 1), stopped=True),
        FORGOTTEN,
    ),
    Bug(
        "what cannot be completed waits, because nobody looks again",
        """            self._held_back += weight
            self._wake()
""",
        """            self._held_back += weight
""",
        Setup(3, (2, 2), group=2),
        FORGOTTEN,
    ),
    Bug(
        "one byte too many is leased",
        "        if need is None or need > left:\n",
        "        if need is None or need > left + 1:\n",
        Setup(3, (2, 2)),
        "overdrawn",
    ),
    Bug(
        "two lease at once",
        """            with self._lock:
                lease = self._try(ticket, weight, last)
""",
        """            self._lock.acquire()
            self._lock.release()
            if True:
                lease = self._try(ticket, weight, last)
""",
        Setup(2, (1, 1, 1)),
        "AssertionError|lost wake-up|raised",
    ),
    Bug(
        "tickets do not wait for their turn",
        """        if self._turn != ticket:
            return None
""",
        "",
        Setup(2, (1, 2)),
        FORGOTTEN,
    ),
    Bug(
        "bytes come back while their maker still holds the memory",
        "if self._freed_by_maker and lease.maker != threading.get_ident():",
        "if False:",
        Setup(1, (1, 1)),
        "before their maker ran",
        freed_by_maker=True,
    ),
    Bug(
        "bytes come back twice",
        "self._returned.pop(threading.get_ident(), 0)",
        "self._returned.get(threading.get_ident(), 0)",
        Setup(1, (1, 1)),
        "an invariant does not hold|AssertionError",
        freed_by_maker=True,
    ),
    Bug(
        "a maker leaves before its memory is back",
        """                if not self._made.get(me):
                    return
""",
        """                return
""",
        Setup(1, (1,), makers=1),
        "bytes have not come back",
        freed_by_maker=True,
    ),
    Bug(
        "a maker that leaves looks before it leaves word",
        """                    return
                bell = new_bell(cheap=False)
                self._waiting.append(bell)
""",
        """                    return
            bell = new_bell(cheap=False)
            self._waiting.append(bell)
""",
        Setup(1, (1,), makers=1),
        FORGOTTEN,
        freed_by_maker=True,
    ),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_the_checker_finds(bug: Bug) -> None:
    modules = mutants(MODULES, budget, (bug.old, bug.new))
    with points_in(*modules), pytest.raises(Found, match=bug.found) as found:
        explore(
            lambda: Bench(bug.setup, bug.freed_by_maker, modules[-1]).program(), bug.preemptions
        )
    assert found.value.tried < 3000


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_the_share_itself_passes_where_the_bug_is_found(bug: Bug) -> None:
    with points_in(*MODULES):
        walk(lambda: Bench(bug.setup, bug.freed_by_maker).program(), 6, seed=3, timing=EARLY)
