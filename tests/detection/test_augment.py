from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from PIL import Image as PillowImage

from ftloader import Pipeline, StageError
from ftloader.detection import CocoFolder, open_coco
from ftloader.detection.augment import Augment, Loaded, Plan
from ftloader.detection.sample import Image, Sample, SampleInfo
from ftloader.detection.transforms.base import NO_PARTNERS, Partners, Transform
from ftloader.detection.transforms.compose import Compose, RandomApply
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.mosaic import Mosaic
from ftloader.detection.transforms.rasterize import Rasterize
from ftloader.detection.transforms.resize import RandomResize, Resize
from ftloader.engine import ENGINES
from ftloader.errors import DataError
from tests.conformance.transforms.samples import SAMPLES, InMemory, digest, in_memory, picture

DATA = in_memory(*(SAMPLES[name] for name in ("plain", "empty", "crowd", "over-the-edge")))
RECIPE = Compose([RandomResize((40, 40), (0.5, 2)), RandomFlip(0.4, 0.3, 0.3)])
# Drops "over-the-edge", which has no box so large inside the image.
LARGE_ONLY = Compose([Resize((48, 36)), FilterAnnotations((17, 17))])


@dataclass(frozen=True, slots=True)
class Blend(Transform[int]):
    """Takes the sample before as its partner."""

    def draw(self, rng: Generator, info: SampleInfo) -> int:
        return info.index - 1

    def output_size(self, info: SampleInfo, params: int) -> tuple[int, int]:
        return info.size

    def partners(self, params: int) -> tuple[int, ...]:
        return (params,)

    def apply(self, sample: Sample, params: int, partners: Partners = NO_PARTNERS) -> Sample:
        return replace(sample, image=sample.image + partners[params].image.max())


@dataclass(frozen=True, slots=True)
class Fail(Transform[int]):
    error: Exception
    when: str = "apply"

    def draw(self, rng: Generator, info: SampleInfo) -> int:
        if self.when == "draw":
            raise self.error
        return 0

    def output_size(self, info: SampleInfo, params: int) -> tuple[int, int]:
        return info.size

    def pixels(self, image: Image, params: int) -> Image:
        raise self.error


@dataclass(frozen=True, slots=True, eq=False)
class WithoutPixels(InMemory):
    def load(self, i: int) -> Sample:
        raise AssertionError(f"sample {i} was loaded")


def write_coco(folder: Path, *images: tuple[str, int, int]) -> CocoFolder:
    """Write pictures, each with one object; what is called ``broken`` is no picture."""
    (folder / "annotations").mkdir()
    (folder / "images").mkdir()
    document: dict[str, Any] = {"images": [], "annotations": []}
    document["categories"] = [{"id": 1, "name": "thing"}]
    for number, (name, width, height) in enumerate(images, 1):
        path = folder / "images" / name
        if name.startswith("broken"):
            path.write_bytes(b"not an image")
        else:
            smooth = PillowImage.fromarray(picture(16, 12)).resize((width, height))
            smooth.save(path, quality=95)
        size = {"width": width, "height": height}
        document["images"].append({"id": 10 * number, "file_name": name, **size})
        box = [3.0, 4.0, width / 2, height / 2]
        note = {"id": number, "image_id": 10 * number, "category_id": 1, "iscrowd": 0, "bbox": box}
        outline = [[3.0, 4.0, 3.0 + width / 2, 4.0, 3.0, 4.0 + height / 2]]
        note |= {"area": width * height / 8, "segmentation": outline}
        document["annotations"].append(note)
    (folder / "annotations" / "instances_made.json").write_text(json.dumps(document))
    return open_coco(folder)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def run(pipeline: Pipeline[Any], engine: Any = "serial") -> list[Any]:
    with pipeline.run(engine) as results:
        return list(results)


def test_a_pipeline_goes_from_indices_to_samples(engine: Any) -> None:
    augment = Augment(DATA, RECIPE, seed=3)
    samples = run(Pipeline(range(len(augment))).pipe(augment, concurrency=3), engine)
    assert [sample.info.index for sample in samples] == [0, 1, 2, 3]
    for sample in samples:
        plan = augment.plan(sample.info.index)
        assert plan is not None
        assert sample.info.size == plan.size == sample.image.shape[1::-1]
        assert plan.key == sample.key


