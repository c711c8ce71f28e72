"""The detector of boxes that no longer fit their pixels, and what it tells other detectors."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from ftloader.audit.oracles.labels import detect, torn
from ftloader.audit.subject import Subject, Target
from ftloader.detection.transforms import RECIPES, Mosaic
from tests.audit import canaries
from tests.audit.canaries import Item


def subject_of(kind: type[Any]) -> Subject:
    return Subject(Target(name="x", path=f"{kind.__module__}:{kind.__qualname__}"))


def own(transform: Any) -> Subject:
    return Subject(Target(name="x", blob=pickle.dumps(transform)))


class Flipped:
    """Flips image and boxes."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return canaries.flip(sample)


class ImageOnly:
    """Flips the image and leaves the boxes behind."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "img": sample["img"][:, ::-1].copy()}


class Dropping:
    """Drops every other sample, and raises for one."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item | None:
        if sample["index"] == 5:
            raise ValueError("not this one")
        return dict(sample, img=sample["img"]) if sample["index"] % 2 else None


class Greyed:
    """Changes colours."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "img": 255 - sample["img"]}


def test_boxes_that_move_with_their_pixels_are_cleared() -> None:
    evidence = detect(subject_of(Flipped))
    assert evidence.status == "clean"
    assert evidence.numbers == {"boxes": 52, "samples": 13}
    assert "they fit (1 sample not: the picture has no objects)" in evidence.text


def test_boxes_left_behind_are_caught_once() -> None:
    evidence = detect(subject_of(ImageOnly))
    assert evidence.status == "found"
    assert [finding.effect for finding in evidence.findings] == ["wrong data"]
    assert "moved differently" in evidence.findings[0].what


def test_dropped_and_refused_samples_are_counted_as_such() -> None:
    evidence = detect(subject_of(Dropping))
    assert evidence.status == "clean"
    assert "it was dropped" in evidence.text
    assert "it raised ValueError" in evidence.text


def test_nothing_to_compare_is_not_run_with_the_reason() -> None:
    evidence = detect(subject_of(Greyed))
    assert evidence.status == "not run"
    assert "samples not: the colours were changed or mixed" in evidence.text


def test_the_users_own_samples_are_not_compared() -> None:
    target = Target("x", "tests.audit.canaries:Good", samples="tests.audit.canaries:samples")
    evidence = detect(Subject(target))
    assert evidence.status == "not run"
    assert "do not encode their coordinates" in evidence.text


@pytest.mark.parametrize("name", ["faster-rcnn-1333x800", "detr-480-800", "lsj-1024"])
def test_recipes_are_cleared_with_all_their_boxes_compared(name: str) -> None:
    evidence = detect(own(RECIPES[name](None)))  # type: ignore[arg-type]
    assert evidence.status == "clean"
    assert evidence.numbers["boxes"] >= 50


@pytest.mark.parametrize("name", ["ssd-300", "yolox-640"])
def test_recipes_that_change_or_mix_colours_are_never_accused(name: str) -> None:
    path = "ftloader.detection.transforms.recipes:" + name.partition("-")[0]
    assert detect(Subject(Target("x", path, makes=True))).status != "found"


def test_a_mosaic_has_the_boxes_of_its_own_picture_compared() -> None:
    path = f"{Mosaic.__module__}:Mosaic"
    evidence = detect(Subject(Target("x", path, kwargs={"size": (64, 64)})))
    assert evidence.status == "clean"
    assert evidence.numbers["boxes"] > 0


def test_torn_tells_an_output_whose_boxes_were_moved_otherwise() -> None:
    subject = subject_of(Flipped)
    good = subject.call(subject.fresh(), 3)
    assert torn(subject, 3, good) is None
    bad = {**good, "boxes": good["boxes"] + 20}
    said = torn(subject, 3, bad)
    assert said is not None
    assert "px from its pixels" in said


def test_torn_is_silent_where_the_serial_output_does_not_fit_either() -> None:
    subject = subject_of(ImageOnly)
    assert torn(subject, 3, subject.call(subject.fresh(), 3)) is None


def test_torn_is_silent_about_what_it_does_not_know() -> None:
    subject = subject_of(Flipped)
    for output in (None, 3, "text", {"img": None}, {"img": np.zeros((3, 3, 3)), "boxes": 3}):
        assert torn(subject, 3, output) is None
