"""An augmented epoch is the same bits on every engine, worker count, interpreter and GIL mode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftloader.detection import CocoFolder, open_coco
from ftloader.detection.augment import Augment
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.detection.transforms.recipes import RECIPES
from ftloader.runtime import free_threaded_build

from .digests import GOLDEN, RUNS, epoch_digest, plan_digest, write_made_coco

ROOT = Path(__file__).parents[3]
# Both where the GIL can be had and left; elsewhere there is only one mode.
GIL_MODES = ("0", "1") if free_threaded_build() else (None,)

every_recipe = pytest.mark.parametrize("recipe", RECIPES)


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> CocoFolder:
    cache = tmp_path_factory.mktemp("synthetic")
    return open_coco(synthetic_coco(SyntheticSpec(images=6), cache, progress=False))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> CocoFolder:
    return open_coco(write_made_coco(tmp_path_factory.mktemp("made") / "coco"))


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, str]]:
    result: dict[str, dict[str, str]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return result


@every_recipe
def test_every_engine_gives_the_same_epoch(recipe: str, synthetic: CocoFolder) -> None:
    digests = {run: epoch_digest(synthetic, recipe, run) for run in RUNS}
    assert len(set(digests.values())) == 1, digests


def test_scaled_decoding_gives_the_same_epoch_on_every_engine(synthetic: CocoFolder) -> None:
    """With the one recipe that makes images of COCO's size so small."""
    digests = {run: epoch_digest(synthetic, "lsj-1024", run, scaled_decoding=True) for run in RUNS}
    assert len(set(digests.values())) == 1, digests


@every_recipe
def test_every_interpreter_draws_and_makes_what_is_on_file(
    recipe: str, made: CocoFolder, golden: dict[str, dict[str, str]]
) -> None:
    """Holds for the pinned NumPy and Pillow; ``digests.py`` writes the file anew."""
    assert plan_digest(made, recipe) == golden[recipe]["plans"]
    assert epoch_digest(made, recipe) == golden[recipe]["samples"]


@pytest.mark.parametrize("gil", GIL_MODES)
def test_every_gil_mode_makes_what_is_on_file(gil: Any, golden: dict[str, Any]) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.transforms.digests"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=env if gil is None else {**env, "PYTHON_GIL": gil},
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["gil"] == (gil != "0")
    assert report["digests"] == golden


@every_recipe
def test_another_epoch_and_another_seed_give_other_samples(recipe: str, made: CocoFolder) -> None:
    first = Augment(made, RECIPES[recipe](made), seed=1)
    plans = [
        [augment.plan(i) for i in range(len(made))]
        for augment in (first, first.at_epoch(1), Augment(made, first.recipe, seed=2))
    ]
    assert plans[0] != plans[1]
    assert plans[0] != plans[2]
    assert plans[0] == [first.at_epoch(0).plan(i) for i in reversed(range(len(made)))][::-1]


@pytest.mark.real_data
@pytest.mark.timeout(1200)
@every_recipe
def test_every_engine_gives_the_same_epoch_of_real_images(recipe: str, real_data: Path) -> None:
    data = open_coco(real_data, "val2017")
    digests = {run: epoch_digest(data, recipe, run) for run in RUNS}
    assert len(set(digests.values())) == 1, digests
