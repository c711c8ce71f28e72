"""Real processes under torchrun: who gets what, and what the parameters become."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.runtime import free_threaded_build

CHILD = Path(__file__).with_name("distributed_child.py")
IMAGES, EPOCHS = 60, 2

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticSpec(images=IMAGES, seed=3)
    return synthetic_coco(spec, cache_dir=tmp_path_factory.mktemp("coco"))


def torchrun(folder: Path, out: Path, world: int, die_after: int = -1, resume: bool = False) -> int:
    job = {
        "folder": str(folder), "out": str(out), "epochs": EPOCHS,
        "die_after": die_after, "resume": resume,
    }  # fmt: skip
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    if free_threaded_build():
        env["PYTHON_GIL"] = "0"  # torch.distributed imports what turns the GIL on
    done = subprocess.run(
        [*launch, str(world), str(CHILD), json.dumps(job)],
        env=env, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    if done.returncode and die_after < 0:
        pytest.fail(f"torchrun ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.returncode


def told(out: Path, world: int) -> list[dict[str, Any]]:
    names = [f"rank-{rank}-of-{world}.json" for rank in range(world)]
    return [json.loads((out / name).read_text(encoding="utf-8")) for name in names]


def by_step(ranks: list[dict[str, Any]]) -> dict[tuple[int, int], list[int]]:
    """Which images each step of each epoch had, over all ranks."""
    steps: dict[tuple[int, int], list[int]] = {}
    for rank in ranks:
        for epoch, step, ids in rank["steps"]:
            steps.setdefault((epoch, step), []).extend(ids)
    return {step: sorted(ids) for step, ids in steps.items()}


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The run of one process, which all others must be like."""
    out = tmp_path_factory.mktemp("alone")
    torchrun(folder, out, 1)
    return told(out, 1)


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_every_step_and_learn_the_same(
    folder: Path, alone: list[dict[str, Any]], tmp_path: Path, world: int
) -> None:
    torchrun(folder, tmp_path, world)
    ranks = told(tmp_path, world)
    taken = [[(epoch, step) for epoch, step, _ in rank["steps"]] for rank in ranks]
    assert all(steps == taken[0] for steps in taken)
    steps = by_step(ranks)
    for epoch in range(EPOCHS):
        served = [i for (e, _), ids in steps.items() if e == epoch for i in ids]
        assert sorted(served) == list(range(1, IMAGES + 1))
    assert steps == by_step(alone)
    for rank in ranks:
        assert rank["parameters"] == pytest.approx(alone[0]["parameters"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("before", "after"), [(2, 2), (4, 2), (2, 4)])
def test_a_killed_run_goes_on_with_any_number_of_ranks(
    folder: Path, alone: list[dict[str, Any]], tmp_path: Path, before: int, after: int
) -> None:
    steps = by_step(alone)
    first_epoch = sum(epoch == 0 for epoch, _ in steps)
    die_after = first_epoch // 2
    assert torchrun(folder, tmp_path, before, die_after=die_after) != 0
    torchrun(folder, tmp_path, after, resume=True)
    ranks = told(tmp_path, after)
    left = {step: ids for step, ids in steps.items() if step >= (0, die_after)}
    assert by_step(ranks) == left
    for rank in ranks:
        assert rank["parameters"] == pytest.approx(alone[0]["parameters"], rel=1e-9, abs=1e-12)
