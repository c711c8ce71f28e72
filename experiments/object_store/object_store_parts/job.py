"""A cell's job: what is fetched, whether it is decoded, and what would be ideal."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Mapping
from typing import Any

from ftloader import lab, runtime
from ftloader.detection.image import decode
from ftloader.errors import DigestError
from ftloader.lab import provenance
from ftloader.lab.digest import Sampler
from ftloader.lab.reading import Reading, spread
from ftloader.lab.trials import Outcome

from .store import Answer, Store, Weather

#: What a sample becomes: its number, and what it holds.
Made = tuple[int, Any]
_MEGABYTE = 1e6


class Job:
    """One run's store, settings and clocks.

    Args:
        inputs: whose images are the objects.
        settings: of the cell.
    """

    def __init__(self, inputs: lab.Inputs, settings: Mapping[str, Any]) -> None:
        objects = [sample.jpeg for sample in inputs.samples]
        self.samples = int(settings["samples"])
        self.concurrency = int(settings["concurrency"])
        self.decoders = runtime.usable_cores() if settings["decode"] else 0
        self.weather = Weather.draw(self.samples, float(settings["errors"]), inputs.seed)
        self._rate = float(settings["bytes_per_second"])
        self._bytes = sum(len(objects[n % len(objects)]) for n in range(self.samples))
        self.store = Store(objects, self.weather, self._rate)
        # Of each sample; written by whoever decodes it.
        self._decoding = [0.0] * self.samples
        self._threads = 0
        self._cpu = time.process_time()
        self._base = provenance.resident().get("now") if provenance.reset_peak() else None

    def decode(self, answer: Answer) -> Made:
        """Decode an object, and note what that costs."""
        sample, data = answer
        begin = time.thread_time()
        image = decode(data)
        self._decoding[sample] = time.thread_time() - begin
        return sample, image

    def midway(self) -> None:
        """Look how many threads there are now."""
        self._threads = threading.active_count()

    def outcome(self, reading: Reading, order: str) -> Outcome:
        """Check what came, and return what was measured over the whole run."""
        used = time.process_time() - self._cpu
        peak = provenance.resident().get("peak")
        digest = self._digest(reading, order)
        seconds, waits = reading.seconds(0, self.samples), reading.waits(0, self.samples)
        values = {
            "rate": self.samples / seconds,
            "share": self.ideal_seconds() / seconds,
            "cpu_ms": 1e3 * used / self.samples,
            "threads": float(self._threads),
            **spread(waits),
        }
        if peak is not None and self._base is not None:
            values["peak_mb"] = max(0, peak - self._base) / _MEGABYTE
        notes = (self._retried(),) if self.weather.failures else ()
        return Outcome(values, digest, {"p99_ms": [1e3 * wait for wait in waits]}, notes)

    def ideal_seconds(self) -> float:
        """Return the time that nothing but the job itself asks for.

        The longest of three: what so many requests in flight need, what the line needs for all
        bytes, what the cores need to decode.
        """
        needed = [self.weather.ideal_seconds(self.concurrency)]
        if self._rate:
            needed.append(self._bytes / self._rate)
        if self.decoders:
            needed.append(sum(self._decoding) / self.decoders)
        return max(needed)

    def _retried(self) -> str:
        if self.store.requests != self.samples + self.weather.failures:
            raise DigestError(
                f"{self.store.requests} requests for {self.samples} samples, of which "
                f"{self.weather.failures} were to be repeated"
            )
        return f"{self.weather.failures} of {self.store.requests} requests failed and were repeated"

    def _digest(self, reading: Reading, order: str) -> str:
        """Check the order and return a digest that does not depend on it."""
        places = [sample for sample, _ in reading.items]
        if (places if order == "input" else sorted(places)) != list(range(self.samples)):
            raise DigestError(f"{len(places)} samples came, not those asked for, in {order} order")
        sums = [mark for _, mark in sorted(reading.items)]
        return f"{zlib.crc32(repr(sums).encode()):08x}"


def marked(made: Made) -> tuple[int, int]:
    """Return a sample's number and a check value of what it holds, so that nobody keeps it."""
    sampler = Sampler()
    sampler.add(made[1])
    return made[0], sampler.take()
