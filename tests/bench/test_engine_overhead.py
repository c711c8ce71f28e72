"""What an engine costs, in short form: the engine experiment's cells, a few rounds of each.

    ./noxw -s tests-3.13t -- tests/bench

Rows of one group do the same amount of work; read ratios between them, never times of two runs.
A row's time includes starting and ending; ``extra_info`` holds the value as the experiment defines
it. Targets are judged by ``experiments/engine_overhead`` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ftloader import Pipeline
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.lab import experiment, inputs
from ftloader.lab.costs import Cell, Contender, describe

SCRIPT = Path(__file__).parents[2] / "experiments" / "engine_overhead" / "run.py"
CELLS = describe.load(SCRIPT).cells
CASES = [(cell, one) for cell in CELLS for one in cell.contenders]

#: Work of a row, by the beginning of the cell's name; other cells use their own first amount.
AMOUNTS = {"noop": 2_000, "counting": 20_000, "crossing": 1_000}
ITEMS = 5_000


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> experiment.Inputs:
    folder = tmp_path_factory.mktemp("coco") / "data"
    write_synthetic_coco(SyntheticSpec(images=6, seed=3), folder, progress=False)
    return inputs.choose(folder, 4, seed=1)[0]


@pytest.mark.parametrize(
    ("cell", "contender"), CASES, ids=[f"{cell.name}-{one.name}" for cell, one in CASES]
)
def test_a_contender(
    benchmark: BenchmarkFixture, drawn: experiment.Inputs, cell: Cell, contender: Contender
) -> None:
    amount = AMOUNTS.get(cell.name.partition("_")[0], cell.first)
    benchmark.group = f"{cell.title} ({amount})"
    measured = benchmark.pedantic(
        contender.measure, args=(drawn, amount), rounds=3, warmup_rounds=1
    )
    benchmark.extra_info.update(value=measured.value, unit=cell.unit)
    assert measured.seconds > 0


def same(item: int) -> int:
    return item


async def asame(item: int) -> int:
    return item


PIPELINES: dict[str, tuple[Any, int]] = {
    "no stage": (Pipeline(range(ITEMS)), ITEMS),
    "1 stage": (Pipeline(range(ITEMS)).pipe(same, concurrency=2), ITEMS),
    "1 async stage": (Pipeline(range(ITEMS)).pipe(asame, concurrency=2), ITEMS),
    "aggregate": (Pipeline(range(ITEMS)).pipe(same, concurrency=2).aggregate(50), ITEMS // 50),
    "1 stage, serial": (Pipeline(range(ITEMS)).pipe(same), ITEMS),
}


@pytest.mark.parametrize("case", PIPELINES)
def test_a_whole_short_run(benchmark: BenchmarkFixture, case: str) -> None:
    pipeline, expected = PIPELINES[case]
    engine = "serial" if case.endswith("serial") else "threads"
    benchmark.group = f"{ITEMS} items that need no work, from start to end"
    count = benchmark.pedantic(
        lambda: sum(1 for _ in pipeline.run(engine)), rounds=5, warmup_rounds=1
    )
    assert count == expected
