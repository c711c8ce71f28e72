"""The detector of what an exception leaves behind, and whether a transform can be called at all."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest

from ftloader.audit.conventions import CONVENTIONS
from ftloader.audit.oracles import call, errors
from ftloader.audit.oracles._spoiled import spoiled
from ftloader.audit.subject import Subject, Target
from ftloader.detection.transforms import RECIPES
from ftloader.errors import AuditError
from tests.audit import canaries
from tests.audit.canaries import Item

LIMIT = 0.5  # seconds; nothing here computes for longer


def subject_of(kind: type[Any]) -> Subject:
    path = f"{kind.__module__}:{kind.__qualname__}"
    return Subject(Target(name=kind.__name__, path=path, samples="tests.audit.canaries:samples"))


class Forgetful:
    """Has changed a setting for good when it raises."""

    def __init__(self) -> None:
        self.gain = 1.0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.gain = 0.5
        done = canaries.bright(sample, 2 * self.gain)
        self.gain = 1.0
        return done


class Sticky:
    """Keeps what it had set when it raised, and uses it next time."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        self.offset += 1
        done = {**sample, "img": sample["img"] + np.uint8(self.offset)}
        self.offset -= 1
        return done


class WaitsForGood:
    """Waits for good where it should raise."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        if sample is None:
            threading.Event().wait()
        return dict(sample)


class TakesAnything:
    """Raises for nothing."""

    def __call__(self, sample: Any, rng: np.random.Generator) -> Any:
        return 1


class Slow:
    """Does not come to an end."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        threading.Event().wait()
        return sample


class Refuses:
    """Raises for everything."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item:
        raise KeyError("no such key")


class Choosy:
    """Drops some, and raises for some."""

    def __call__(self, sample: Item, rng: np.random.Generator) -> Item | None:
        if sample["index"] < 3:
            raise ValueError("too small")
        return sample if sample["index"] > 4 else None


def test_a_lock_that_stays_taken_is_caught_with_the_line_that_waits() -> None:
    evidence = errors.detect(subject_of(canaries.StaysLocked), LIMIT)
    (finding,) = evidence.findings
    assert finding.effect == "hang"
    assert "hangs after it has raised TypeError" in finding.what
    assert finding.where.startswith("tests/audit/canaries.py:")


CLEAN = [
    *canaries.GOOD,
    *(
        each.kind
        for each in canaries.CANARIES
        if each.kind not in (canaries.KillsInterpreter, canaries.StaysLocked)
    ),
]


@pytest.mark.parametrize("kind", CLEAN, ids=lambda kind: kind.__name__)
def test_others_are_cleared(kind: type[Any]) -> None:
    evidence = errors.detect(subject_of(kind), 5)
    assert evidence.status == "clean"
    assert evidence.numbers["raised"] > 0


@pytest.mark.parametrize("name", ["detr-480-800", "ssd-300"])
def test_recipes_are_cleared(name: str) -> None:
    blob = pickle.dumps(RECIPES[name](None))  # type: ignore[arg-type]
    evidence = errors.detect(Subject(Target(name=name, blob=blob)))
    assert evidence.status == "clean"
    assert evidence.numbers["raised"] > 0


def test_state_that_an_exception_leaves_changed_is_caught() -> None:
    evidence = errors.detect(subject_of(Sticky))
    (finding,) = evidence.findings
    assert finding.effect == "wrong data"
    assert "returns something else after it has raised" in finding.what


def test_state_that_does_not_matter_is_not_accused_here() -> None:
    assert errors.detect(subject_of(Forgetful)).status == "clean"


def test_a_call_that_waits_for_good_instead_of_raising_is_caught() -> None:
    evidence = errors.detect(subject_of(WaitsForGood), LIMIT)
    (finding,) = evidence.findings
    assert finding.effect == "hang"
    assert "does not return within 0.5 s for None" in finding.what
    assert "test_errors.py:" in finding.where


def test_that_nothing_made_it_raise_is_said() -> None:
    evidence = errors.detect(subject_of(TakesAnything))
    assert evidence.status == "clean"
    assert "0 of 13 bad inputs raised" in evidence.text
    assert "not known" in evidence.text


def test_a_transform_slower_than_the_limit_is_not_accused() -> None:
    evidence = errors.detect(subject_of(Slow), LIMIT)
    assert evidence.status == "not run"
    assert "more than 0.5 s" in evidence.text


@pytest.mark.parametrize("style", ["ftloader", "sample-rng", "dict", "pil", "array"])
def test_bad_inputs_are_made_for_every_convention_and_leave_the_sample_alone(style: str) -> None:
    convention = CONVENTIONS[style]()
    sample = convention.samples()[0]
    before = pickle.dumps(sample)
    made = list(spoiled(sample, convention.copy))
    assert len(made) >= 3
    assert len({what for what, _ in made}) == len(made)
    assert made[0] == ("None", None)
    assert pickle.dumps(sample) == before


def test_every_sample_is_called_once_and_outcomes_are_told() -> None:
    evidence = call.detect(subject_of(Choosy))
    assert evidence.status == "clean"
    assert evidence.text == "16 samples: 11 returned, 2 dropped, 3 raised ValueError: too small"
    assert evidence.numbers == {"calls": 16, "dropped": 2, "raised": 3}


@pytest.mark.parametrize("kind", canaries.GOOD, ids=lambda kind: kind.__name__)
def test_the_good_can_be_called(kind: type[Any]) -> None:
    evidence = call.detect(subject_of(kind))
    assert evidence.status == "clean"
    assert evidence.text == "16 samples: 16 returned"


def test_what_raises_on_every_sample_cannot_be_audited() -> None:
    with pytest.raises(AuditError, match=r"Refuses raised on all 16 .*no such key.*test_errors.py"):
        call.detect(subject_of(Refuses))


class WritesToReadOnly:
    """Writes to ftloader's samples, which are read-only."""

    def __call__(self, sample: Any, rng: np.random.Generator) -> Any:
        sample.image[0, 0] = 0
        return sample


def test_a_refused_write_on_every_sample_is_left_to_the_detector_of_writes() -> None:
    path = f"{__name__}:WritesToReadOnly"
    subject = Subject(Target(name="x", path=path, style="sample-rng"))
    assert call.detect(subject).numbers["raised"] == len(subject.samples)
    from ftloader.audit.oracles import frozen

    (finding,) = frozen.detect(subject).findings
    assert finding.effect == "wrong data"
    assert "test_errors.py:" in finding.where
