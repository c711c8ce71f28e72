"""Random streams that do not depend on threads, order or history.

A stream is a pure function of (seed, epoch, sample, draw): the same four integers give the same
numbers in any process, on any thread, in any order. Nothing here reads or writes global state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator, Philox

_WORD = 2**64


def sample_rng(seed: int, epoch: int, sample: int, draw: int = 0) -> Generator:
    """Return the random stream of one draw on one sample.

    Philox 4x64 is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as
    1, 2, 3", SC 2011): streams with different keys or counters are independent. The seed is the
    key; epoch, sample and draw are the upper three words of the counter, so each stream has 2**64
    blocks of its own before it could reach the next one.

    Args:
        seed: the run's seed, 0 to 2**64 - 1.
        epoch: the epoch, 0 to 2**64 - 1.
        sample: the sample's index in the dataset, 0 to 2**64 - 1.
        draw: which draw on that sample, such as the position of a transform or a retry.

    Returns:
        A fresh ``numpy.random.Generator`` that belongs to the caller.

    Raises:
        ValueError: an argument is negative or does not fit 64 bits.

    Thread safety: pure; share the arguments, not the generator.
    Determinism: bit-identical on every interpreter with the same NumPy.
    """
    _check(seed=seed, epoch=epoch, sample=sample, draw=draw)
    # As uint64 from the start: a list with large and small numbers would pass through float64.
    key = np.array([seed, 0], np.uint64)
    counter = np.array([0, draw, sample, epoch], np.uint64)
    return Generator(Philox(key=key, counter=counter))


class Streams:
    """The streams of an epoch, one after the other, by rewinding one generator.

    The numbers are those of :func:`sample_rng`; making a generator costs ten times as much.

    Args:
        seed: the run's seed, 0 to 2**64 - 1.
        epoch: the epoch, 0 to 2**64 - 1.

    Raises:
        ValueError: an argument is out of range.

    Thread safety: for one thread; each makes its own.
    """

    def __init__(self, seed: int, epoch: int) -> None:
        self._generator = sample_rng(seed, epoch, 0)
        # A state as it is before anything was drawn; only its counter will change.
        self._state: Any = self._generator.bit_generator.state
        self._counter = self._state["state"]["counter"]

    def at(self, sample: int, draw: int = 0) -> Generator:
        """Return the stream of one draw on one sample, good until the next call.

        Raises:
            ValueError: an argument is out of range.
        """
        _check(sample=sample, draw=draw)
        self._counter[1], self._counter[2] = draw, sample
        self._generator.bit_generator.state = self._state
        return self._generator


def _check(**words: int) -> None:
    for name, value in words.items():
        if not 0 <= value < _WORD:
            raise ValueError(f"{name} must be between 0 and 2**64 - 1, not {value}")
