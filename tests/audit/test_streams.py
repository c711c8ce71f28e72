"""Draws from global generators, made a matter of the call alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from random import randint as taken_before
from typing import Any

import numpy as np
import pytest

from ftloader.audit.streams import Streams

DRAWS: dict[str, Callable[[], Any]] = {
    "random.random": lambda: random.random(),
    "random.gauss": lambda: random.gauss(0, 1),
    "random.shuffle": lambda: random.sample(range(100), 100),
    "a function of random taken before": lambda: taken_before(0, 1 << 40),
    "np.random.rand": lambda: np.random.rand(3).tolist(),
    "np.random.randint": lambda: int(np.random.randint(1 << 40)),
    "np.random.sample": lambda: np.random.sample(2).tolist(),
    "np.random.permutation": lambda: np.random.permutation(50).tolist(),
    "np.random.default_rng()": lambda: float(np.random.default_rng().random()),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_depends_on_the_seed_of_the_call_and_on_nothing_else(name: str) -> None:
    draw = DRAWS[name]
    with Streams() as streams:
        streams.begin(1)
        first = [draw(), draw()]
        streams.begin(2)
        other = draw()
        streams.begin(1)
        assert [draw(), draw()] == first
    assert first[0] != first[1]
    assert first[0] != other


def test_threads_have_streams_of_their_own() -> None:
    drawn: dict[int, list[float]] = {}
    with Streams() as streams:
        start = threading.Barrier(4)

        def draw(number: int) -> None:
            streams.begin(number % 2)
            start.wait()
            drawn[number] = [
                value for _ in range(200) for value in (random.random(), np.random.rand())
            ]

        threads = [threading.Thread(target=draw, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert drawn[0] == drawn[2] != drawn[1] == drawn[3]


def test_everything_is_put_back_and_nothing_was_drawn_from_the_global_generators() -> None:
    before = [dict(vars(module)) for module in (random, np.random, np.random.mtrand)]
    python, legacy = random.getstate(), np.random.get_state()[1].tobytes()
    with Streams() as streams:
        streams.begin(5)
        for draw in DRAWS.values():
            draw()
        random.seed(1)
        np.random.seed(1)
        assert streams.replaced > 50
    assert [dict(vars(module)) for module in (random, np.random, np.random.mtrand)] == before
    assert random.getstate() == python
    assert np.random.get_state()[1].tobytes() == legacy
    assert "random" not in vars(random.random.__self__)  # type: ignore[attr-defined]


def test_a_seed_given_by_the_call_itself_holds() -> None:
    with Streams() as streams:
        streams.begin(1)
        np.random.seed(7)
        random.seed(7)
        drawn = np.random.rand(), random.random(), np.random.default_rng(3).random()
    expected = np.random.RandomState(7).rand(), random.Random(7).random()
    assert drawn == (*expected, np.random.default_rng(3).random())


def test_only_what_was_drawn_from_counts_as_used() -> None:
    with Streams() as streams:
        streams.begin(1)
        random.seed(3)
        np.random.seed(3)
        assert streams.used == set()
        np.random.rand()
        assert streams.used == {"numpy.random"}
