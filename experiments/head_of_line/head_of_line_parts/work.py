"""The work: one sample in a hundred costs more than the others, and everything is written down.

The operation derives a key (PBKDF2): arithmetic outside the GIL, no memory, and a cost that is
exactly proportional to its rounds, in every arm.
"""

from __future__ import annotations

import hashlib
import time

import numpy as np

from ftloader.errors import DigestError
from ftloader.lab.reading import Reading

GROUP = 100
#: About half a millisecond.
ROUNDS = 2000

Item = tuple[int, int]
Made = tuple[int, bytes]


def items_of(groups: int, factor: int, seed: int) -> list[Item]:
    """Return (place, rounds): in each hundred one that costs ``factor`` times as much, somewhere.

    The same for all contenders, and for all factors the same places.
    """
    slow = np.random.default_rng([seed, GROUP]).integers(GROUP, size=groups)
    return [
        (place, ROUNDS * (factor if place % GROUP == slow[place // GROUP] else 1))
        for place in range(groups * GROUP)
    ]


class Bench:
    """Does the work, and keeps of each item what it cost and when it was made.

    Thread safety: an item's places belong to who works on it.
    """

    def __init__(self, count: int) -> None:
        #: CPU seconds of each item's operation: what it costs, however often it was interrupted.
        self.cost = [0.0] * count
        self.made = [0.0] * count

    def derive(self, item: Item) -> Made:
        """Do an item's work."""
        place, rounds = item
        begin = time.thread_time()
        key = hashlib.pbkdf2_hmac("sha256", b"item %d" % place, b"salt", rounds)
        self.cost[place] = time.thread_time() - begin
        self.made[place] = time.perf_counter()
        return place, key

    def held(self, reading: Reading) -> int:
        """Return how many results were made and not read yet, at most."""
        at = np.concatenate([np.array(self.made), np.array(reading.moments[1:])])
        step = np.repeat([1, -1], [len(self.made), len(reading.items)])
        # At one moment a result is made before it is read.
        return int(np.cumsum(step[np.lexsort((-step, at))]).max())


def digest(made: list[Made], count: int, ordered: bool) -> str:
    """Check the order of results and return a digest of them that does not depend on it.

    Raises:
        DigestError: one was lost or doubled, or came out of order.
    """
    places = [place for place, _ in made]
    if (places if ordered else sorted(places)) != list(range(count)):
        order = "input" if ordered else "any"
        raise DigestError(f"{len(made)} results are not the {count} expected, in {order} order")
    return hashlib.blake2b(b"".join(key for _, key in sorted(made)), digest_size=16).hexdigest()
