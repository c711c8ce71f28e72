"""What a transform costs, in short form: the transforms experiment's steps, a few rounds of each.

    ./noxw -s bench-transforms -- tests/bench     # with the peers, on 3.12
    ./noxw -s tests-3.13t -- tests/bench/test_transforms.py

Rows of one group do the same to the same images, one pass over them per round, and a row's time is
that of the calls alone; read ratios inside a group, never times of two runs. Targets are judged by
``experiments/transforms`` alone, which also has the recipes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.lab import experiment, inputs
from ftloader.lab.costs import describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "transforms" / "run.py"
describe.load(SCRIPT)  # which makes the cells importable

CASES = [(case, way) for case in sys.modules["ftloader_experiment"].CASES for way in case.ways()]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> experiment.Inputs:
    folder = tmp_path_factory.mktemp("coco") / "data"
    write_synthetic_coco(SyntheticSpec(images=6, seed=3), folder, progress=False)
    return inputs.choose(folder, 4, seed=1)[0]


# pycocotools has not followed NumPy 2's protocol for arrays.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    ("case", "way"), CASES, ids=[f"{case.name}-{way.name}" for case, way in CASES]
)
def test_a_transform(
    benchmark: BenchmarkFixture, drawn: experiment.Inputs, case: Any, way: Any
) -> None:
    contender = next(one for one in case.cell().contenders if one.name == way.name)
    if why := contender.missing():
        pytest.skip(why)
    tasks, transform = case.tasks(drawn)
    bound = way.tie(tasks, transform)

    def ready() -> tuple[tuple[list[Any]], dict[str, Any]]:
        return ([bound.fresh(argument) for argument in bound.arguments],), {}

    def one_pass(arguments: list[Any]) -> Any:
        last = None
        for argument in arguments:
            last = bound.call(argument)
        return last

    benchmark.group = f"{case.title} ({len(bound.arguments)} images)"
    benchmark.extra_info.update(images=len(bound.arguments))
    last = benchmark.pedantic(one_pass, setup=ready, rounds=5, warmup_rounds=1)
    assert bound.outcome(last).image.ndim > 0