def test_three_stages_do_what_one_does(engine: Any) -> None:
    augment = Augment(DATA, LARGE_ONLY)
    one = Pipeline(range(4)).pipe(augment, concurrency=2)
    three = Pipeline(range(4)).pipe(augment.plans).pipe(augment.load, concurrency=2)
    three = three.pipe(augment.apply, concurrency=2)
    assert list(map(digest, run(three, engine))) == list(map(digest, run(one, engine)))


def test_what_the_recipe_drops_yields_nothing(engine: Any) -> None:
    augment = Augment(DATA, LARGE_ONLY)
    samples = run(Pipeline(range(4)).pipe(augment, concurrency=2), engine)
    assert [sample.info.index for sample in samples] == [0, 1, 2]
    assert augment.plan(3) is None
    assert list(augment(3)) == list(augment.plans(3)) == []


def test_an_index_gives_the_same_sample_whenever_it_is_asked_for() -> None:
    augment = Augment(DATA, RECIPE, seed=7, epoch=2)
    first = {i: digest(next(augment(i))) for i in range(4)}
    again = replace(augment)
    assert {i: digest(next(again(i))) for i in (3, 0, 2, 1, 3)} == first


def test_epochs_and_seeds_differ() -> None:
    augment = Augment(DATA, RECIPE)
    others = [augment.at_epoch(1), replace(augment, seed=1)]
    assert len({augment.plan(0), *(other.plan(0) for other in others)}) == 3
    assert augment.at_epoch(1).at_epoch(0) == augment


def test_planning_reads_no_pixels() -> None:
    augment = Augment(WithoutPixels(DATA.samples), RECIPE)
    plans = [augment.plan(i) for i in range(4)]
    assert plans == [Augment(DATA, RECIPE).plan(i) for i in range(4)]


def test_a_plan_survives_pickling_and_is_carried_out_elsewhere() -> None:
    augment = Augment(DATA, RECIPE)
    plan: Plan = pickle.loads(pickle.dumps(augment.plan(2)))
    assert digest(augment.apply(augment.load(plan))) == digest(next(augment(2)))


def test_partners_are_loaded_and_count_as_bytes() -> None:
    augment = Augment(DATA, Blend())
    plan = augment.plan(1)
    assert plan is not None
    assert plan.partners == (0,)
    loaded = augment.load(plan)
    assert loaded.nbytes == DATA.load(0).nbytes + DATA.load(1).nbytes
    assert loaded.key == "000000000002.jpg"
    assert augment.apply(loaded).image.shape == (36, 48, 3)


@pytest.mark.parametrize("when", ["draw", "apply"])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("bbox"), "image 3, 000000000003.jpg: KeyError: 'bbox'"),
        (DataError("annotation 7: no"), "image 3, 000000000003.jpg: annotation 7: no"),
        (DataError("000000000003.jpg is odd"), "000000000003.jpg is odd"),
    ],
)
def test_errors_name_the_sample(error: Exception, text: str, when: str) -> None:
    augment = Augment(DATA, Compose([Fail(error, when)]))
    with pytest.raises(DataError) as caught:
        list(augment(2))
    assert str(caught.value) == text
    assert error in (caught.value, caught.value.__cause__)


def test_running_out_of_memory_stays_what_it_is() -> None:
    with pytest.raises(MemoryError):
        list(Augment(DATA, Fail(MemoryError()))(0))


def test_a_broken_file_is_named(engine: Any, tmp_path: Path) -> None:
    data = write_coco(tmp_path, ("fine.jpg", 40, 30), ("broken.jpg", 40, 30))
    augment = Augment(data, RECIPE)
    with pytest.raises(StageError, match=r"cannot decode broken\.jpg"):
        run(Pipeline(range(2)).pipe(augment, concurrency=2), engine)


def test_a_broken_partner_is_named_with_the_sample_it_was_for(tmp_path: Path) -> None:
    data = write_coco(tmp_path, ("broken.jpg", 40, 30), ("fine.jpg", 40, 30))
    with pytest.raises(DataError, match=r"^image 20, fine\.jpg: cannot decode broken\.jpg"):
        list(Augment(data, Blend())(1))


