"""The engine experiment's own parts: every contender does its work and is checked doing it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ftloader import lab
from ftloader.errors import DigestError
from ftloader.lab.costs import describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "engine_overhead" / "run.py"
EXPERIMENT = describe.load(SCRIPT)
CONTENDERS = [(cell, one) for cell in EXPERIMENT.cells for one in cell.contenders]

from engine_cells import bare, mixed, window  # noqa: E402 (the loader made them importable)


@pytest.fixture(scope="module")
def samples():
    """Two images so flat that resizing them takes no time."""
    made = []
    for key in range(2):
        file = BytesIO()
        Image.new("RGB", (128, 2), (40 * key, 90, 200)).save(file, "JPEG")
        made.append(lab.JpegSample(key, 128, 2, file.getvalue(), ()))
    return lab.Inputs(tuple(made), (), seed=5)


def test_it_is_sound_and_every_target_of_the_issue_is_a_claim():
    EXPERIMENT.require_sound()
    limits = {(claim.cell, claim.limit) for claim in EXPERIMENT.claims}
    assert {
        ("noop_1_input", 2.0),
        ("noop_3_completion", 2.0),
        ("crossing", 1.5),
        ("images", 0.98),
        ("sleep_sync", 0.95),
        ("sleep_async", 0.95),
        ("first_batch", 5.0),
        ("stop", 10.0),
        ("mixed", 0.95),
    } <= limits


@pytest.mark.parametrize(
    ("cell", "contender"), CONTENDERS, ids=[f"{cell.name}-{one.name}" for cell, one in CONTENDERS]
)
def test_every_contender_returns_what_it_must(samples, cell, contender):
    # Each checks its own outputs in every window and raises DigestError where they are wrong.
    measured = contender.measure(samples, cell.step)
    assert measured.seconds > 0
    assert bool(measured.digest) == (cell.name == "images")


def test_contenders_of_the_images_agree_on_the_output(samples):
    (cell,) = (cell for cell in EXPERIMENT.cells if cell.name == "images")
    assert len({one.measure(samples, 1).digest for one in cell.contenders}) == 1


@pytest.mark.parametrize("got", [[0, 1], [0, 2, 1], [0, 1, 1], [0, 1, 2, 2]])
def test_a_window_with_a_lost_doubled_or_displaced_item_is_refused(got):
    with pytest.raises(DigestError, match="the run is refused"):
        window.require(got, range(3))


def test_completion_order_allows_any_order_and_nothing_else():
    window.require([2, 0, 1], range(3), "completion")
    with pytest.raises(DigestError):
        window.require([2, 0, 0], range(3), "completion")


def test_a_hundredth_of_the_mixed_items_costs_a_hundred_times_as_much():
    rounds = [cost for _, cost in mixed.costs_of(1000, seed=3)]
    assert rounds.count(mixed.ROUNDS * 100) == 10
    assert rounds.count(mixed.ROUNDS) == 990
    assert rounds == [cost for _, cost in mixed.costs_of(1000, seed=3)]


@pytest.mark.parametrize("total", [0, 1, 31, 100])
@pytest.mark.parametrize("chunk", [1, 16])
def test_the_bare_queues_keep_order_and_lose_nothing(total, chunk):
    ops = [bare.same] * 3
    assert list(bare.queues(range(total), ops, 2, chunk, True, 8)) == list(range(total))
    assert sorted(bare.queues(range(total), ops, 2, chunk, False, 8)) == list(range(total))


@pytest.mark.parametrize("total", [0, 1, 31])
def test_the_torchdata_style_hand_over_keeps_order_and_loses_nothing(total):
    assert list(bare.torchdata_style(range(total), bare.same, 2)) == list(range(total))
