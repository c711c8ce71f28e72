"""The same detector by torch's habits: a data set, a collate function, a DataLoader.

``--loader torch`` and ``--loader ftloader`` differ in one import, and end in the same weights.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from train import Detector, digest, loss_of

from ftloader.detection import open_coco
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.detection.transforms import Resize
from ftloader.rng import sample_rng

#: The one line that differs: where DataLoader is imported from.
MODULES = {"torch": "torch.utils.data", "ftloader": "ftloader"}
RESIZE = Resize((160, 128), keep_ratio=False)


class Coco(Dataset[Any]):
    def __init__(self, folder: Path, split: str | None) -> None:
        self.folder = open_coco(folder, split)

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        sample = self.folder.load(index)
        sample = RESIZE.apply(sample, RESIZE.draw(sample_rng(0, 0, index), sample.info))
        image = torch.tensor(sample.image).permute(2, 0, 1).float() / 255
        return image, torch.tensor(sample.boxes), torch.tensor(sample.labels)


def together(samples: list[Any]) -> tuple[torch.Tensor, list[Any], list[Any]]:
    images, boxes, labels = zip(*samples, strict=True)
    return torch.stack(images), list(boxes), list(labels)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loader", choices=MODULES, default="ftloader")
    parser.add_argument("--data", type=Path, help="a COCO folder; synthetic images by default")
    parser.add_argument("--split", default=None)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    kind = importlib.import_module(MODULES[arguments.loader]).DataLoader
    torch.set_num_threads(1)
    torch.manual_seed(0)
    detector = Detector(widths=(16, 24, 32, 48), neck=16)
    optimizer = torch.optim.SGD(detector.parameters(), lr=0.002, momentum=0.9)
    folder = arguments.data or synthetic_coco(SyntheticSpec(images=160, seed=2))
    loader = kind(
        Coco(folder, arguments.split),
        batch_size=8,
        shuffle=True,
        num_workers=arguments.workers,
        collate_fn=together,
        drop_last=True,
    )
    for _ in range(arguments.epochs):
        for images, boxes, labels in loader:
            optimizer.zero_grad(set_to_none=True)
            loss_of(detector, images, boxes, labels).backward()
            torch.nn.utils.clip_grad_norm_(detector.parameters(), 10.0)
            optimizer.step()
    print(f"weights {digest(detector)} with the DataLoader of {arguments.loader}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