def test_an_index_beyond_the_data_is_refused(tmp_path: Path) -> None:
    data = write_coco(tmp_path, ("fine.jpg", 40, 30))
    with pytest.raises(IndexError, match="image 1 is not in an index of 1"):
        Augment(data, RECIPE).plan(1)


@pytest.mark.parametrize("settings", [{"seed": -1}, {"epoch": -1}, {"seed": 2**64}])
def test_seeds_and_epochs_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be between 0"):
        Augment(DATA, RECIPE, **settings)


def test_scaled_decoding_needs_the_files() -> None:
    with pytest.raises(ValueError, match=r"InMemory has no read_bytes"):
        Augment(DATA, RECIPE, scaled_decoding=True)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> CocoFolder:
    return write_coco(tmp_path_factory.mktemp("large"), ("large.jpg", 803, 601))


def loaded_size(data: CocoFolder, recipe: Transform[Any]) -> tuple[int, int]:
    """Return the size that the image is decoded at, width and height."""
    augment = Augment(data, recipe, scaled_decoding=True)
    plan = augment.plan(0)
    assert plan is not None
    loaded: Loaded = augment.load(plan)
    height, width = loaded.sample.image.shape[:2]
    return width, height


HALF, QUARTER, EIGHTH, FULL = (402, 301), (201, 151), (101, 76), (803, 601)


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        (Resize((401, 300)), HALF),
        (Resize((402, 301)), FULL),
        (Resize((200, 150)), QUARTER),
        (Resize((20, 20), keep_ratio=False), EIGHTH),
        (Resize((500, 20), keep_ratio=False), FULL),
        (Compose([Rasterize(), FilterAnnotations(), Compose([Resize((100, 75))])]), EIGHTH),
        (Compose([RandomApply(RandomFlip(1), 0), Resize((100, 75))]), EIGHTH),
        (Compose([RandomFlip(1), Resize((100, 75))]), FULL),
        (Compose([RandomApply(RandomFlip(1), 1), Resize((100, 75))]), FULL),
        (Compose([Resize((700, 600)), Resize((100, 75))]), FULL),
        (Compose([FilterAnnotations()]), FULL),
    ],
)
def test_images_are_decoded_smaller_only_where_a_resize_comes_first(
    large: CocoFolder, recipe: Transform[Any], size: tuple[int, int]
) -> None:
    assert loaded_size(large, recipe) == size


def test_partners_are_decoded_in_full(tmp_path: Path) -> None:
    data = write_coco(tmp_path, ("a.jpg", 800, 600), ("b.jpg", 800, 600))
    augment = Augment(data, Compose([Resize((100, 75)), Blend()]), scaled_decoding=True)
    plan = augment.plan(1)
    assert plan is not None
    loaded = augment.load(plan)
    assert loaded.sample.image.shape == (75, 100, 3)
    assert loaded.partners[0].image.shape == (600, 800, 3)


@pytest.mark.parametrize("scale", [(400, 300), (150, 113), (64, 48)])
def test_scaled_decoding_changes_pixels_a_little_and_objects_not_at_all(
    large: CocoFolder, scale: tuple[int, int]
) -> None:
    recipe = Compose([Resize(scale), RandomFlip()])
    (full,) = Augment(large, recipe)(0)
    (scaled,) = Augment(large, recipe, scaled_decoding=True)(0)
    assert digest(full.info) == digest(scaled.info)
    difference = np.abs(full.image.astype(int) - scaled.image.astype(int))
    assert 0 < difference.mean() < 2


def test_scaled_decoding_finds_files_of_another_size(tmp_path: Path) -> None:
    data = write_coco(tmp_path, ("other.jpg", 800, 600))
    PillowImage.fromarray(picture(600, 800)).save(tmp_path / "images" / "other.jpg")
    with pytest.raises(DataError, match=r"image 10, other\.jpg, has .* no fraction of the 800 x"):
        list(Augment(data, Resize((100, 75)), scaled_decoding=True)(0))


