from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from ftloader.detection.annotations import Annotations
from ftloader.detection.sample import SampleInfo
from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.compose import (
    Compose,
    RandomApply,
    RandomApplyParams,
    RandomChoice,
    RandomChoiceParams,
    steps,
)
from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.expand import Expand
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import FlipParams, RandomFlip
from ftloader.detection.transforms.rasterize import Rasterize
from tests.conformance.transforms.samples import SAMPLES, digest, stream

PLAIN = SAMPLES["plain"]
ALWAYS = RandomFlip(horizontal=1)


@dataclass(frozen=True, slots=True)
class Seen:
    objects: int
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Look(Transform[Seen]):
    """Says what its ``draw`` was shown."""

    def draw(self, rng: Generator, info: SampleInfo) -> Seen:
        return Seen(len(info.annotations), info.size)

    def output_size(self, info: SampleInfo, params: Seen) -> tuple[int, int]:
        return info.size


@dataclass(frozen=True, slots=True)
class LookClosely(Look):
    @property
    def reads_objects(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Drop(Transform[Seen]):
    def draw(self, rng: Generator, info: SampleInfo) -> None:
        return None

    def output_size(self, info: SampleInfo, params: Seen) -> tuple[int, int]:
        raise AssertionError("asked after a drop")


@dataclass(frozen=True, slots=True)
class Refuse(Look):
    """Fails where anybody asks for its objects."""

    def annotations_after(self, info: SampleInfo, params: Seen) -> Annotations:
        raise AssertionError("objects moved for nothing")


@dataclass(frozen=True, slots=True)
class Ask(Transform[tuple[int, ...]]):
    """Names partners."""

    wanted: tuple[int, ...]

    def draw(self, rng: Generator, info: SampleInfo) -> tuple[int, ...]:
        return self.wanted

    def output_size(self, info: SampleInfo, params: tuple[int, ...]) -> tuple[int, int]:
        return info.size

    def partners(self, params: tuple[int, ...]) -> tuple[int, ...]:
        return params


def test_steps_draw_in_order_from_one_stream_as_if_called_one_after_another() -> None:
    first, second = Expand(probability=1), RandomFlip(horizontal=0.5)
    rng = stream(3)
    drawn = first.draw(rng, PLAIN.info)
    assert drawn is not None
    after = first.apply(PLAIN, drawn)
    flip = second.draw(rng, after.info)
    assert flip is not None
    both = Compose([first, second])
    assert both.draw(stream(3), PLAIN.info) == (drawn, flip)
    assert digest(both.apply(PLAIN, (drawn, flip))) == digest(second.apply(after, flip))


def test_without_steps_nothing_changes() -> None:
    nothing = Compose(())
    assert nothing.draw(stream(0), PLAIN.info) == ()
    assert nothing.apply(PLAIN, ()) is PLAIN
    assert nothing.output_size(PLAIN.info, ()) == PLAIN.info.size
    assert not nothing.reads_objects


def test_a_step_that_drops_ends_the_drawing() -> None:
    assert Compose([ALWAYS, Drop(), Refuse()]).draw(stream(0), PLAIN.info) is None
    assert Compose([Compose([Drop()]), ALWAYS]).draw(stream(0), PLAIN.info) is None
    assert Compose([ALWAYS, Drop()])(PLAIN, stream(0)) is None


def test_objects_are_moved_only_as_far_as_a_step_reads_them() -> None:
    shown = Compose([Look(), LookClosely(), Refuse(), Look()]).draw(stream(0), PLAIN.info)
    assert shown is not None
    assert [params.objects for params in shown] == [3, 3, 0, 0]
    assert {params.size for params in shown} == {PLAIN.info.size}


def test_steps_see_the_size_that_the_steps_before_leave() -> None:
    expanding = Expand(ratio_range=(2, 2), probability=1)
    drawn = Compose([expanding, Look(), LookClosely()]).draw(stream(0), PLAIN.info)
    assert drawn is not None
    assert drawn[1].size == drawn[2].size == (96, 72)


@pytest.mark.parametrize(
    ("made_of", "reads"),
    [
        (Compose([RandomFlip(), Expand()]), False),
        (Compose([RandomFlip(), Compose([FilterAnnotations()])]), True),
        (RandomApply(RandomFlip()), False),
        (RandomApply(RandomCrop((8, 8))), True),
        (RandomChoice([RandomFlip(), FilterAnnotations()]), True),
        (RandomChoice([RandomFlip(), Expand()]), False),
    ],
)
def test_objects_are_read_if_any_part_reads_them(made_of: Transform[Any], reads: bool) -> None:
    assert made_of.reads_objects is reads


def test_planning_without_objects_draws_the_same() -> None:
    recipe = Compose([Expand(probability=1), RandomFlip(), Compose([RandomApply(Expand())])])
    bare = replace(PLAIN.info, annotations=Annotations.none())
    for seed in range(20):
        assert recipe.draw(stream(seed), bare) == recipe.draw(stream(seed), PLAIN.info)


def test_partners_are_those_of_all_steps_each_once() -> None:
    recipe = Compose([Ask((4, 2)), RandomApply(Ask((7, 2)), 1), RandomChoice([Ask((9,))])])
    params = recipe.draw(stream(0), PLAIN.info)
    assert params is not None
    assert recipe.partners(params) == (4, 2, 7, 9)
    left_out = Compose([RandomApply(Ask((7,)), 0)])
    assert left_out.partners(left_out.draw(stream(0), PLAIN.info) or ()) == ()


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_random_apply_is_done_as_often_as_it_says(probability: float) -> None:
    maybe = RandomApply(ALWAYS, probability)
    rng = stream(5)
    drawn = [maybe.draw(rng, PLAIN.info) for _ in range(2000)]
    done = sum(params != RandomApplyParams(None) for params in drawn)
    assert abs(done / 2000 - probability) < 0.04
    assert done in ((0,) if probability == 0 else (2000,) if probability == 1 else range(1, 2000))


def test_random_apply_does_what_its_transform_does_or_nothing() -> None:
    maybe = RandomApply(ALWAYS)
    left, done = RandomApplyParams(None), RandomApplyParams(FlipParams("horizontal"))
    assert maybe.apply(PLAIN, left) is PLAIN
    assert digest(maybe.apply(PLAIN, done)) == digest(ALWAYS.apply(PLAIN, done.applied))


def test_random_apply_draws_for_its_transform_only_if_it_is_done() -> None:
    rng, control = stream(1), stream(1)
    RandomApply(Expand(probability=1), 0).draw(rng, PLAIN.info)
    control.random()
    assert rng.random() == control.random()


@pytest.mark.parametrize("part", [RandomApply(Drop(), 1), RandomChoice([Drop()])])
def test_a_part_that_drops_drops(part: Transform[Any]) -> None:
    assert part.draw(stream(0), PLAIN.info) is None


@pytest.mark.parametrize("weights", [None, (0.5, 0.25, 0.25), (0.0, 1.0, 0.0), [0.2, 0.0, 0.8]])
def test_random_choice_chooses_as_often_as_it_says(weights: Any) -> None:
    choice = RandomChoice([RandomFlip(), Expand(), ALWAYS], weights)
    rng = stream(2)
    drawn = [choice.draw(rng, PLAIN.info) for _ in range(3000)]
    counts = Counter(params.chosen for params in drawn if params is not None)
    for i, expected in enumerate(weights or (1 / 3, 1 / 3, 1 / 3)):
        assert abs(counts[i] / 3000 - expected) < 0.04
        assert counts[i] == 0 or expected > 0


def test_random_choice_does_what_the_chosen_one_does() -> None:
    choice = RandomChoice([Expand(), ALWAYS])
    params = RandomChoiceParams(1, FlipParams("horizontal"))
    assert digest(choice.apply(PLAIN, params)) == digest(ALWAYS.apply(PLAIN, params.params))
    assert choice.output_size(PLAIN.info, params) == PLAIN.info.size


def test_weights_that_fall_short_of_one_by_rounding_still_choose() -> None:
    choice = RandomChoice([ALWAYS, Expand(), ALWAYS, Look()], (0.7, 0.1, 0.2 - 1e-9, 0.0))
    assert sum(choice.probabilities or ()) < 1

    class Edge:
        def random(self) -> float:
            return float(np.nextafter(1, 0))

    params = choice.draw(Edge(), PLAIN.info)  # type: ignore[arg-type]
    assert params is not None
    assert params.chosen == 2


def test_steps_takes_everything_apart() -> None:
    expanding = Expand(probability=1)
    recipe = Compose(
        [RandomApply(ALWAYS, 1), RandomApply(Look(), 0), RandomChoice([Compose([expanding])])]
    )
    params = recipe.draw(stream(0), PLAIN.info)
    assert [type(step) for step, _ in steps(recipe, params)] == [RandomFlip, Expand]
    assert [step for step, _ in steps(ALWAYS, FlipParams(None))] == [ALWAYS]


def test_steps_are_kept_as_a_tuple_that_nobody_else_holds() -> None:
    given: list[Transform[Any]] = [ALWAYS, RandomFlip()]
    recipe, choice = Compose(given), RandomChoice(given, [0.5, 0.5])
    given.clear()
    assert recipe.transforms == choice.transforms == (ALWAYS, RandomFlip())
    assert hash(recipe) == hash(Compose((ALWAYS, RandomFlip())))
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_a_recipe_prints_one_step_per_line() -> None:
    inner = Compose([RandomApply(Rasterize(), 0.25)])
    assert str(Compose([Look(), RandomChoice([Drop(), inner]), Look()])).splitlines() == [
        "Compose:",
        "  1 Look()",
        "  2 RandomChoice:",
        "    0.5 Drop()",
        "    0.5 Compose:",
        "      1 RandomApply:",
        "        0.25 Rasterize()",
        "  3 Look()",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Compose([RandomFlip]), "Compose: step 1 is <class .*pass an instance"),
        (lambda: Compose([RandomFlip(), len]), "step 2 is <built-in function len>"),
        (lambda: RandomApply("flip"), "RandomApply: step 1 is 'flip'"),  # type: ignore[arg-type]
        (lambda: RandomApply(RandomFlip(), 1.5), "between 0 and 1, not 1.5"),
        (lambda: RandomApply(RandomFlip(), float("nan")), "between 0 and 1, not nan"),
        (lambda: RandomChoice([]), "nothing to choose from"),
        (lambda: RandomChoice([RandomFlip()], [0.5, 0.5]), "1 transforms need as many"),
        (lambda: RandomChoice([RandomFlip(), Expand()], [0.5, 0.6]), "add up to 1"),
        (lambda: RandomChoice([RandomFlip(), Expand()], [1.5, -0.5]), "not be negative"),
        (lambda: RandomChoice([RandomFlip()], [float("nan")]), "add up to 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("params", [(), (FlipParams(None), FlipParams(None))])
def test_parameters_of_another_recipe_are_refused(params: Any) -> None:
    with pytest.raises(ValueError, match="zip"):
        Compose([RandomFlip()]).apply(PLAIN, params)
