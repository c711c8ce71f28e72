"""The detector of outputs that share memory."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ftloader.audit.oracles import _memory
from ftloader.audit.oracles.alias import detect
from ftloader.audit.subject import Subject, Target
from ftloader.audit.verdict import Evidence
from ftloader.detection.transforms import RECIPES, FilterAnnotations, RandomCrop, RandomFlip
from tests.audit import canaries
from tests.audit.canaries import Item


def of(kind: type[Any], style: str | None = None) -> Evidence:
    """Audit a class of this file or a canary."""
    path = f"{kind.__module__}:{kind.__qualname__}"
    samples = "tests.audit.canaries:samples" if style is None else None
    return detect(Subject(Target(name="x", path=path, samples=samples, style=style)))


CAUGHT = [each.kind for each in canaries.CANARIES if "alias" in each.must]
CLEAN = [
    *canaries.GOOD,
    *(
        each.kind
        for each in canaries.CANARIES
        if "alias" not in each.must and each.kind is not canaries.KillsInterpreter
    ),
]


@pytest.mark.parametrize("kind", CAUGHT, ids=lambda kind: kind.__name__)
def test_a_canary_whose_outputs_share_memory_is_caught(kind: type[Any]) -> None:
    evidence = of(kind)
    assert [finding.effect for finding in evidence.findings] == ["wrong data"]
    assert evidence.findings[0].where.startswith("self.")


@pytest.mark.parametrize("kind", CLEAN, ids=lambda kind: kind.__name__)
def test_others_are_cleared(kind: type[Any]) -> None:
    assert of(kind).status == "clean"


@pytest.mark.parametrize(
    "transform",
    [
        RECIPES["detr-480-800"](None),  # type: ignore[arg-type]
        RECIPES["lsj-1024"](None),  # type: ignore[arg-type]
        RandomCrop((20, 20)),
        RandomFlip(),
        FilterAnnotations(),
    ],
    ids=["detr", "lsj", "crop", "flip", "filter"],
)
def test_ftloaders_own_are_cleared(transform: Any) -> None:
    assert detect(Subject(Target(name="x", blob=pickle.dumps(transform)))).status == "clean"


def test_overwritten_outputs_are_told_from_those_that_merely_could_be() -> None:
    overwritten = of(canaries.ReusedBuffer)
    assert "overwrote" in overwritten.findings[0].what
    assert overwritten.numbers["changed"] == 15
    stored = of(canaries.ViewOfStore)
    assert "open to writing" in stored.findings[0].what
    assert stored.numbers["changed"] == 0


class ReadOnlyTable:
    """Hands out its table, which nobody can write to."""

    def __init__(self) -> None:
        self.table = np.zeros((64, 64, 3), np.uint8)
        self.table.flags.writeable = False

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "img": self.table[:, :32]}


class Cropped:
    """Returns a piece of its input."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "img": sample["img"][8:, 8:]}


class CroppedResults:
    """Returns a piece of an input that it owns."""

    def __call__(self, results: Item) -> Item:
        results["img"] = results["img"][8:, 8:]
        return results


class Notes:
    """Says in every output with which numbers it was made."""

    def __init__(self) -> None:
        self.mean = np.array([1.0, 2, 3])
        self.names = ["a", "b"]

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        return {**sample, "mean": self.mean, "names": self.names}


class KeptInput:
    """Returns the boxes of the sample before."""

    before: Any = None

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        before, self.before = self.before, sample["boxes"]
        return {**sample, "boxes": sample["boxes"].copy() if before is None else before}


class SharedList:
    """Collects labels in a list of its class, and returns that."""

    seen: list[int] = []  # noqa: RUF012 (that is the defect)

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.seen.append(sample["index"])
        return {**sample, "labels": self.seen}


class SharedImage:
    """Draws on one Pillow image, and returns that."""

    def __init__(self) -> None:
        self.canvas = Image.new("RGB", (64, 64))

    def __call__(self, image: Image.Image) -> Image.Image:
        self.canvas.paste(image)
        return self.canvas


BUFFER = np.zeros(3 * 640 * 480, np.uint8)


class ModuleBuffer:
    """Reuses a buffer of its module, which no instance holds."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        img = sample["img"]
        out = BUFFER[: img.size].reshape(img.shape)
        np.subtract(255, img, out=out)
        return {**sample, "img": out}


def test_a_read_only_table_may_be_handed_out() -> None:
    assert of(ReadOnlyTable).status == "clean"


def test_a_view_of_its_own_input_is_a_caution_unless_the_input_is_owned() -> None:
    evidence = of(Cropped)
    assert [finding.effect for finding in evidence.findings] == ["caution"]
    assert "is a view of its input" in evidence.findings[0].what
    assert of(CroppedResults, "dict").status == "clean"


def test_settings_that_are_handed_out_are_a_caution() -> None:
    evidence = of(Notes)
    assert {finding.effect for finding in evidence.findings} == {"caution"}
    assert {finding.where for finding in evidence.findings} == {"self.mean", "self.names"}


def test_the_input_of_another_call_is_caught() -> None:
    evidence = of(KeptInput)
    assert evidence.findings[0].effect == "wrong data"
    assert "output['boxes']" in evidence.findings[0].what


def test_a_shared_container_that_changes_is_caught() -> None:
    evidence = of(SharedList)
    assert evidence.findings[0].effect == "wrong data"
    assert evidence.findings[0].where == "SharedList.seen"


def test_a_shared_pillow_image_is_caught() -> None:
    evidence = of(SharedImage, "pil")
    assert evidence.findings[0].effect == "wrong data"
    assert evidence.findings[0].where == "self.canvas"


def test_a_buffer_that_only_the_module_holds_is_caught() -> None:
    evidence = of(ModuleBuffer)
    assert evidence.findings[0].effect == "wrong data"
    assert "output['img'] shares memory with output['img'] of another call" in (
        evidence.findings[0].what
    )


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array,
        lambda array: array[::-1],
        lambda array: array[2:4, ::2],
        lambda array: array[:0],
        lambda array: array.T[1:],
        lambda array: np.broadcast_to(array[0, 0], (3, 3)),
    ],
)
def test_bounds_are_those_of_numpy(view: Any) -> None:
    array = view(np.zeros((6, 8)))
    low, high = np.lib.array_utils.byte_bounds(array)
    assert _memory.bounds(array) == ((low, high) if array.size else (0, 0))


def test_interleaved_views_that_never_meet_do_not_share() -> None:
    array = np.zeros((4, 6))
    one = _memory.parts("output", 0, array[:, ::2], "output")
    two = _memory.parts("output", 1, array[:, 1::2], "output")
    three = _memory.parts("output", 2, array[1:2], "output")
    assert list(_memory.shared([*one, *two])) == []
    assert len(list(_memory.shared([*one, *two, *three]))) == 2