def test_sizes_are_those_that_come_out() -> None:
    augment = Augment(DATA, RECIPE, seed=6)
    for exact in (False, True):
        sizes = augment.sizes(exact_boxes=exact)
        samples = [next(augment(index)) for index in range(len(DATA))]
        assert list(zip(sizes.widths, sizes.heights, strict=True)) == [s.info.size for s in samples]
        counts = [len(sample.boxes) for sample in samples]
        assert (sizes.boxes == counts).all() if exact else (sizes.boxes >= counts).all()


def test_sizes_of_what_a_recipe_drops_are_0() -> None:
    sizes = Augment(DATA, LARGE_ONLY).sizes()
    assert sizes.kept.tolist() == [bool(list(Augment(DATA, LARGE_ONLY)(i))) for i in range(4)]
    assert not sizes.kept.all()


def test_sizes_count_the_objects_of_partners() -> None:
    counts = [len(DATA.sample_info(index).annotations) for index in range(4)]
    sizes = Augment(DATA, Blend()).sizes([1, 2, 3])
    assert sizes.boxes.tolist() == [counts[i] + counts[i - 1] for i in (1, 2, 3)]


@dataclass(frozen=True)
class Whole:
    """A folder that cannot tell sizes apart from objects."""

    folder: CocoFolder

    def __len__(self) -> int:
        return len(self.folder)

    def sample_info(self, i: int) -> SampleInfo:
        return self.folder.sample_info(i)

    def load(self, i: int) -> Sample:
        return self.folder.load(i)


SEVERAL = [(f"{i}.jpg", 40 + 7 * i, 90 - 5 * i) for i in range(8)]


@pytest.mark.parametrize("mixing", [False, True])
def test_sizes_are_the_same_whether_objects_are_looked_at_or_not(
    tmp_path: Path, mixing: bool
) -> None:
    folder = write_coco(tmp_path, *SEVERAL)
    recipe = Compose([Mosaic(folder, (40, 40), probability=0.5), RECIPE]) if mixing else RECIPE
    entries, draws = [3, 0, 3, 7, 3], [0, 0, 1, 0, 2]
    quick, thorough = Augment(folder, recipe, seed=2), Augment(Whole(folder), recipe, seed=2)
    for column in ("widths", "heights", "boxes"):
        found, wanted = (getattr(a.sizes(entries, draws), column) for a in (quick, thorough))
        assert found.tolist() == wanted.tolist()
    assert len(set(quick.sizes([3] * 8, range(8)).widths.tolist())) > 1


@pytest.mark.parametrize("kind", [CocoFolder, Whole])
def test_an_error_while_sizes_are_found_names_the_sample(tmp_path: Path, kind: Any) -> None:
    folder = write_coco(tmp_path, *SEVERAL)
    data = folder if kind is CocoFolder else Whole(folder)
    with pytest.raises(DataError, match=r"^image 30, 2\.jpg: OSError: no luck$"):
        Augment(data, Fail(OSError("no luck"), "draw")).sizes([2])
    with pytest.raises(IndexError):
        Augment(data, RECIPE).sizes([8])


def test_sizes_need_a_draw_for_each_sample() -> None:
    with pytest.raises(DataError, match=r"^sizes: 3 samples, but 2 draws$"):
        Augment(DATA, RECIPE).sizes([0, 1, 2], [0, 0])


def test_a_sample_drawn_again_is_another_one_and_the_same_each_time() -> None:
    augment = Augment(DATA, RECIPE, seed=6)
    first, again = next(augment((0, 1))), next(augment((0, 1)))
    assert digest(first) == digest(again)
    assert digest(first) != digest(next(augment(0)))
    assert digest(next(augment((0, 0)))) == digest(next(augment(0)))


def test_a_copy_for_another_thread_shares_the_data_set(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, *SEVERAL)
    augment = Augment(folder, Compose([Mosaic(folder, (40, 40)), RECIPE]))
    twin = copy.deepcopy(augment)
    assert twin.dataset is folder
    assert isinstance(twin.recipe, Compose)
    assert isinstance(twin.recipe.transforms[0], Mosaic)
    assert twin.recipe.transforms[0].dataset is folder
    assert twin.recipe is not augment.recipe
