"""The transforms experiment's own parts: ftloader's side everywhere, peers where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftloader import lab
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.errors import DigestError
from ftloader.lab import inputs
from ftloader.lab.costs import describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "transforms" / "run.py"
EXPERIMENT = describe.load(SCRIPT)
CONTENDERS = [(cell, one) for cell in EXPERIMENT.cells for one in cell.contenders]

from transform_cells import case, recipes, samples  # noqa: E402 (the loader made them importable)

from ftloader.detection.transforms.recipes import RECIPES  # noqa: E402


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A few images with objects: two of them are what a step is measured on."""
    folder = tmp_path_factory.mktemp("coco") / "data"
    write_synthetic_coco(SyntheticSpec(images=3, seed=3), folder, progress=False)
    return inputs.choose(folder, 2, seed=1)[0]


def test_it_is_sound_and_holds_every_judged_peer_to_the_target_of_the_issue():
    EXPERIMENT.require_sound()
    assert {claim.limit for claim in EXPERIMENT.claims} == {1.10}
    judged = {(claim.cell, claim.against) for claim in EXPERIMENT.claims}
    for cell in ("resize_up", "flip", "pad"):  # the standard recipe, and what its batches need
        peers = {(cell, name) for name in ("mmdet", "tv_tensor", "tv_pil", "albumentations")}
        assert peers <= judged


def test_every_recipe_is_a_cell_whose_parts_are_its_steps():
    cells = {cell.name: cell for cell in EXPERIMENT.cells}
    for name in RECIPES:
        assert {"read", "decode", "draw"} < {part.name for part in cells[f"recipe-{name}"].parts}
    steps = [part.name for part in cells["recipe-faster-rcnn-1333x800"].parts]
    assert steps[-2:] == ["Resize", "RandomFlip"]


# pycocotools has not followed NumPy 2's protocol for arrays.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    ("cell", "contender"), CONTENDERS, ids=[f"{cell.name}-{one.name}" for cell, one in CONTENDERS]
)
def test_every_contender_does_its_work_or_says_what_is_missing(drawn, cell, contender):
    if contender.needs and (why := contender.missing()):
        assert why.startswith("ModuleNotFoundError:")
        return
    measured = contender.measure(drawn, 1)  # compares a peer's output with ftloader's
    assert measured.seconds > 0
    assert set(measured.parts) == {part.name for part in cell.parts if part.of == contender.name}
    assert sum(measured.parts.values()) == pytest.approx(measured.value if measured.parts else 0)


def test_a_recipe_in_parts_gives_what_the_operation_gives(drawn):
    cell = next(one for one in EXPERIMENT.cells if one.name == "recipe-ssd-300")
    assert len({one.measure(drawn, 1).digest for one in cell.contenders}) == 1


def test_the_digest_of_a_recipe_does_not_depend_on_how_many_epochs_are_timed(drawn):
    whole = recipes.in_parts(lambda data: RECIPES["faster-rcnn-1333x800"](data))
    assert whole(drawn, 1).digest == whole(drawn, 2).digest


def test_the_folder_holds_the_images_and_objects_of_the_inputs(drawn):
    data = samples.folder_of(drawn)
    assert len(data) == len(drawn.samples)
    for place, sample in enumerate(drawn.samples):
        assert data.read_bytes(place) == sample.jpeg
        boxes = data.sample_info(place).annotations.boxes
        sides = np.array([one["bbox"] for one in sample.annotations])
        expected = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
        np.testing.assert_allclose(boxes, expected, atol=1e-3)


@pytest.mark.parametrize(
    "other",
    [
        case.Outcome(np.zeros((2, 3, 3), np.uint8)),
        case.Outcome(np.full((2, 2, 3), 9, np.uint8)),
        case.Outcome(np.zeros((2, 2, 3), np.uint8), np.ones((1, 4), np.float32)),
        case.Outcome(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 4), np.float32)),
    ],
    ids=["size", "pixels", "boxes", "number of boxes"],
)
def test_a_peer_that_did_something_else_is_refused(other):
    mine = case.Outcome(np.zeros((2, 2, 3), np.uint8), np.zeros((1, 4), np.float32))
    case.compare("here", mine, mine, 0.0)
    with pytest.raises(DigestError, match="the run is refused"):
        case.compare("here", other, mine, 0.5)


def test_inputs_are_asked_for_once_per_process(drawn):
    assert samples.samples_of(drawn)[0] is samples.samples_of(drawn)[0]
    other = lab.Inputs(drawn.samples, drawn.categories, drawn.seed)
    assert samples.samples_of(other)[0] is not samples.samples_of(drawn)[0]
