"""Frozen inputs, and the detector of writes to the input."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from ftloader.audit.conventions import CONVENTIONS, Convention
from ftloader.audit.conventions.frozen import FrozenError, frozen, is_refusal
from ftloader.audit.oracles.frozen import detect
from ftloader.audit.subject import Subject, Target
from ftloader.audit.verdict import Evidence
from ftloader.detection.transforms import RECIPES
from tests.audit import canaries


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass(frozen=True, slots=True)
class Held:
    table: Any


class Loose:
    def __init__(self) -> None:
        self.items = [1]


def canary(kind: type[Any]) -> Subject:
    path = f"tests.audit.canaries:{kind.__qualname__}"
    return Subject(Target(name=kind.__name__, path=path, samples="tests.audit.canaries:samples"))


def of(transform: Any, style: str, samples: Any = None) -> Evidence:
    class Own:
        """A stand-in for a subject, for functions that cannot be imported."""

        convention: Convention = CONVENTIONS[style]()

        def __init__(self) -> None:
            self.samples = self.convention.samples() if samples is None else samples

        def fresh(self) -> Any:
            return transform

        def private(self, i: int) -> Any:
            return self.convention.copy(self.samples[i])

        def call(self, transform: Any, i: int, sample: Any = None) -> Any:
            return self.convention.call(transform, sample, np.random.default_rng(i))

    return detect(Own())  # type: ignore[arg-type]


def mutations() -> list[Any]:
    return [
        lambda value: value["img"].__setitem__(0, 1),
        lambda value: value["img"].sort(),
        lambda value: np.add(value["img"], 1, out=value["img"]),
        lambda value: value.__setitem__("new", 1),
        lambda value: value.pop("img"),
        lambda value: value.update(a=1),
        lambda value: value.__ior__({"a": 1}),
        lambda value: value["labels"].append(1),
        lambda value: value["labels"].__iadd__([1]),
        lambda value: value["labels"].__delitem__(0),
        lambda value: value["labels"].sort(),
        lambda value: value["deep"]["list"][0]["set"].add(1),
        lambda value: value["pair"].second.clear(),
        lambda value: value["held"].table.__setitem__(0, 9),
        lambda value: value["loose"].items.reverse(),
    ]


def original() -> dict[str, Any]:
    return {
        "img": np.arange(4),
        "labels": [2, 1],
        "deep": {"list": [{"set": {5}}]},
        "pair": Pair(1, {"a": 2}),
        "held": Held(np.zeros(2)),
        "loose": Loose(),
    }


@pytest.mark.parametrize("mutation", mutations(), ids=range(len(mutations())))
def test_every_kind_of_write_is_refused(mutation: Any) -> None:
    with pytest.raises((FrozenError, ValueError)) as refused:
        mutation(frozen(original()))
    assert is_refusal(refused.value)


def test_what_was_frozen_is_a_copy_of_the_same_types_and_values() -> None:
    value = original()
    made = frozen(value)
    for name, part in value.items():
        assert isinstance(made[name], type(part))
    assert made["img"] is not value["img"]
    assert made["held"] is not value["held"]
    assert made["labels"] == value["labels"]
    assert {**made}.keys() == value.keys()
    value["labels"].append(3)
    value["img"][0] = 7
    assert made["labels"] == [2, 1]
    assert made["img"][0] == 0


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: value.copy()])
def test_copies_of_frozen_containers_may_be_written_to(copied: Any) -> None:
    for value in ({"a": 1}, [1], {1}):
        made = copied(frozen(value))
        assert type(made) is type(value)
        made.clear()
    assert type(pickle.loads(pickle.dumps(frozen({"a": [1]})))["a"]) is list


def test_a_deep_copy_of_a_frozen_dict_is_open_all_the_way_down() -> None:
    made = copy.deepcopy(frozen(original()))
    made["img"][0] = 1
    made["labels"].append(1)
    made["deep"]["list"][0]["set"].add(1)


def test_parts_that_occur_twice_stay_one() -> None:
    part = [1]
    made = frozen({"a": part, "b": part})
    assert made["a"] is made["b"]


def test_asking_for_a_writable_buffer_is_no_write() -> None:
    assert not is_refusal(ValueError("buffer source array is read-only"))
    assert not is_refusal(TypeError("something else"))


@pytest.mark.parametrize(
    "kind",
    [each.kind for each in canaries.CANARIES if "frozen" in each.must],
    ids=lambda kind: kind.__name__,
)
def test_a_canary_that_writes_to_its_input_is_caught_with_the_line(kind: type[Any]) -> None:
    evidence = detect(canary(kind))
    assert evidence.status == "found"
    assert len(evidence.findings) == 1
    finding = evidence.findings[0]
    assert finding.effect == "wrong data"
    assert "sample['" in finding.what
    assert finding.where.startswith("tests/audit/canaries.py:")


CLEAN = [
    *canaries.GOOD,
    *(
        each.kind
        for each in canaries.CANARIES
        if "frozen" not in each.must and each.kind is not canaries.KillsInterpreter
    ),
]


@pytest.mark.parametrize("kind", CLEAN, ids=lambda kind: kind.__name__)
def test_others_are_cleared(kind: type[Any]) -> None:
    assert detect(canary(kind)).status == "clean"


@pytest.mark.parametrize("name", ["detr-480-800", "ssd-300", "lsj-1024"])
def test_recipes_are_cleared(name: str) -> None:
    blob = pickle.dumps(RECIPES[name](None))  # type: ignore[arg-type]
    assert detect(Subject(Target(name=name, blob=blob))).status == "clean"


def test_a_write_whose_refusal_is_swallowed_is_seen_by_comparison() -> None:
    def sneaky(sample: Any, rng: Any) -> Any:
        try:
            sample["boxes"] += 1
        except ValueError:
            pass
        return {**sample}

    evidence = of(sneaky, "sample-rng", canaries.samples())
    assert [finding.what for finding in evidence.findings] == [
        "writes to its input: sample['boxes']"
    ]


def test_a_write_that_changes_nothing_is_seen_by_the_refusal() -> None:
    def same(sample: Any, rng: Any) -> Any:
        sample["img"][0, 0] = sample["img"][0, 0]
        return dict(sample)

    evidence = of(same, "sample-rng", canaries.samples())
    assert evidence.findings[0].what == "writes to its input: assignment destination is read-only"
    assert "test_frozen.py:" in evidence.findings[0].where


def test_an_owned_dict_may_get_new_values_and_writes_into_old_ones_are_a_caution() -> None:
    def replaces(results: dict[str, Any]) -> dict[str, Any]:
        results["img"] = results["img"][:, ::-1]
        results["flip"] = True
        del results["instances"]
        return results

    def writes(results: dict[str, Any]) -> dict[str, Any]:
        results["gt_bboxes"] *= 2
        return results

    assert of(replaces, "dict").status == "clean"
    evidence = of(writes, "dict")
    assert [finding.effect for finding in evidence.findings] == ["caution"]
    assert "sample['gt_bboxes']" in evidence.findings[0].what


def test_a_transform_that_insists_on_exact_types_is_compared_all_the_same() -> None:
    def insists(sample: Any, rng: Any) -> Any:
        if type(sample) is not dict:
            raise TypeError("not a dict")
        sample["labels"].pop()
        return dict(sample)

    evidence = of(insists, "sample-rng", canaries.samples())
    assert "writes to its input: sample['labels']" in evidence.findings[0].what
    assert "not accepted" in evidence.text
