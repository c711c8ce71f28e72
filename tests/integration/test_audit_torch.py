"""Draws from torch's global generator, made a matter of the call alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ftloader.audit.streams import Streams

DRAWS: dict[str, Callable[[], Any]] = {
    "rand": lambda: torch.rand(3),
    "randint": lambda: torch.randint(0, 1 << 40, (2,)),
    "randperm": lambda: torch.randperm(50),
    "normal": lambda: torch.normal(0.0, 1.0, (3,)),
    "bernoulli": lambda: torch.bernoulli(torch.full((64,), 0.5)),
    "rand_like": lambda: torch.rand_like(torch.zeros(3), dtype=torch.float64),
    "randn_like": lambda: torch.randn_like(torch.zeros(3)),
    "randint_like": lambda: torch.randint_like(torch.zeros(3), 1 << 20),
    "randint_like, two bounds": lambda: torch.randint_like(torch.zeros(3), low=5, high=1 << 20),
    "uniform_": lambda: torch.empty(3).uniform_(0, 2),
    "random_": lambda: torch.empty(3).random_(1 << 20),
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
        again = [draw(), draw()]
        assert streams.used == {"torch"}
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other)
    assert draw().dtype == other.dtype


def test_bounds_of_randint_like_hold() -> None:
    with Streams() as streams:
        streams.begin(1)
        drawn = torch.cat(
            [
                torch.randint_like(torch.zeros(500), 3, 7),
                torch.randint_like(torch.zeros(500), low=3, high=7),
            ]
        )
        assert set(drawn.tolist()) == {3.0, 4.0, 5.0, 6.0}
        assert set(torch.randint_like(torch.zeros(500), 2).tolist()) == {0.0, 1.0}
        assert set(torch.randint_like(torch.zeros(500), high=2).tolist()) == {0.0, 1.0}


def test_the_global_generator_is_left_alone_and_the_functions_are_put_back() -> None:
    before = dict(vars(torch)), dict(vars(torch.Tensor)), dict(vars(torch.random))
    state = torch.get_rng_state()
    with Streams() as streams:
        streams.begin(5)
        for draw in DRAWS.values():
            draw()
        torch.manual_seed(3)
        own = torch.Generator().manual_seed(3)
        assert torch.equal(torch.rand(2), torch.rand(2, generator=own))
    assert (dict(vars(torch)), dict(vars(torch.Tensor)), dict(vars(torch.random))) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_a_generator_that_is_given_is_used() -> None:
    expected = torch.rand(4, generator=torch.Generator().manual_seed(9))
    with Streams() as streams:
        streams.begin(1)
        drawn = torch.rand(4, generator=torch.Generator().manual_seed(9))
        assert streams.used == set()
    assert torch.equal(drawn, expected)


def test_threads_have_streams_of_their_own() -> None:
    drawn: dict[int, Any] = {}
    with Streams() as streams:
        start = threading.Barrier(4)

        def draw(number: int) -> None:
            streams.begin(number % 2)
            start.wait()
            drawn[number] = torch.stack([torch.rand(1) for _ in range(200)])

        threads = [threading.Thread(target=draw, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[1], drawn[3])
    assert not torch.equal(drawn[0], drawn[1])
