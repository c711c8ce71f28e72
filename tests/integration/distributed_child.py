"""One rank of a training run under torchrun; what it does is told in a JSON job.

Trains a small network for the epochs asked for and writes, per rank, which samples each step had
and the parameters at the end. With ``die_after`` it saves a checkpoint at the end of that step,
takes one step more, and is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from ftloader import Loader
from ftloader.batching import MemoryBudget
from ftloader.detection import open_coco
from ftloader.detection.transforms import RandomChoiceResize
from ftloader.interop.torch import to_device

RECIPE = RandomChoiceResize(((160, 64), (160, 96)))


class Network(torch.nn.Module):
    """Says for each image how many objects it has, from its pixels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 6, 3, stride=2), torch.nn.Tanh(), torch.nn.Conv2d(6, 4, 3, stride=2)
        )
        self.head = torch.nn.Linear(4, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(images).mean((2, 3)))[:, 0]


def main(job: dict[str, Any]) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(0)
    network = Network().double()
    loader = Loader(
        open_coco(job["folder"]), RECIPE, batch=MemoryBudget(40_000), seed=1,
        batches_per_step=4, concurrency=2,
    )  # fmt: skip
    out = Path(job["out"])
    if job["resume"]:
        saved = torch.load(out / "checkpoint.pt", weights_only=True)
        network.load_state_dict(saved["network"])
        # Any rank's state serves: it was taken at the end of a step.
        loader.load_state_dict(saved["loader"])
    model = DistributedDataParallel(network)
    steps: list[list[Any]] = []
    while loader.epoch < job["epochs"]:
        train_epoch(model, loader, job, steps)
    parameters = torch.cat([one.detach().flatten() for one in network.parameters()])
    found = {"steps": steps, "parameters": parameters.tolist()}
    (out / f"rank-{rank}-of-{dist.get_world_size()}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def train_epoch(model: Any, loader: Loader, job: dict[str, Any], steps: list[list[Any]]) -> None:
    epoch, ids = loader.epoch, []
    for batch in to_device(loader, "cpu", dtype=torch.float64):
        planned = batch.planned
        last = planned.micro + 1 == planned.micros
        with contextlib.nullcontext() if last else model.no_sync():
            counts = torch.tensor([float(len(labels)) for labels in batch.labels]).double()
            loss = ((model(batch.images) - counts) ** 2).mean()
            (loss * planned.weight).backward()
        ids += [] if planned.repeat else batch.image_ids.tolist()
        if not last:
            continue
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.001 * parameter.grad
                parameter.grad = None
        steps.append([epoch, planned.step, ids])
        ids = []
        if len(steps) == job["die_after"] and dist.get_rank() == 0:
            save(model.module, loader, job)
        if len(steps) == job["die_after"] + 1:
            dist.barrier()
            os.kill(os.getpid(), signal.SIGKILL)


def save(network: torch.nn.Module, loader: Loader, job: dict[str, Any]) -> None:
    saved = {"network": network.state_dict(), "loader": loader.state_dict()}
    torch.save(saved, Path(job["out"]) / "checkpoint.pt")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
