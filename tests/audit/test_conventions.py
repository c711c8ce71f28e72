"""Which convention is chosen for which transform, and what it calls it with."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ftloader.audit.conventions import CONVENTIONS, MadeDataset, choose, with_dataset
from ftloader.audit.subject import Subject, Target
from ftloader.detection import Sample
from ftloader.detection.transforms import RECIPES, Mosaic, RandomCrop, RandomFlip
from ftloader.errors import AuditError
from ftloader.rng import sample_rng
from tests.audit import canaries


def stream() -> np.random.Generator:
    return sample_rng(1, 0, 0)


def chosen(transform: Any, given: Any = None, style: str | None = None) -> Any:
    return choose(lambda: transform, given, style)


def called(transform: Any, given: Any = None, style: str | None = None, i: int = 0) -> Any:
    convention, samples = chosen(transform, given, style)
    return convention.call(transform, convention.copy(samples[i]), stream())


def must_not_run(*arguments: object) -> None:
    raise AssertionError("called while choosing")


def test_ftloaders_transforms_are_known_by_their_type() -> None:
    convention, samples = chosen(RandomFlip())
    assert convention.name == "ftloader"
    assert len(samples) >= 12
    assert all(isinstance(sample, Sample) for sample in samples)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_called_on_every_made_sample(name: str) -> None:
    recipe = RECIPES[name](MadeDataset())
    convention, samples = chosen(recipe)
    for sample in samples:
        done = convention.call(recipe, convention.copy(sample), stream())
        assert done is None or isinstance(done, Sample)


def test_partners_come_from_the_transforms_own_data_set() -> None:
    class Grey:
        """Knows sizes, and has no pixels to give."""

        def __init__(self) -> None:
            self.made = MadeDataset()

        def __len__(self) -> int:
            return len(self.made)

        def sample_info(self, i: int) -> Any:
            return self.made.sample_info(i)

    for dataset in (MadeDataset(), Grey()):
        done = called(Mosaic(dataset, (64, 64)))
        assert done.image.shape == (128, 128, 3)


def test_made_samples_of_ftloader_are_read_only_and_so_are_their_copies() -> None:
    convention, samples = chosen(RandomFlip())
    copied = convention.copy(samples[0])
    assert copied.image is not samples[0].image
    assert not copied.image.flags.writeable
    assert not copied.boxes.flags.writeable


def test_an_argument_named_rng_means_sample_and_stream() -> None:
    def transform(sample: Any, rng: np.random.Generator) -> Any:
        return sample

    assert chosen(transform)[0].name == "sample-rng"
    assert chosen(transform, [{"a": 1}])[0].name == "sample-rng"


def test_two_arguments_mean_sample_and_stream_where_samples_are_given() -> None:
    assert chosen(lambda sample, source: sample, [1, 2])[0].name == "sample-rng"


@pytest.mark.parametrize("key", ["image", "img"])
def test_dicts_are_made_where_a_sample_is_taken_for_one(key: str) -> None:
    def transform(sample: Any, rng: np.random.Generator) -> Any:
        return sample[key].shape, sample["boxes"].shape

    assert called(transform) == ((64, 64, 3), (4, 4))


def test_an_argument_named_results_means_a_dict() -> None:
    def transform(results: dict[str, Any]) -> dict[str, Any]:
        height, width = results["img_shape"]
        return {**results, "gt_bboxes": results["gt_bboxes"] / (width, height, width, height)}

    convention, _ = chosen(transform)
    assert convention.name == "dict"
    assert convention.owns_input
    done = called(transform)
    assert done["img"].dtype == np.uint8
    assert done["gt_bboxes"].max() <= 1
    assert len(done["gt_bboxes_labels"]) == len(done["gt_ignore_flags"]) == 4


def test_a_mixing_transform_of_dicts_is_given_the_images_it_asks_for() -> None:
    class Mixes:
        def get_indexes(self, dataset: Any) -> list[int]:
            return [1, len(dataset) - 1]

        def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
            numbers = [other["img_id"] for other in results["mix_results"]]
            return {**results, "numbers": numbers}

    done = called(Mixes())
    assert done["numbers"] == [1, 13]
    assert "mix_results" not in done


def test_what_takes_arrays_and_what_takes_images_is_found_by_trying() -> None:
    assert chosen(lambda image: image[::-1])[0].name == "array"
    assert chosen(lambda image: image.resize((8, 8)))[0].name == "pil"
    assert chosen(lambda sample: sample.info.width)[0].name == "sample"


def test_given_samples_are_used_and_the_transform_is_not_called() -> None:
    def one(image: Any) -> Any:
        must_not_run()

    arrays, images = [np.zeros((4, 4, 3), np.uint8)], [Image.new("RGB", (4, 4))]
    assert chosen(one, arrays)[0].name == "array"
    assert chosen(one, images)[0].name == "pil"
    assert chosen(one, ["text"])[0].name == "sample"
    assert chosen(one, arrays)[1] is arrays


@pytest.mark.parametrize("style", set(CONVENTIONS) - {"torchvision"})
def test_a_given_style_wins_and_the_transform_is_not_called(style: str) -> None:
    convention, samples = chosen(must_not_run, None, style)
    assert convention.name == style
    assert len(samples) >= 12


def test_an_unknown_style_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AuditError, match="no style 'tensor'; it is one of ftloader, sample-rng"):
        chosen(must_not_run, None, "tensor")


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(AuditError, match="a dict cannot be called"):
        chosen({})


def test_what_works_with_nothing_is_refused_with_what_was_tried() -> None:
    def picky(value: Any) -> Any:
        raise KeyError("nothing suits")

    with pytest.raises(AuditError, match=r"an array.*give samples") as said:
        chosen(picky)
    assert "\n" not in str(said.value)


def test_a_library_is_known_by_the_module_of_a_base_class() -> None:
    base = type("BaseTransform", (), {"__module__": "mmcv.transforms.base"})
    own = type("Own", (base,), {"__call__": lambda self, whatever: whatever})
    assert chosen(own())[0].name == "dict"
    flip = type("Flip", (), {"__module__": "albumentations.x", "__call__": lambda self, **k: k})
    convention, samples = chosen(flip())
    assert convention.name == "albumentations"
    assert list(samples[0]) == ["image"]


@pytest.mark.parametrize("kind", ["pascal_voc", "coco", "yolo", "albumentations"])
@pytest.mark.parametrize("field", ["cls", None])
def test_albumentations_boxes_come_back_as_they_were_made(kind: str, field: str | None) -> None:
    params = types.SimpleNamespace(format=kind, label_fields=[field] if field else None)
    processor = types.SimpleNamespace(params=params)

    def transform(**data: Any) -> dict[str, Any]:
        return data

    transform.processors = {"bboxes": processor}  # type: ignore[attr-defined]
    convention, samples = chosen(transform, None, "albumentations")
    plain, _ = chosen(canaries.Good(), None, "sample-rng")
    for sample, reference in zip(samples, plain.samples(), strict=True):
        seen = convention.view(convention.call(transform, convention.copy(sample), stream()))
        np.testing.assert_allclose(seen.boxes, reference.boxes, atol=1e-3)
        assert seen.labels.tolist() == reference.labels.tolist()


def test_a_missing_torchvision_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.tv_tensors", None)
    with pytest.raises(AuditError, match="needs torchvision"):
        chosen(must_not_run, None, "torchvision")


def test_what_a_transform_yields_is_collected() -> None:
    def transform(sample: Any, rng: np.random.Generator) -> Any:
        yield sample

    assert called(transform, [3]) == [3]


def test_a_view_finds_picture_and_objects_in_every_convention() -> None:
    for name in ("ftloader", "sample-rng", "dict"):
        convention = CONVENTIONS[name]()
        for sample in convention.samples():
            seen = convention.view(sample)
            assert seen is not None
            assert seen.image.ndim == 3
            assert len(seen.boxes) == len(seen.labels)
    for name in ("pil", "array"):
        convention = CONVENTIONS[name]()
        seen = convention.view(convention.samples()[0])
        assert seen is not None
        assert len(seen.boxes) == 0
    assert CONVENTIONS["sample"]().view("no picture") is None


def test_a_factory_that_needs_a_data_set_gets_the_made_samples() -> None:
    for path in ("ftloader.detection.transforms:Mosaic", "ftloader.detection.transforms:MixUp"):
        subject = Subject(Target(name="x", path=path, makes=True))
        assert subject.call(subject.fresh(), 0) is not None
    own = MadeDataset()
    assert with_dataset(Mosaic, (own,), {}) == {}
    assert with_dataset(Mosaic, (), {"dataset": own}) == {"dataset": own}
    assert with_dataset(RandomCrop, (), {"size": 3}) == {"size": 3}


def test_what_drops_the_first_sample_is_tried_on_others() -> None:
    def transform(sample: Any, rng: np.random.Generator) -> Any:
        return sample["img"] if sample["index"] else None

    assert "img" in chosen(transform)[1][0]


def test_what_refuses_a_sample_is_tried_on_others() -> None:
    def transform(sample: Any, rng: np.random.Generator) -> Any:
        if not sample["index"]:
            raise ValueError("not this one")
        return sample["img"]

    assert "img" in chosen(transform)[1][0]


def test_what_drops_everything_is_still_called() -> None:
    assert chosen(lambda image: None)[0].name == "array"
