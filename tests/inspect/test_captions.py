from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pytest

from ftloader import sample_rng
from ftloader.detection import Annotations
from ftloader.detection.sample import SampleInfo
from ftloader.detection.transforms import RandomFlip
from ftloader.detection.transforms.compose import Compose, RandomApply, RandomChoice
from ftloader.inspect.captions import caption, described

INFO = SampleInfo(40, 30, Annotations.none(), 0, 1, "a.jpg", (40, 30))


class Mode(Enum):
    FAST = 1


@dataclass(frozen=True)
class Inner:
    x: int = 3
    ratio: float = 0.123456


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (1 / 3, "0.3333"),
        (np.float32(0.5), "0.5"),
        (1333, "1333"),
        ("vertical", "vertical"),
        (Mode.FAST, "FAST"),
        ((1, 0, 2), "(1, 0, 2)"),
        ((True, False), "(True, False)"),
        ((0, 1, 2, 3, 4, 5, 9, 10), "(0..5, 9, 10)"),
        (np.arange(3, 40), "(3..39)"),
        (np.zeros((40, 30)), "array 40 x 30"),
        (Inner(), "(x=3, ratio=0.1235)"),
        ((Inner(), 1.5), "((x=3, ratio=0.1235), 1.5)"),
    ],
)
def test_parameters_are_short_and_complete(value: Any, text: str) -> None:
    assert described(value) == text


def test_every_step_has_a_line_and_says_what_was_left_out_or_chosen() -> None:
    flip = RandomFlip(horizontal=1.0)
    recipe = Compose(
        [
            flip,
            RandomApply(flip, probability=0.0),
            RandomApply(flip, probability=1.0),
            RandomChoice([flip, Compose([flip, flip])], probabilities=[0.0, 1.0]),
        ]
    )
    params = recipe.draw(sample_rng(0, 0, 0), INFO)
    assert caption(recipe, params) == [
        "1 RandomFlip: direction=horizontal",
        "2 RandomFlip: left out",
        "3 RandomFlip: direction=horizontal",
        "4 choice 2 of 2: RandomFlip: direction=horizontal",
        "5 RandomFlip: direction=horizontal",
    ]
