"""Digests of a run's output: full ones for verification, sampled ones for timed windows.

Both walk a value the same way (arrays, bytes, dataclasses, mappings, sequences, scalars), include
types and shapes, and depend on order. The full digest covers every byte; the sampled one reads
every ``STRIDE``-th element of each array, which costs microseconds and still sees a wrong sample,
a swapped order or a torn buffer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

# Prime, so that it walks through rows, columns and channels alike.
STRIDE = 4099


def full_digest(values: Iterable[Any]) -> tuple[str, int, int]:
    """Digest every byte of a stream of values, in order.

    Returns:
        The digest as hexadecimal, the number of values, and the sampled digest of the same
        stream (see :class:`Sampler`).

    Raises:
        TypeError: a value holds something that has no defined digest.
    """
    digest = hashlib.blake2b(digest_size=16)
    sampler = Sampler()
    count = 0
    for value in values:
        _walk(value, digest.update, 1)
        sampler.add(value)
        count += 1
    return digest.hexdigest(), count, sampler.take()


class Sampler:
    """A cheap running check value over a stream of outputs.

    Thread safety: belongs to the one thread that reads the outputs.
    """

    def __init__(self) -> None:
        self._crc = 0

    def add(self, value: Any) -> None:
        """Take one output into account."""
        _walk(value, self._update, STRIDE)

    def take(self) -> int:
        """Return the check value so far and start over."""
        crc, self._crc = self._crc, 0
        return crc

    def _update(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)


def _walk(value: Any, emit: Callable[[bytes], object], stride: int) -> None:
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"no digest for an array of dtype {value.dtype}")
        emit(f"array {value.dtype.str} {value.shape};".encode())
        emit(value.reshape(-1)[::stride].tobytes())
    elif isinstance(value, bytes | bytearray | memoryview):
        emit(f"bytes {len(value)};".encode())
        emit(bytes(value[::stride]))
    elif value is None or isinstance(value, bool | int | float | str | np.generic):
        emit(f"{type(value).__name__} {value!r};".encode())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        emit(f"{type(value).__name__} (".encode())
        for field in dataclasses.fields(value):
            emit(f"{field.name}=".encode())
            _walk(getattr(value, field.name), emit, stride)
        emit(b");")
    elif isinstance(value, Mapping):
        emit(f"mapping {len(value)} (".encode())
        for key in sorted(value):
            emit(f"{key!r}=".encode())
            _walk(value[key], emit, stride)
        emit(b");")
    elif isinstance(value, list | tuple):
        emit(f"sequence {len(value)} (".encode())
        for part in value:
            _walk(part, emit, stride)
        emit(b");")
    else:
        raise TypeError(f"no digest for {type(value).__name__}; return arrays, numbers or text")
