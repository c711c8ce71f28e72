"""A pipeline feeding torch: batches as tensors, and ranks that share a data set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from ftloader import Pipeline, sample_rng

RANK = """
import json, os, sys
import torch.distributed as dist
from ftloader import Pipeline
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
mine = list(Pipeline(range(rank, 101, world)).pipe(lambda x: x, concurrency=3))
everybody = [None] * world
dist.all_gather_object(everybody, mine)
if rank == 0:
    print("RESULT " + json.dumps(everybody), flush=True)
dist.destroy_process_group()
"""


def load(sample: int) -> np.ndarray:
    return sample_rng(0, 0, sample).integers(0, 256, (8, 6, 3), dtype=np.uint8)


def collate(images: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def test_batches_become_tensors_that_equal_the_serial_ones() -> None:
    torch.set_num_threads(1)
    pipeline = Pipeline(range(50)).pipe(load, concurrency=4).aggregate(8).pipe(collate).prefetch(2)
    with pipeline.run("serial") as run:
        expected = list(run)
    for batch, same in zip(pipeline, expected, strict=True):
        assert batch.shape[1:] == (3, 8, 6)
        assert torch.equal(batch, same)


def test_ranks_under_torchrun_share_the_data_without_loss(tmp_path: Path) -> None:
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node=2", str(script)),
        ],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    ranks = json.loads(line.removeprefix("RESULT "))
    assert ranks == [list(range(0, 101, 2)), list(range(1, 101, 2))]
