from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ftloader.audit.digest import digest
from ftloader.audit.oracles.rng import detect
from ftloader.audit.rngs import restore, seed_all, states

from .canaries import CANARIES, GOOD, GlobalRng, InstanceRng, Seeds
from .state_cases import MadeByADraw, accuses, subject


@pytest.fixture(autouse=True)
def _leave_the_generators_alone() -> Iterator[None]:
    before = states()
    yield
    restore(before)


def draws() -> tuple[float, float, float]:
    return random.random(), np.random.uniform(), random.gauss(0, 1)


def test_the_same_seed_gives_the_same_draws_and_another_gives_others() -> None:
    seed_all(7)
    first = draws()
    seed_all(7)
    assert draws() == first
    seed_all(8)
    assert draws() != first


def test_a_seed_beyond_32_bits_is_cut_off() -> None:
    seed_all(2**32 + 7)
    first = draws()
    seed_all(7)
    assert draws() == first


def test_restored_generators_go_on_where_they_were() -> None:
    seed_all(1)
    draws()
    before = states()
    first = draws()
    restore(before)
    assert draws() == first


@pytest.mark.parametrize("draw", [random.random, np.random.random], ids=["random", "numpy.random"])
def test_a_draw_changes_the_state_of_its_generator_alone(
    draw: object, request: pytest.FixtureRequest
) -> None:
    seed_all(1)
    before = {name: digest(state) for name, state in states().items()}
    assert callable(draw)
    draw()
    after = {name: digest(state) for name, state in states().items()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {request.node.callspec.id}


@pytest.mark.parametrize("kind", [each.kind for each in CANARIES if "rng" in each.must])
def test_who_touches_a_global_generator_is_found_with_the_line(kind: type[Any]) -> None:
    evidence = detect(subject(kind))
    assert accuses(evidence)
    assert "canaries.py:" in evidence.findings[0].where


def test_seeding_is_told_from_drawing() -> None:
    seeds, draws = detect(subject(Seeds)).findings[0], detect(subject(GlobalRng)).findings[0]
    assert (seeds.effect, draws.effect) == ("latent", "order")
    assert "reseeds numpy.random" in seeds.what
    assert "draws from the global generator of random" in draws.what


@pytest.mark.parametrize("kind", [*GOOD, InstanceRng, MadeByADraw])
def test_who_leaves_the_global_generators_alone_is_clean(kind: type[Any]) -> None:
    assert detect(subject(kind)).status == "clean"


def test_the_detector_leaves_the_generators_as_they_were() -> None:
    given = subject(GlobalRng)
    before = {name: digest(state) for name, state in states().items()}
    detect(given)
    assert {name: digest(state) for name, state in states().items()} == before
