"""Memory that batches are written into, and that is used again when nobody looks at it any more.

A :class:`BufferPool` has a number of buffers: whoever wants one more waits. A buffer that was
delivered as an array comes back by itself when the last array or tensor that shows its bytes is
gone, and not before: so no batch is ever written over another that somebody still holds.

The buffers belong to the pool. Arrays change hands, memory does not: on the free-threaded build
what a worker made and the consumer drops stays alive while that worker is blocked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ftloader.errors import BudgetError, RunStopped

#: Seconds between looks whether anybody still wants what is being waited for.
_LOOK: Final = 0.2


class Buffer:
    """One of a pool's buffers, for one batch.

    Thread safety: several threads may write into parts of their own; one delivers it.
    """

    def __init__(self, pool: BufferPool) -> None:
        self._pool = pool
        self._memory: NDArray[np.uint8] | None = None
        self._making = Lock()

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the buffer's beginning as an array to write into; it holds nothing back.

        Args:
            shape: of the array.
            dtype: of the array.

        Raises:
            BudgetError: the buffer is too small.
        """
        length = self._length(shape, dtype)
        if self._memory is None:
            # On first use, so that a pool costs what is used of it; by one of the many who write.
            with self._making:
                if self._memory is None:
                    self._memory = np.empty(self._pool.nbytes, np.uint8)
        return self._memory[:length].view(dtype).reshape(shape)

    def deliver(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the same as :meth:`array`, for good: the buffer comes back with its last view.

        Call it in the thread that will use the array. Deliver a buffer once.
        """
        self.array(shape, dtype)  # refuses what does not fit
        bytes_ = np.frombuffer(_Lease(self), np.uint8, self._length(shape, dtype))
        return bytes_.view(dtype).reshape(shape)

    def give_back(self) -> None:
        """Return a buffer that was not delivered."""
        self._pool.put(self)

    def _length(self, shape: tuple[int, ...], dtype: DTypeLike) -> int:
        length = math.prod(shape) * np.dtype(dtype).itemsize
        if length > self._pool.nbytes:
            raise BudgetError(
                f"a batch of {length:,} bytes does not fit a buffer of {self._pool.nbytes:,}"
            )
        return length


class _Lease:
    """Shows a buffer's bytes, and knows when nobody looks at them any more (PEP 688)."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        buffer._pool._held[id(self)] = None

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self._buffer._memory)  # type: ignore[arg-type]

    def __release_buffer__(self, view: memoryview) -> None:
        view.release()
        self._buffer._pool._held.pop(id(self), None)
        self._buffer.give_back()


class BufferPool:
    """A number of buffers of one size.

    Args:
        count: how many.
        nbytes: of each.

    Thread safety: any thread may take, any may let go.
    """

    def __init__(self, count: int, nbytes: int) -> None:
        self.count = count
        self.nbytes = nbytes
        self._closed = False
        # By lease; a dictionary, because entries come and go wherever the collector runs.
        self._held: dict[int, None] = {}
        # Buffers come back wherever the collector runs, also inside of take(): SimpleQueue's put
        # is made for that.
        self._free: SimpleQueue[Buffer | None] = SimpleQueue()
        for _ in range(count):
            self._free.put(Buffer(self))

    @property
    def free(self) -> int:
        """How many buffers nobody has; meant for statistics and tests."""
        return self._free.qsize()

    @property
    def held(self) -> int:
        """How many buffers were delivered and have not come back."""
        return len(self._held)

    def grow(self) -> None:
        """Add a buffer."""
        self.count += 1
        self._free.put(Buffer(self))

    def take(self, wanted: Callable[[], bool] = lambda: True) -> Buffer:
        """Return a free buffer, waiting for one.

        Args:
            wanted: asked several times a second whether to go on waiting.

        Raises:
            RunStopped: the pool was closed, or nobody wants a buffer any more.
        """
        while not self._closed and wanted():
            try:
                buffer = self._free.get(timeout=_LOOK)
            except Empty:
                continue
            if buffer is not None:
                return buffer
        self._free.put(None)  # for the next one who waits
        raise RunStopped("the pool of batch buffers was closed")

    def put(self, buffer: Buffer) -> None:
        """Take a buffer back."""
        self._free.put(buffer)

    def close(self) -> None:
        """Wake everybody who waits; buffers that are out stay valid."""
        self._closed = True
        self._free.put(None)
