"""Any exception, from anything of the user's, at any point: the reader gets it, and all ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from ftloader import Pipeline, RunError, SourceError, StageError

pytestmark = pytest.mark.usefixtures("no_thread_left")

ITEMS = 40


class OfItsOwnKind(BaseException):
    """Neither an ``Exception`` nor anything Python knows."""


class Mute(Exception):
    """Has no text to show."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def in_a_group() -> BaseException:
    return ExceptionGroup("two", [ValueError("one"), OSError("two")])


RAISED: list[Callable[[], BaseException]] = [
    ValueError,
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
    OfItsOwnKind,
    Mute,
    in_a_group,
    RecursionError,
    MemoryError,
]
POINTS = {"first": 0, "middle": ITEMS // 2, "last": ITEMS - 1}


class Bomb:
    """Raises at one item."""

    def __init__(self, make: Callable[[], BaseException], point: int) -> None:
        self.error = make()
        self.point = point

    def __call__(self, item: int) -> int:
        if item == self.point:
            raise self.error
        return item


def function(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    return Pipeline(range(ITEMS)).pipe(lambda x: bomb(x), concurrency=concurrency)


def generator(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    def op(x: int) -> Iterator[int]:
        yield bomb(x)

    return Pipeline(range(ITEMS)).pipe(op, concurrency=concurrency)


def coroutine(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    async def op(x: int) -> int:
        await asyncio.sleep(0)
        return bomb(x)

    return Pipeline(range(ITEMS)).pipe(op, concurrency=concurrency)


def async_generator(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    async def op(x: int) -> AsyncIterator[int]:
        await asyncio.sleep(0)
        yield bomb(x)

    return Pipeline(range(ITEMS)).pipe(op, concurrency=concurrency)


def policy(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    class ByOne:
        def add(self, item: int) -> Iterable[int]:
            return (bomb(item),)

        def flush(self) -> Iterable[int]:
            return ()

    return Pipeline(range(ITEMS)).pipe(lambda x: x, concurrency=concurrency).aggregate(ByOne)


def policy_flush(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    class AtTheEnd:
        def __init__(self) -> None:
            self.items: list[int] = []

        def add(self, item: int) -> Iterable[int]:
            self.items.append(item)
            return ()

        def flush(self) -> Iterable[int]:
            for item in self.items:
                yield bomb(item)

    return Pipeline(range(ITEMS)).pipe(lambda x: x, concurrency=concurrency).aggregate(AtTheEnd)


def elements(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    def numbers() -> Iterator[int]:
        for item in range(ITEMS):
            yield bomb(item)

    class Lazy:
        def __iter__(self) -> Iterator[int]:
            return numbers()

    return Pipeline([Lazy()]).pipe(lambda x: x, concurrency=concurrency).disaggregate()


def source(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    def numbers() -> Iterator[int]:
        for item in range(ITEMS):
            yield bomb(item)

    return Pipeline(numbers).pipe(lambda x: x, concurrency=concurrency)


def async_source(bomb: Bomb, concurrency: int) -> Pipeline[Any]:
    async def numbers() -> AsyncIterator[int]:
        for item in range(ITEMS):
            await asyncio.sleep(0)
            yield bomb(item)

    return Pipeline(numbers).pipe(lambda x: x, concurrency=concurrency)


PLACES = {
    place.__name__: place
    for place in (
        function,
        generator,
        coroutine,
        async_generator,
        policy,
        policy_flush,
        elements,
        source,
        async_source,
    )
}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it; PEP 479 wraps ``StopIteration`` in ``RuntimeError``."""
    while error is not None:
        yield error
        error = error.__cause__


@pytest.mark.parametrize("make", RAISED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("place", PLACES)
def test_the_reader_gets_what_was_raised_and_nothing_goes_on(
    place: str, make: Callable[[], BaseException]
) -> None:
    for point in POINTS.values():
        for concurrency in (1, 3):
            bomb = Bomb(make, point)
            delivered: list[int] = []
            run = PLACES[place](bomb, concurrency).run()
            with pytest.raises(RunError) as caught:
                delivered.extend(run)
            assert type(caught.value) is (SourceError if "source" in place else StageError)
            assert bomb.error in causes(caught.value.__cause__)
            assert delivered == list(range(point))
            with pytest.raises(RunError) as again:
                next(run)
            assert again.value is caught.value


@pytest.mark.parametrize(
    "make", [one for one in RAISED if isinstance(one(), Exception)], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("engine", ["threads", "serial"])
def test_a_key_that_cannot_be_had_does_not_hide_the_error(
    make: Callable[[], BaseException], engine: Any
) -> None:
    def fail(x: int) -> int:
        raise ValueError("the first")

    bomb = Bomb(make, 0)
    run = Pipeline(range(ITEMS)).pipe(fail, key=lambda x: bomb(x)).run(engine)
    with pytest.raises(StageError) as caught:
        next(run)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("kind", ["function", "coroutine"])
@pytest.mark.parametrize("make", RAISED, ids=lambda make: make.__name__)
def test_a_weight_that_cannot_be_had_ends_the_run(
    make: Callable[[], BaseException], kind: str
) -> None:
    async def aop(x: int) -> int:
        return x

    op: Any = aop if kind == "coroutine" else lambda x: x
    for point in POINTS.values():
        bomb = Bomb(make, point)

        def weight(x: int, bomb: Bomb = bomb) -> int:
            return bomb(x) + 1

        run = (
            Pipeline(range(ITEMS))
            .pipe(op, concurrency=3, weight=weight, name="op")
            .run(memory_budget={"op": 10**6})
        )
        with pytest.raises(StageError) as caught:
            list(run)
        assert bomb.error in causes(caught.value.__cause__)
