"""The run's event loop: on time, and with every descriptor that an operation waits for."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from ftloader import Pipeline
from ftloader.engine.fineloop import FineSelector, fine_loop


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = fine_loop()
    yield loop
    loop.close()


def test_a_wait_ends_when_a_descriptor_is_ready_and_names_it() -> None:
    reader, writer = os.pipe()
    with FineSelector() as selector:
        key = selector.register(reader, 1)
        assert selector.select(0.001) == []
        assert selector.select(0) == []
        os.write(writer, b"x")
        assert selector.select(60) == [(key, 1)]
        assert selector.select(None) == [(key, 1)]
    os.close(reader)
    os.close(writer)


def test_waits_that_end_between_milliseconds_are_not_rounded_up(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def shortest_wait() -> float:
        shortest = 1.0
        for _ in range(500):
            begin = time.perf_counter()
            await asyncio.sleep(0.0001)
            shortest = min(shortest, time.perf_counter() - begin)
        return shortest

    # Rounded up, each takes a whole millisecond at least, on however busy a machine.
    assert loop.run_until_complete(shortest_wait()) < 0.0009


def test_operations_wait_for_many_descriptors_at_once() -> None:
    async def through_a_socket(x: int) -> int:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(4))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(x.to_bytes(4, "big"))
            echoed = await reader.readexactly(4)
            writer.close()
            await writer.wait_closed()
        return int.from_bytes(echoed, "big")

    pipeline = Pipeline(range(100)).pipe(through_a_socket, concurrency=50)
    assert list(pipeline) == list(range(100))
