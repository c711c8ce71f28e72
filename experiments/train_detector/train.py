"""Trains a small detector on the CPU, and goes on where it was killed.  See README.md beside this.

``train.py --steps 200 --checkpoint FILE`` trains, saves every 20 steps, and begins at the
checkpoint if there is one. ``--kill-at N`` has the process kill itself, without warning, after step
N.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dynamic_batching"))

from batching_parts.detector import Detector, loss_of

from ftloader import Loader
from ftloader.batching import MemoryBudget
from ftloader.detection import open_coco
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.detection.transforms.recipes import multi_scale
from ftloader.interop.torch import to_device
from ftloader.observe.brief import one_line

SAVE_EVERY = 20
#: Padded pixels of a batch: about ten images of the smallest scale, four of the largest.
BUDGET = 200_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a COCO folder; synthetic images by default")
    parser.add_argument("--split", default=None)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--kill-at", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    detector = Detector(widths=(16, 24, 32, 48), neck=16)
    optimizer = torch.optim.SGD(detector.parameters(), lr=0.002, momentum=0.9)
    folder = arguments.data or synthetic_coco(SyntheticSpec(images=160, seed=2))
    loader = Loader(
        open_coco(folder, arguments.split),
        multi_scale(shortest=(96, 128, 160), longest=266),
        batch=MemoryBudget(BUDGET),
        seed=7,
        concurrency=arguments.workers,
    )
    step = restored(arguments.checkpoint, detector, optimizer, loader)
    while step < arguments.steps:
        step = train_epoch(detector, optimizer, loader, step, arguments)
    print(f"weights {digest(detector)} after {step} steps")
    return 0


def train_epoch(detector: Any, optimizer: Any, loader: Loader, step: int, arguments: Any) -> int:
    for batch in to_device(loader, "cpu"):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(detector, batch.images, batch.boxes, batch.labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 10.0)
        optimizer.step()
        step += 1
        show(step, batch, float(loss.detach()), loader)
        if step % SAVE_EVERY == 0:
            save(arguments.checkpoint, detector, optimizer, loader, step)
        if step == arguments.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == arguments.steps:
            loader.close()
            break
    return step


def show(step: int, batch: Any, loss: float, loader: Loader) -> None:
    stats = loader.stats()
    text = "" if stats is None else one_line(stats)
    height, width = batch.images.shape[2:]
    print(f"step {step}: {len(batch)} images of {width} x {height}, loss {loss:.3f} | {text}")


def save(path: Path, detector: Any, optimizer: Any, loader: Loader, step: int) -> None:
    state = {
        "detector": detector.state_dict(),
        "optimizer": optimizer.state_dict(),
        "loader": loader.state_dict(),
        "step": step,
    }
    # A kill while this is written must leave the checkpoint before it whole.
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def restored(path: Path, detector: Any, optimizer: Any, loader: Loader) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    detector.load_state_dict(state["detector"])
    optimizer.load_state_dict(state["optimizer"])
    loader.load_state_dict(state["loader"])
    print(f"going on after step {state['step']}")
    return int(state["step"])


def digest(detector: Any) -> str:
    weights = hashlib.sha256()
    for name, tensor in sorted(detector.state_dict().items()):
        weights.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return weights.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
