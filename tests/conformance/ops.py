"""Operations that the conformance suites run; each in the module, as users write them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator


def double(x: int) -> int:
    return 2 * x


async def increment(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def countdown(x: int) -> Iterator[tuple[int, int]]:
    for left in range(x % 4):
        yield x, left


async def acountdown(x: int) -> AsyncIterator[tuple[int, int]]:
    for left in range(x % 4):
        await asyncio.sleep(0)
        yield x, left


def odd_only(x: int) -> Iterator[int]:
    if x % 2:
        yield x


async def anumbers() -> AsyncIterator[int]:
    for number in range(20):
        await asyncio.sleep(0)
        yield number


class Adder:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __call__(self, x: int) -> int:
        return x + self.amount


class AsyncAdder(Adder):
    async def __call__(self, x: int) -> int:  # type: ignore[override]
        return x + self.amount
