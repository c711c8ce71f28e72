"""Plans served through pipelines: what comes out is what was planned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ftloader import DataError, Pipeline, StageError
from ftloader.batching import (
    FixedSize,
    Gather,
    Gathered,
    HostBytes,
    MemoryBudget,
    OnlineBudget,
    PaddedBatch,
    Place,
    RankPlan,
    Serve,
    Served,
    Sizes,
    pad_collate,
    pad_samples,
    places,
    plan_epoch,
)
from ftloader.detection import CocoFolder, Sample, open_coco
from ftloader.detection.augment import Augment
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.detection.transforms import Compose, RandomChoiceResize, RandomFlip, Resize
from ftloader.detection.transforms.resize import resize_to

MULTI = Compose([RandomChoiceResize(((200, 96), (200, 128), (200, 160))), RandomFlip(0.5)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CocoFolder:
    spec = SyntheticSpec(images=24, seed=3)
    return open_coco(synthetic_coco(spec, cache_dir=tmp_path_factory.mktemp("coco")))


def pipeline(mine: RankPlan, augment: Augment, workers: int = 2) -> Pipeline:
    source = Pipeline(lambda: places(mine))
    return source.pipe(Serve(augment), concurrency=workers).aggregate(Gather).pipe(pad_collate)


def batches(mine: RankPlan, augment: Augment, engine: str = "threads") -> Iterator[PaddedBatch]:
    with pipeline(mine, augment).run(engine=engine) as run:
        yield from run


@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_a_served_plan_gives_the_planned_batches(folder: CocoFolder, engine: str) -> None:
    augment = Augment(folder, MULTI, seed=4)
    plan = plan_epoch(augment.sizes(), MemoryBudget(120_000), batches_per_step=2)
    seen = []
    for mine in plan.ranks(2):
        for planned, batch in zip(mine, batches(mine, augment, engine), strict=True):
            assert batch.images.shape == (len(planned), planned.height, planned.width, 3)
            assert batch.sizes.tolist() == planned.sizes.tolist()
            assert batch.images.size // 3 <= 120_000
            seen += planned.samples.tolist()
            ids = [folder.info(sample).id for sample in planned.samples.tolist()]
            assert batch.image_ids.tolist() == ids
    assert sorted(seen) == list(range(24))


def test_a_batch_holds_the_pixels_and_objects_of_its_samples(folder: CocoFolder) -> None:
    augment = Augment(folder, MULTI, seed=4)
    mine = plan_epoch(augment.sizes(), MemoryBudget(120_000)).rank(0)
    for planned, batch in zip(mine, batches(mine, augment), strict=True):
        for slot, sample in enumerate(planned.samples.tolist()):
            (alone,) = augment(sample)
            height, width = alone.image.shape[:2]
            assert np.array_equal(batch.images[slot, :height, :width], alone.image)
            assert not batch.images[slot, height:].any()
            assert not batch.images[slot, :, width:].any()
            assert np.array_equal(batch.boxes[slot], alone.boxes)
            assert np.array_equal(batch.labels[slot], alone.labels)
            assert np.array_equal(batch.crowd[slot], alone.crowd)


def test_host_bytes_are_exactly_those_of_a_served_batch(folder: CocoFolder) -> None:
    augment = Augment(folder, MULTI, seed=4)
    sizes = augment.sizes(exact_boxes=True)
    mine = plan_epoch(sizes, MemoryBudget(400_000, HostBytes())).rank(0)
    for planned, batch in zip(mine, batches(mine, augment), strict=True):
        assert planned.cost == batch.nbytes


def test_a_sample_that_repeats_is_augmented_in_another_way(folder: CocoFolder) -> None:
    augment = Augment(folder, RandomChoiceResize(((90, 60), (120, 80), (200, 160))), seed=1)
    entries, draws = [5] * 12, list(range(12))
    sizes = augment.sizes(entries, draws)
    assert len(set(sizes.widths.tolist())) == 3
    plan = plan_epoch(sizes, MemoryBudget(60_000), samples=entries)
    found = [size for batch in batches(plan.rank(0), augment) for size in batch.sizes.tolist()]
    wanted = np.stack([sizes.widths, sizes.heights], 1).tolist()
    assert sorted(found) == sorted(wanted)


def test_an_image_that_is_not_as_planned_is_an_error_that_names_it(folder: CocoFolder) -> None:
    augment = Augment(folder, MULTI, seed=4)
    mine = plan_epoch(augment.sizes(), FixedSize(2)).rank(0)
    with pytest.raises(StageError, match=r"planned was .* the same data set") as caught:
        list(batches(mine, augment.at_epoch(1)))
    assert isinstance(caught.value.__cause__, DataError)


def test_oversize_samples_are_fitted_to_their_planned_size(folder: CocoFolder) -> None:
    augment = Augment(folder, Resize((200, 160)), seed=4)
    plan = plan_epoch(augment.sizes(), MemoryBudget(20_000, oversize="downscale", stride=8))
    assert plan.oversized

    stages = (
        Pipeline(lambda: places(plan.rank(0))).pipe(Serve(augment, resize_to)).aggregate(Gather)
    )
    for batch in stages.pipe(pad_collate):
        assert batch.images.size // 3 <= 20_000


def test_a_skipped_sample_is_missing_from_its_batch_and_shifts_nothing(folder: CocoFolder) -> None:
    augment = Augment(folder, Resize((200, 160)), seed=4)
    mine = plan_epoch(augment.sizes(), FixedSize(5)).rank(0)

    def broken(which: tuple[int, int]) -> Iterator[Sample]:
        if which[0] in (3, 4, 10, 11, 12, 13, 14):
            raise DataError("no pixels")
        yield from augment(which)

    source = Pipeline(lambda: places(mine)).pipe(Serve(broken), concurrency=2, on_error="skip")
    with source.aggregate(Gather).run() as run:
        gathered: list[Gathered] = list(run)
        assert len(run.failures) == 7
    found = {g.batch.step: [sample.info.index for sample in g.samples] for g in gathered}
    assert found == {
        0: [0, 1, 2],
        1: [5, 6, 7, 8, 9],
        3: [15, 16, 17, 18, 19],
        4: [20, 21, 22, 23],
    }


def test_an_image_larger_than_its_batch_is_refused(folder: CocoFolder) -> None:
    augment = Augment(folder, Resize((200, 160)), seed=4)
    (first, *_) = plan_epoch(Sizes.of([32] * 24, [32] * 24), FixedSize(1)).rank(0)
    (sample,) = augment(0)
    with pytest.raises(DataError, match="larger than the 32 x 32 planned for its batch"):
        pad_collate(Gathered(first, (sample,)))


def test_gather_gives_what_is_left_at_the_end(folder: CocoFolder) -> None:
    (batch,) = plan_epoch(Sizes.of([32] * 3, [32] * 3), FixedSize(3)).rank(0)
    gather = Gather()
    assert list(gather.add(Served(Place(batch, 0), "a"))) == []
    assert [g.samples for g in gather.flush()] == [("a",)]
    assert list(gather.flush()) == []


def test_sizes_foretell_what_comes_out(folder: CocoFolder) -> None:
    augment = Augment(folder, MULTI, seed=4)
    sizes = augment.sizes()
    for index in range(len(folder)):
        (sample,) = augment(index)
        assert (sizes.widths[index], sizes.heights[index]) == sample.info.size
        assert sizes.boxes[index] >= len(sample.boxes)


def test_a_stream_is_batched_and_padded_under_a_budget(folder: CocoFolder) -> None:
    augment = Augment(folder, MULTI, seed=4)
    rule = OnlineBudget(120_000, max_images=4)
    pipeline = Pipeline(range(24)).pipe(augment, concurrency=2).aggregate(rule).pipe(pad_samples)
    batches = list(pipeline)
    assert all(batch.images.size // 3 <= 120_000 for batch in batches)
    assert all(batch.planned is None for batch in batches)
    ids = sorted(i for batch in batches for i in batch.image_ids.tolist())
    assert ids == [folder.info(i).id for i in range(24)]


def test_a_batch_of_no_samples_cannot_be_padded() -> None:
    with pytest.raises(DataError, match="a batch needs at least one sample"):
        pad_samples([])
