"""Going on from a state: what comes then is what would have come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftloader import StateError
from ftloader.batching import (
    AspectGroups,
    FixedSize,
    MemoryBudget,
    Policy,
    Sequential,
    Sizes,
    Weighted,
)
from ftloader.detection.annotations import Annotations
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms import RandomChoiceResize
from ftloader.loader import Loader

RECIPE = RandomChoiceResize(((60, 24), (60, 40)))


@dataclass(frozen=True)
class Blank:
    """Tiny images of given sizes; counts how often each was loaded."""

    shapes: Sequence[tuple[int, int]]
    loaded: list[int]

    def __len__(self) -> int:
        return len(self.shapes)

    def sample_info(self, i: int) -> SampleInfo:
        width, height = self.shapes[i]
        return SampleInfo(width, height, Annotations.none(), i, i, f"{i}.jpg", (width, height))

    def sizes(self) -> Sizes:
        return Sizes.of(*zip(*self.shapes, strict=True))

    def bare_info(self, i: int) -> SampleInfo:
        return self.sample_info(i)

    def load(self, i: int) -> Sample:
        self.loaded.append(i)
        info = self.sample_info(i)
        return Sample(np.full((info.height, info.width, 3), i % 251, np.uint8), info)


def blank(count: int) -> Blank:
    rng = np.random.default_rng(count)
    return Blank([tuple(pair) for pair in rng.integers(8, 40, (count, 2)).tolist()], [])


POLICIES: list[Policy] = [
    FixedSize(3),
    AspectGroups(4, "mmdet"),
    MemoryBudget(9_000, stride=8),
    MemoryBudget(20_000, stride=8, max_images=5),
]

policies = st.sampled_from(POLICIES)
engines = st.sampled_from(["serial", "threads"])


def told(batch: Any) -> tuple[int, ...]:
    return (*batch.image_ids.tolist(), batch.images.shape, batch.images.tobytes())


def some(batches: Iterator[Any], count: int) -> list[tuple[int, ...]]:
    return [told(batch) for batch in islice(batches, count)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_comes_after_a_resume_is_what_would_have_come(data: st.DataObject) -> None:
    draw = data.draw
    count, policy, world = draw(st.integers(1, 40)), draw(policies), draw(st.integers(1, 3))
    fixed: dict[str, Any] = {
        "batch": policy,
        "seed": 3,
        "batches_per_step": draw(st.integers(3, 5)),
    }
    fixed |= {"rank": draw(st.integers(0, world - 1)), "world_size": world}
    whole = Loader(blank(count), RECIPE, concurrency=2, **fixed)
    wanted = [told(batch) for _ in range(2) for batch in whole]

    first = Loader(
        blank(count), RECIPE, engine=draw(engines), concurrency=draw(st.integers(1, 4)), **fixed
    )
    received = []
    for _ in range(draw(st.integers(1, 2))):
        received += some(iter(first), draw(st.integers(0, 12)))
    state = json.loads(json.dumps(first.state_dict()))
    first.close()
    assert len(json.dumps(state)) < 4096

    second = Loader(
        blank(count), RECIPE, engine=draw(engines), concurrency=draw(st.integers(1, 4)), **fixed
    )
    second.load_state_dict(state)
    while second.epoch < 2:
        received += [told(batch) for batch in second]
    assert received == wanted


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_in_completion_order_every_batch_comes_once(data: st.DataObject) -> None:
    draw = data.draw
    count, policy = draw(st.integers(1, 60)), draw(policies)
    how: dict[str, Any] = {"batch": policy, "seed": 3, "output_order": "completion"}
    wanted = sorted(told(batch) for batch in Loader(blank(count), RECIPE, **how))
    first = Loader(blank(count), RECIPE, concurrency=4, prefetch=6, **how)
    received = some(iter(first), draw(st.integers(0, 10)))
    state = first.state_dict()
    first.close()
    second = Loader(blank(count), RECIPE, concurrency=draw(st.integers(1, 4)), **how)
    second.load_state_dict(state)
    if second.epoch == 0:
        received += [told(batch) for batch in second]
    assert sorted(received) == wanted


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_run_goes_on_with_another_number_of_ranks(data: st.DataObject) -> None:
    draw = data.draw
    count, policy = draw(st.integers(1, 60)), draw(policies)
    before, after = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    fixed: dict[str, Any] = {"batch": policy, "seed": 9, "batches_per_step": 4}
    ranks = [
        Loader(blank(count), RECIPE, rank=r, world_size=before, **fixed) for r in range(before)
    ]
    steps = draw(st.integers(0, len(ranks[0].plan().plan)))
    served, states = [], []
    for loader in ranks:
        batches = iter(loader)
        mine = loader.plan()
        # A step ends for a rank with its last batch of it.
        for _ in range(int(np.searchsorted(mine.steps[mine.mine], steps))):
            batch = next(batches)
            served += [] if batch.planned.repeat else batch.image_ids.tolist()
        states.append(loader.state_dict())
        loader.close()
    for r in range(after):
        loader = Loader(blank(count), RECIPE, rank=r, **{**fixed, "world_size": after})
        loader.load_state_dict(states[draw(st.integers(0, before - 1))])
        for batch in loader if loader.epoch == 0 else ():
            assert batch.planned.step >= steps
            served += [] if batch.planned.repeat else batch.image_ids.tolist()
    assert sorted(served) == list(range(count))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_from_all_states_any_number_of_ranks_goes_on_in_any_order(data: st.DataObject) -> None:
    draw = data.draw
    count, policy = draw(st.integers(1, 60)), draw(policies)
    fixed: dict[str, Any] = {"batch": policy, "seed": 9, "batches_per_step": 4}
    fixed["output_order"] = draw(st.sampled_from(["input", "completion"]))
    worlds = draw(st.lists(st.integers(1, 4), min_size=3, max_size=3))
    # What comes first may differ from run to run: nothing is drawn from here on.
    takes = draw(st.lists(st.integers(0, 4), min_size=8, max_size=8))
    served, states = list[int](), list[Any]()
    for turn, world in enumerate(worlds):
        fixed["world_size"] = world
        ranks = [Loader(blank(count), RECIPE, rank=rank, **fixed) for rank in range(world)]
        for loader in ranks:
            if states:
                loader.load_state_dict(states)
        # The last world serves what the others left, of a plan that has lost something twice.
        last = turn + 1 == len(worlds)
        states = []
        for loader in ranks:
            # A rank that had received all of its batches is an epoch further.
            left = 0 if loader.epoch else None if last else takes.pop()
            for batch in islice(loader, left):
                served += [] if batch.planned.repeat else batch.image_ids.tolist()
            states.append(json.loads(json.dumps(loader.state_dict())))
            loader.close()
        if not last and any(state["epoch"] for state in states):
            return  # an epoch that some had finished and others had not
    assert sorted(served) == list(range(count))


def test_the_states_of_all_ranks_are_needed_together() -> None:
    how: dict[str, Any] = {"batches_per_step": 3, "world_size": 3}
    states = [loader_of(rank=rank, **how).state_dict() for rank in range(3)]
    other = loader_of(batches_per_step=3, world_size=2, rank=0)
    with pytest.raises(StateError, match=r"states of all 3 ranks .* not those of ranks \[0, 2\]"):
        other.load_state_dict([states[0], states[2]])
    with pytest.raises(StateError, match="there is no state in the list"):
        other.load_state_dict([])


def test_what_was_received_is_not_loaded_again() -> None:
    data = blank(40)
    first = Loader(data, RECIPE, batch=4, sampler=Sequential(40), concurrency=1)
    some(iter(first), 6)
    state = first.state_dict()
    first.close()
    del data.loaded[:]
    second = Loader(data, RECIPE, batch=4, sampler=Sequential(40), concurrency=1)
    second.load_state_dict(state)
    assert not data.loaded
    for _ in second:
        pass
    assert sorted(data.loaded) == list(range(24, 40))


def test_a_state_of_the_last_batch_begins_the_next_epoch() -> None:
    first = Loader(blank(10), RECIPE, batch=5)
    batches = iter(first)
    some(batches, 2)
    second = Loader(blank(10), RECIPE, batch=5)
    second.load_state_dict(first.state_dict())
    assert second.epoch == 1


def test_samples_that_come_more_than_once_resume_too() -> None:
    sampler = Weighted(np.arange(1, 13).astype(float), 30, seed=4)
    how: dict[str, Any] = {"batch": MemoryBudget(9_000, stride=8), "sampler": sampler}
    wanted = [told(batch) for batch in Loader(blank(12), RECIPE, **how)]
    first = Loader(blank(12), RECIPE, **how)
    received = some(iter(first), 3)
    second = Loader(blank(12), RECIPE, **how)
    second.load_state_dict(first.state_dict())
    assert received + [told(batch) for batch in second] == wanted


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "number of samples": ({"count": 21}, "number of samples was 20, this loader's is 21"),
    "policy": ({"batch": FixedSize(5)}, "policy was FixedSize.*batch_size=4"),
    "seed": ({"seed": 1}, "seed was 0, this loader's is 1|sampler was"),
    "recipe": ({"recipe": RandomChoiceResize(((60, 24),))}, "recipe was RandomChoiceResize"),
    "steps": ({"batches_per_step": 2}, "batches_per_step was 1, this loader's is 2"),
}


def loader_of(count: int = 20, recipe: Any = RECIPE, **how: Any) -> Loader:
    return Loader(blank(count), recipe, **{"batch": FixedSize(4), **how})


@pytest.mark.parametrize("what", OTHERS, ids=lambda what: what.replace(" ", "-"))
def test_a_state_of_another_run_is_refused_by_what_differs(what: str) -> None:
    how, text = OTHERS[what]
    with pytest.raises(StateError, match=text) as caught:
        loader_of(**how).load_state_dict(loader_of().state_dict())
    assert "\n" not in str(caught.value)


def test_a_state_of_other_images_is_refused() -> None:
    policy = MemoryBudget(9_000, stride=8)
    other = Blank([(width + 16, height) for width, height in blank(20).shapes], [])
    with pytest.raises(StateError, match="epoch 0 is planned in another way here; the"):
        Loader(other, RECIPE, batch=policy).load_state_dict(loader_of(batch=policy).state_dict())


def test_a_state_within_a_step_fits_no_other_world_size() -> None:
    how: dict[str, Any] = {"batches_per_step": 2}
    first = loader_of(**how)
    some(iter(first), 3)
    with pytest.raises(StateError, match=r"by rank 0 of 1 within step 1; rank 1 of 2 can"):
        loader_of(rank=1, world_size=2, **how).load_state_dict(first.state_dict())


DAMAGED: dict[str, Any] = {
    "nothing": {},
    "another version": {"ftloader": 99},
    "half of it": {"ftloader": 1, "epoch": 0},
    "words for numbers": {**loader_of().state_dict(), "batches": "many"},
    "no facts": {**loader_of().state_dict(), "facts": None},
}


@pytest.mark.parametrize("what", DAMAGED, ids=lambda what: what.replace(" ", "-"))
def test_a_damaged_state_is_refused(what: str) -> None:
    with pytest.raises(StateError) as caught:
        loader_of().load_state_dict(DAMAGED[what])
    assert "\n" not in str(caught.value)


def test_a_refused_state_leaves_the_loader_as_it_was() -> None:
    loader = loader_of()
    some(iter(loader), 2)
    before = loader.state_dict()
    with pytest.raises(StateError):
        loader.load_state_dict(loader_of(batch=FixedSize(5)).state_dict())
    assert loader.state_dict() == before
