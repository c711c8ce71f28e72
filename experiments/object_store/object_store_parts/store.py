"""A simulated object store: it answers late, sometimes very late, and sometimes not at all.

What a request meets is a function of seed, sample and attempt alone, so every contender in every
run meets the same. Waiting is real (``asyncio.sleep``, ``time.sleep``); there is no network.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from ftloader import Retry
from ftloader.rng import Streams

MEDIAN_SECONDS = 0.020
SIGMA = 0.5
STRAGGLERS = 0.01
SLOWER = 10.0
#: At most so many attempts fail, so that nothing fails for good.
MOST_FAILURES = 2
RETRY = Retry(MOST_FAILURES + 1, delay=0.01)

#: Answered: the sample, and the object's bytes.
Answer = tuple[int, bytes]


@dataclass(frozen=True)
class Weather:
    """What the requests of a run meet.

    Attributes:
        seconds: of each sample, how long each attempt takes; all but the last one fail.
    """

    seconds: Sequence[tuple[float, ...]]

    @classmethod
    def draw(cls, samples: int, errors: float, seed: int) -> Weather:
        """Draw latencies, log-normal with stragglers, and failures at a rate."""
        streams, found = Streams(seed, 0), []
        for sample in range(samples):
            rng = streams.at(sample)
            failures = int((rng.random(MOST_FAILURES) < errors).cumprod().sum())
            latencies = rng.lognormal(log(MEDIAN_SECONDS), SIGMA, failures + 1)
            straggles = rng.random(failures + 1) < STRAGGLERS
            found.append(tuple(float(s) for s in latencies * (1 + (SLOWER - 1) * straggles)))
        return cls(found)

    @property
    def failures(self) -> int:
        """How many attempts fail."""
        return sum(len(attempts) - 1 for attempts in self.seconds)

    def ideal_seconds(self, concurrency: int) -> float:
        """Return how long so many requests in flight take at best: one begins as one ends.

        For long runs that is Little's law: samples times the mean time of one, over concurrency.
        """
        free_at = [0.0] * concurrency
        for attempts in self.seconds:
            pauses = sum(RETRY.pause(number) for number in range(1, len(attempts)))
            heapq.heapreplace(free_at, free_at[0] + sum(attempts) + pauses)
        return max(free_at)


class Link:
    """A line of limited capacity that all answers share, one after the other.

    Thread safety: any thread may reserve.
    """

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    def reserve(self, size: int) -> float:
        """Reserve the line for so many bytes; return the seconds until they have passed."""
        if not self._rate:
            return 0.0
        now = time.perf_counter()
        with self._lock:
            self._free_at = max(now, self._free_at) + size / self._rate
            return self._free_at - now


class Store:
    """Answers requests for objects, for one run.

    Args:
        objects: bytes in memory; a sample's are those at its number, round and round.
        weather: what requests meet.
        bytes_per_second: of the line; 0 for one without limit.

    Thread safety: different samples may be asked for from different threads.
    """

    def __init__(
        self, objects: Sequence[bytes], weather: Weather, bytes_per_second: float = 0.0
    ) -> None:
        self._objects = objects
        self._seconds = weather.seconds
        self._link = Link(bytes_per_second)
        self._tried = [0] * len(weather.seconds)

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self._tried)

    async def get(self, sample: int) -> Answer:
        """Answer on the event loop."""
        seconds, last = self._attempt(sample)
        await asyncio.sleep(seconds)
        answer = self._answer(sample, last)
        if wait := self._link.reserve(len(answer[1])):
            await asyncio.sleep(wait)
        return answer

    def get_waiting(self, sample: int) -> Answer:
        """Answer on a thread, which waits."""
        seconds, last = self._attempt(sample)
        time.sleep(seconds)
        answer = self._answer(sample, last)
        if wait := self._link.reserve(len(answer[1])):
            time.sleep(wait)
        return answer

    def _attempt(self, sample: int) -> tuple[float, bool]:
        attempts, number = self._seconds[sample], self._tried[sample]
        self._tried[sample] = number + 1
        return attempts[number], number + 1 == len(attempts)

    def _answer(self, sample: int, last: bool) -> Answer:
        if not last:
            raise ConnectionError(f"the store did not answer for sample {sample}")
        return sample, self._objects[sample % len(self._objects)]
