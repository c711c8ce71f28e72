"""The checker's canaries: bugs that one could write into the channel, and the checker must find."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import pytest

from ftloader.engine import channel, waiting

from .channels import LOOK, MODULES, Bench, Setup
from .instrument import mutants, points_in
from .scheduler import Found, Timing, explore, walk

NAPS = Timing(naps_below=LOOK)
#: Somebody waits whom nobody will wake.
FORGOTTEN = "deadlock|lost wake-up"


class Bug(NamedTuple):
    what: str
    module: ModuleType
    old: str
    new: str
    setup: Setup
    found: str
    preemptions: int = 1


BUGS = [
    Bug(
        "the end is not told to waiting readers",
        channel,
        """finish())
                self._reading.call_all()
""",
        """finish())
""",
        Setup("a"),
        FORGOTTEN,
    ),
    Bug(
        "a stop is not told to waiting readers",
        channel,
        """            self._reading.call_all()
            self._writing.call_all()
""",
        """            self._writing.call_all()
""",
        Setup("a", stopped=True),
        FORGOTTEN,
    ),
    Bug(
        "a stop is not told to waiting writers",
        channel,
        """            self._writing.call_all()
            self._read_wakers.call()
            self""",
        """            self._read_wakers.call()
            self""",
        Setup("abc", stopped=True),
        FORGOTTEN,
    ),
    Bug(
        "a reader looks before it leaves word",
        waiting,
        """            if not ready:
                self._lock.release()
""",
        """            if True:
                self._lock.release()
""",
        Setup("ab", writers=0),
        FORGOTTEN,
    ),
    Bug(
        "the event loop looks before it leaves word",
        channel,
        "                if not self._ready:  # see feed()\n",
        "                if True:\n",
        Setup("ab", writers=0, read="poll"),
        FORGOTTEN,
    ),
    Bug(
        "the feeder looks before it adds",
        channel,
        """        self._ready.append(item)
        if len(self._ready) >= self._reading.call_at or self._read_wakers:
""",
        """        waits = len(self._ready) + 1 >= self._reading.call_at or self._read_wakers
        self._ready.append(item)
        if waits:
""",
        Setup("ab", writers=0),
        FORGOTTEN,
    ),
    Bug(
        "the feeder never calls the event loop",
        channel,
        "if len(self._ready) >= self._reading.call_at or self._read_wakers:",
        "if len(self._ready) >= self._reading.call_at:",
        Setup("ab", writers=0, read="poll"),
        FORGOTTEN,
        preemptions=0,
    ),
    Bug(
        "the next ticket waits for what waits for it",
        channel,
        "        if self._sequencer is None or ticket == self._sequencer.next:\n",
        "        if self._sequencer is None:\n",
        Setup(["a", "bcd"], writers=2),
        FORGOTTEN,
    ),
    Bug(
        "one item too many has room",
        channel,
        "            return len(self._ready) < room\n",
        "            return len(self._ready) <= room\n",
        Setup("abcd", writers=1),
        "items are ready",
        preemptions=0,
    ),
    Bug(
        "what waits for its turn has no bound",
        channel,
        "        return len(self._ready) + self._early < room and ahead < room\n",
        "        return True\n",
        Setup("abcdefghij", writers=2),
        "items are held",
        preemptions=0,
    ),
    Bug(
        "a writer is not told that its turn has come",
        channel,
        """            if self._writing and self._sequencer.next != before:
                self._writing.call(self._has_room, len(items))
        self._ready.extend(items if self._sieve is None else self._sieve.sift(items))
        ready = len(self._ready)
        if ready <= self._writing.call_at:  # who was called has brought nothing
            self._writing.call(self._has_room)
""",
        """        self._ready.extend(items if self._sieve is None else self._sieve.sift(items))
        ready = len(self._ready)
""",
        Setup(["", "", "", "", "a"], writers=2),
        FORGOTTEN,
    ),
    Bug(
        "a writer that was called and brings nothing keeps the others waiting",
        channel,
        "<= self._writing.call_at:  # who was called has brought nothing\n",
        "< 0:\n",
        Setup(["ab", "-", "-"], writers=3, ordered=False),
        FORGOTTEN,
    ),
    Bug(
        "a writer is not told of room",
        channel,
        """        if len(ready) <= self._writing.call_at:
            self._writing.call(self._has_room)
""",
        "",
        Setup("abc"),
        FORGOTTEN,
        preemptions=0,
    ),
    Bug(
        "the event loop is not told of room",
        channel,
        """<= self._capacity:
            self._write_wakers.call()
""",
        """<= self._capacity:
            pass
""",
        Setup(["abc"], write="let_in"),
        FORGOTTEN,
        preemptions=0,
    ),
    Bug(
        "the event loop leaves no word for what was not let in",
        channel,
        """            if count < len(items):
                self._write_wakers.append(waker)
""",
        "",
        Setup(["abc"], write="let_in"),
        FORGOTTEN,
        preemptions=0,
    ),
    Bug(
        "two take at once",
        channel,
        """        with self._lock:
            self._reading.stride = limit
            if not""",
        """        self._lock.acquire()
        self._lock.release()
        if True:
            self._reading.stride = limit
            if not""",
        Setup("abc", readers=2, capacity=2),
        "IndexError|tickets|indices|twice",
    ),
    Bug(
        "a reader that was called stays counted as called",
        waiting,
        "                self._called -= 1\n",
        "                pass\n",
        Setup("abc"),
        FORGOTTEN,
    ),
    Bug(
        "a bell is rung that its owner has taken away, and hangs there still",
        waiting,
        """                self._idle.remove(bell)
                self._update()
""",
        """                self._update()
""",
        Setup("abc", writers=0),
        FORGOTTEN,
    ),
    Bug(
        "one call is taken for a call to all",
        waiting,
        "        self._ring(len(self._idle))\n",
        "        self._ring(1)\n",
        Setup("a", readers=2),
        FORGOTTEN,
    ),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_the_checker_finds(bug: Bug) -> None:
    modules = mutants(MODULES, bug.module, (bug.old, bug.new))
    with points_in(*modules), pytest.raises(Found, match=bug.found) as found:
        explore(lambda: Bench(bug.setup, modules[-1]).program(), bug.preemptions, NAPS)
    assert found.value.tried < 3000


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_the_channel_itself_passes_where_the_bug_is_found(bug: Bug) -> None:
    with points_in(*MODULES):
        walk(lambda: Bench(bug.setup).program(), 6, seed=3, timing=NAPS)
