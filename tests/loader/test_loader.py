"""What a Loader gives, and how it ends."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ftloader import (
    BudgetError,
    DataError,
    PlanError,
    StageError,
    ThreadSafety,
    TooManyFailures,
)
from ftloader.batching import (
    AspectGroups,
    FixedSize,
    Gathered,
    MemoryBudget,
    PaddedBatch,
    Sequential,
    list_collate,
    pad_collate,
    stack_collate,
)
from ftloader.detection import CocoFolder, open_coco
from ftloader.detection.augment import Augment
from ftloader.detection.sample import Sample
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.detection.transforms import Compose, RandomChoiceResize, RandomFlip, Resize
from ftloader.loader import Loader

RECIPE = Compose([RandomChoiceResize(((200, 96), (200, 128), (200, 160))), RandomFlip(0.5)])
BUDGET = MemoryBudget(120_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CocoFolder:
    spec = SyntheticSpec(images=30, seed=3)
    return open_coco(synthetic_coco(spec, cache_dir=tmp_path_factory.mktemp("coco")))


def told(batch: PaddedBatch) -> tuple[Any, ...]:
    """Everything that is in a batch, as plain values."""
    boxes = [box.tolist() for box in batch.boxes]
    labels = [label.tolist() for label in batch.labels]
    return (batch.image_ids.tolist(), batch.images.tobytes(), batch.sizes.tolist(), boxes, labels)


def test_an_epoch_serves_every_sample_once_within_the_budget(folder: CocoFolder) -> None:
    loader = Loader(folder, RECIPE, batch=BUDGET, concurrency=3)
    batches = list(loader)
    assert len(batches) == len(Loader(folder, RECIPE, batch=BUDGET))
    ids = [i for batch in batches for i in batch.image_ids.tolist()]
    assert sorted(ids) == sorted(folder.index.image_ids.tolist())
    assert max(batch.images.size // 3 for batch in batches) <= 120_000


@pytest.mark.parametrize("engine", ["serial", "threads", "spdl"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_batches_do_not_depend_on_engine_or_workers(
    folder: CocoFolder, engine: Any, concurrency: int
) -> None:
    wanted = [told(b) for b in Loader(folder, RECIPE, batch=BUDGET, concurrency=2, seed=5)]
    loader = Loader(folder, RECIPE, batch=BUDGET, concurrency=concurrency, engine=engine, seed=5)
    assert [told(batch) for batch in loader] == wanted


def test_batches_hold_what_the_recipe_makes(folder: CocoFolder) -> None:
    augment = Augment(folder, RECIPE, seed=2, epoch=1)
    loader = Loader(folder, RECIPE, batch=BUDGET, seed=2)
    loader.set_epoch(1)
    for batch in loader:
        for slot, index in enumerate(batch.planned.samples.tolist()):
            (sample,) = augment(index)
            height, width = sample.image.shape[:2]
            assert np.array_equal(batch.images[slot, :height, :width], sample.image)
            assert not batch.images[slot, height:].any()
            assert not batch.images[slot, :, width:].any()
            assert np.array_equal(batch.boxes[slot], sample.boxes)


def test_in_completion_order_the_same_batches_come_in_some_order(folder: CocoFolder) -> None:
    wanted = sorted(told(batch) for batch in Loader(folder, RECIPE, batch=BUDGET))
    loader = Loader(folder, RECIPE, batch=BUDGET, output_order="completion", concurrency=4)
    assert sorted(told(batch) for batch in loader) == wanted


def test_one_epoch_follows_the_other_and_differs(folder: CocoFolder) -> None:
    loader = Loader(folder, RECIPE, batch=4)
    first, second = ([told(batch) for batch in loader] for _ in range(2))
    assert loader.epoch == 2
    assert first != second
    loader.set_epoch(0)
    assert [told(batch) for batch in loader] == first


def test_batches_that_are_kept_stay_as_they_are(folder: CocoFolder) -> None:
    kept = list(Loader(folder, RECIPE, batch=BUDGET, prefetch=0))
    fresh = Loader(folder, RECIPE, batch=BUDGET)
    assert [told(batch) for batch in kept] == [told(batch) for batch in fresh]


def test_memory_is_used_again_from_batch_to_batch(folder: CocoFolder) -> None:
    places = set()
    for batch in Loader(folder, RECIPE, batch=2, prefetch=1):
        places.add(batch.images.ctypes.data)
        del batch
    assert len(places) <= 3


def bounded(folder: CocoFolder, batches: int) -> Loader:
    """A loader whose memory budget holds so many batches, and the images of two workers."""
    recipe, policy = Resize((200, 160)), FixedSize(2)
    plan = Loader(folder, recipe, batch=policy).plan()
    largest = int(plan.batches.padded.max()) * 3
    in_hand = 2 * 3 * int(folder.sizes().areas.max() + plan.plan.sizes.areas.max())
    budget = batches * largest + in_hand
    return Loader(folder, recipe, batch=policy, memory_budget=budget, concurrency=2)


def test_a_memory_budget_that_holds_all_batches_lets_them_be_kept(folder: CocoFolder) -> None:
    assert len(list(bounded(folder, 15))) == 15


def test_a_memory_budget_bounds_the_buffers(folder: CocoFolder) -> None:
    loader = bounded(folder, 3)
    places = set()
    for batch in loader:
        places.add(batch.images.ctypes.data)
        del batch
    assert len(places) <= 3


def test_a_memory_budget_that_holds_no_two_batches_is_refused(folder: CocoFolder) -> None:
    with pytest.raises(BudgetError, match=r"does not hold two batches of .* give it"):
        iter(Loader(folder, RECIPE, batch=4, memory_budget=100_000))


def test_keeping_more_batches_than_a_memory_budget_holds_is_an_error(folder: CocoFolder) -> None:
    loader = bounded(folder, 3)
    batches = iter(loader)
    kept = [next(batches) for _ in range(3)]
    with pytest.raises(BudgetError, match="3 batches are still in use, all that memory_budget"):
        next(batches)
    assert len(kept) == 3


def test_pixels_of_workers_that_wait_are_not_kept_alive(folder: CocoFolder) -> None:
    made: list[weakref.ref[Any]] = []

    class Watched(Broken):
        def load(self, i: int) -> Sample:
            sample = super().load(i)
            made.append(weakref.ref(sample.image))
            return sample

    loader = Loader(Watched(folder, set()), Resize((200, 160)), batch=2, concurrency=3, prefetch=2)
    batches = iter(loader)
    first = next(batches)
    # Four buffers of two images: more cannot be begun while the first batch is in use.
    until = time.monotonic() + 30
    while len(made) < 8 or any(image() is not None for image in made):
        assert time.monotonic() < until, f"{sum(i() is not None for i in made)} images are alive"
        threading.Event().wait(0.01)
    assert len(made) == 8
    assert len(first) == 2
    loader.close()


def test_an_early_break_leaves_no_thread(folder: CocoFolder, no_thread_left: None) -> None:
    loader = Loader(folder, RECIPE, batch=2, concurrency=3)
    for _ in loader:
        break
    loader.close()
    del _


def test_dropping_the_loader_leaves_no_thread(folder: CocoFolder) -> None:
    before = set(threading.enumerate())
    batches = iter(Loader(folder, RECIPE, batch=2, concurrency=3))
    next(batches)
    del batches
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_after_a_break_the_epoch_goes_on_where_it_was(folder: CocoFolder) -> None:
    wanted = [batch.image_ids.tolist() for batch in Loader(folder, RECIPE, batch=3)]
    loader = Loader(folder, RECIPE, batch=3)
    found = []
    for batch in loader:
        found.append(batch.image_ids.tolist())
        if len(found) == 4:
            break
    found += [batch.image_ids.tolist() for batch in loader]
    assert found == wanted
    assert loader.epoch == 1


def test_a_second_iteration_ends_the_first(folder: CocoFolder) -> None:
    loader = Loader(folder, RECIPE, batch=3)
    first = iter(loader)
    next(first)
    second = [batch.image_ids.tolist() for batch in loader]
    assert len(second) == 9
    with pytest.raises(Exception, match="stopped"):
        next(first)


class Broken:
    """A folder some of whose images cannot be read."""

    def __init__(self, folder: CocoFolder, broken: set[int]) -> None:
        self.folder, self.broken = folder, broken

    def __len__(self) -> int:
        return len(self.folder)

    def sample_info(self, i: int) -> Any:
        return self.folder.sample_info(i)

    def load(self, i: int) -> Sample:
        if i in self.broken:
            raise DataError(f"sample {i} is no picture")
        return self.folder.load(i)


def test_a_sample_that_fails_ends_the_epoch_and_is_named(folder: CocoFolder) -> None:
    loader = Loader(Broken(folder, {7}), RECIPE, batch=4, sampler=Sequential(30))
    batches = iter(loader)
    assert next(batches).planned.samples.tolist() == [0, 1, 2, 3]
    with pytest.raises(StageError, match="sample 7"):
        next(batches)


@pytest.mark.parametrize("order", ["input", "completion"])
def test_samples_that_fail_can_be_left_out_and_are_recorded(
    folder: CocoFolder, order: Any, no_thread_left: None
) -> None:
    loader = Loader(
        Broken(folder, {1, 8, 9, 10, 11}), RECIPE, batch=4, sampler=Sequential(30),
        on_error="skip", output_order=order, concurrency=3,
    )  # fmt: skip
    batches = {}
    for batch in loader:
        batches[batch.planned.step] = [folder.info(i).id for i in batch.planned.samples.tolist()]
        assert set(batch.image_ids.tolist()) <= set(batches[batch.planned.step])
        assert len(batch.images) == len(batch.boxes) == len(batch.image_ids)
        wanted = {0: 3, 2: 0, 7: 2}.get(batch.planned.step, 4)
        assert len(batch) == wanted
    assert sorted(batches) == list(range(8))
    assert len(loader.failures) == 5
    assert all("is no picture" in record.error for record in loader.failures)


def test_too_many_failures_end_the_epoch(folder: CocoFolder) -> None:
    loader = Loader(
        Broken(folder, set(range(30))), RECIPE, batch=4, on_error="skip", max_failures=3
    )
    with pytest.raises(TooManyFailures, match="more than 3 samples failed, which is"):
        list(loader)


def test_any_function_can_collate(folder: CocoFolder) -> None:
    def ids(gathered: Gathered) -> list[int]:
        return [sample.info.image_id for sample in gathered.samples]

    found = list(Loader(folder, RECIPE, batch=7, collate=ids, sampler=Sequential(30)))
    assert [len(batch) for batch in found] == [7, 7, 7, 7, 2]
    assert [i for batch in found for i in batch] == folder.index.image_ids.tolist()


@dataclass(frozen=True, slots=True)
class Scratch(Resize):
    """Needs an instance for each thread, and knows which threads used it."""

    users: set[int] = field(default_factory=set, compare=False)

    @property
    def thread_safety(self) -> ThreadSafety:
        return ThreadSafety.PER_THREAD

    def pixels(self, image: Any, params: Any) -> Any:
        self.users.add(threading.get_ident())
        assert len(self.users) == 1, "two threads share what is for one"
        return Resize.pixels(self, image, params)


def test_a_recipe_with_scratch_of_its_own_is_copied_for_each_worker(folder: CocoFolder) -> None:
    wanted = [told(batch) for batch in Loader(folder, Resize((200, 160)), batch=3)]
    loader = Loader(folder, Scratch((200, 160)), batch=3, concurrency=4)
    assert [told(batch) for batch in loader] == wanted


def test_the_weight_of_a_batch_is_less_by_what_was_skipped(folder: CocoFolder) -> None:
    loader = Loader(Broken(folder, {1}), RECIPE, batch=4, sampler=Sequential(30), on_error="skip")
    first, second, *_ = loader
    assert (first.weight, second.weight) == (0.75, 1.0)


def test_choosing_an_epoch_while_another_is_served_does_not_mix_them(folder: CocoFolder) -> None:
    wanted = Loader(folder, RECIPE, batch=3)
    wanted.set_epoch(5)
    fifth = [told(batch) for batch in wanted]
    loader = Loader(folder, RECIPE, batch=3)
    batches = iter(loader)
    next(batches)
    loader.set_epoch(5)
    next(batches)
    assert loader.state_dict()["batches"] == 0
    assert [told(batch) for batch in loader] == fifth


def test_samples_can_be_kept_apart(folder: CocoFolder) -> None:
    loader = Loader(folder, RECIPE, batch=7, collate=list_collate)
    for lists, padded in zip(loader, Loader(folder, RECIPE, batch=7), strict=True):
        assert [info.image_id for info in lists["infos"]] == padded.image_ids.tolist()
        for slot, image in enumerate(lists["images"]):
            height, width = image.shape[:2]
            assert np.array_equal(image, padded.images[slot, :height, :width])
            assert np.array_equal(lists["boxes"][slot], padded.boxes[slot])


def test_images_of_one_size_can_be_stacked(folder: CocoFolder) -> None:
    recipe = Resize((50, 40), keep_ratio=False)
    for batch in Loader(folder, recipe, batch=7, collate=stack_collate):
        assert batch.images.shape == (len(batch.planned), 40, 50, 3)
    with pytest.raises(StageError, match="images of several sizes cannot be stacked"):
        list(Loader(folder, RECIPE, batch=7, collate=stack_collate))


@pytest.mark.parametrize("collate", [list_collate, stack_collate, pad_collate])
def test_a_batch_of_skipped_samples_alone_is_empty(folder: CocoFolder, collate: Any) -> None:
    data, how = Broken(folder, {0, 1}), {"on_error": "skip", "collate": collate}
    recipe = Resize((50, 40), keep_ratio=False)
    first = next(iter(Loader(data, recipe, batch=2, sampler=Sequential(30), **how)))
    assert len(first["images"] if isinstance(first, dict) else first.images) == 0


def test_ranks_share_an_epoch(folder: CocoFolder) -> None:
    found = []
    for rank in range(3):
        loader = Loader(folder, RECIPE, batch=BUDGET, rank=rank, world_size=3)
        found += [i for batch in loader if batch.planned.weight for i in batch.image_ids.tolist()]
    assert sorted(found) == sorted(folder.index.image_ids.tolist())


def test_rank_and_world_come_from_the_environment(
    folder: CocoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    plan = Loader(folder, RECIPE, batch=4).plan()
    assert (plan.rank, plan.world_size) == (1, 2)
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(PlanError, match="RANK of the environment is no number: 'one'"):
        Loader(folder)


def test_oversize_samples_come_as_large_as_planned(folder: CocoFolder) -> None:
    policy = MemoryBudget(20_000, oversize="downscale", stride=8)
    loader = Loader(folder, Resize((200, 160)), batch=policy)
    assert loader.plan().plan.oversized
    assert all(batch.images.size // 3 <= 20_000 for batch in loader)


def test_pixels_of_another_type_are_refused_with_the_remedy(folder: CocoFolder) -> None:
    with pytest.raises(StageError, match=r"pixels of uint8, .* give it dtype='uint8'"):
        list(Loader(folder, RECIPE, dtype=np.float32))


def test_aspect_groups_go_by_the_stored_sizes(folder: CocoFolder) -> None:
    loader = Loader(folder, Resize((64, 64), keep_ratio=False), batch=AspectGroups(4))
    infos = {info.id: info for info in map(folder.info, range(30))}
    kinds = [
        {infos[i].width < infos[i].height for i in batch.image_ids.tolist()} for batch in loader
    ]
    assert sum(len(kind) > 1 for kind in kinds) <= 2


REFUSED: dict[str, dict[str, Any]] = {
    "no such rank": {"rank": 2, "world_size": 2},
    "no workers": {"concurrency": 0},
    "prefetch below nothing": {"prefetch": -1},
    "no batches": {"batches_per_step": 0},
    "no sampler": {"sampler": [1, 2, 3]},
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_what_cannot_be_is_refused_when_the_loader_is_made(folder: CocoFolder, case: str) -> None:
    with pytest.raises(PlanError):
        Loader(folder, **REFUSED[case])
