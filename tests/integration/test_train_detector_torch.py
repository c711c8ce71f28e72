"""The train_detector experiment in short: killed, started again, and by another DataLoader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.runtime import free_threaded_build

FOLDER = Path(__file__).parents[2] / "experiments" / "train_detector"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticSpec(images=48, seed=2)
    return synthetic_coco(spec, cache_dir=tmp_path_factory.mktemp("coco"))


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    if free_threaded_build():
        env["PYTHON_GIL"] = "0"  # torch.optim imports what turns the GIL on
    return subprocess.run(
        [sys.executable, str(FOLDER / script), *map(str, arguments)],
        env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()[-1]


def test_a_killed_training_ends_in_the_weights_of_one_that_was_not(
    data: Path, tmp_path: Path
) -> None:
    common = ("--data", data, "--steps", 30)
    whole = last_line(run("train.py", *common, "--checkpoint", tmp_path / "whole.pt"))
    parts = ("--checkpoint", tmp_path / "parts.pt")
    killed = run("train.py", *common, *parts, "--kill-at", 25)
    assert killed.returncode == -9
    assert "weights" not in killed.stdout
    again = run("train.py", *common, *parts, "--workers", 1)
    assert again.stdout.startswith("going on after step 20\n")
    assert last_line(again) == whole
    assert "weights" in whole


def test_only_the_import_of_the_data_loader_changes(data: Path) -> None:
    def weights(loader: str) -> str:
        words = ("--data", data, "--epochs", 1, "--loader", loader)
        return last_line(run("train_with_dataloader.py", *words)).split()[1]

    assert weights("torch") == weights("ftloader")
