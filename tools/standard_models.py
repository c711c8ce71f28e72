"""Measures the cost models that come with the package: ``python tools/standard_models.py [NAME]``.

Needs ftloader, torch and torchvision; downloads nothing (random weights). Takes about ten minutes
and 4 GB per model on one core, and writes ``src/ftloader/batching/models/NAME.json``.
"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional

from ftloader.batching.fitting import fit_observed
from ftloader.batching.model_files import provenance_of, save_model
from ftloader.interop.torch import grid, observe
from ftloader.interop.torch.memory import release_freed, resident_bytes

MODELS = Path(__file__).resolve().parent.parent / "src/ftloader/batching/models"
SHAPES = ((256, 320), (352, 448), (448, 576))
IMAGES = (1, 2, 4)
BOXES = (1, 100)
# Below, the peak is where gradients meet optimizer state, whatever the load; above, a step takes a
# core more than half a minute.
LEAST_PIXELS, MOST_PIXELS = 100_000, 650_000
# Shapes and numbers of objects between those of the fit, and one load of twice the pixels.
HELD_OUT = [*grid(((288, 384),), (1, 3), (5, 60)), *grid(((416, 480),), (1, 2), (40,))]
BEYOND = grid(((480, 640),), (4,), (50,))
CLASSES = 91
NOT_IN_IT = (
    "Peak resident bytes of the process on the host, less what was resident before the network was "
    "made; float32 throughout. Not in it: convolution workspaces of a GPU library, fragmentation "
    "of the caching allocator, the CUDA context, mixed precision, masks, data-parallel buckets, "
    "other optimizers. "
    "Measured at shapes from {least} to {most}, batches of {few} to {many} pixels; beyond is "
    "extrapolation. Good for a first plan: calibrate your own step for one to rely on."
)


def rcnn() -> Any:
    """Faster R-CNN with ResNet-50 and FPN, all layers trained; SGD with momentum."""
    model = torchvision.models.detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES
    )
    # The shapes measured are the shapes asked for.
    model.transform.resize = lambda image, target: (image, target)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)

    def step(batch: Any) -> None:
        images, targets = batch
        optimizer.zero_grad(set_to_none=True)
        sum(model(list(images), targets).values()).backward()
        optimizer.step()

    return step


class Detr(nn.Module):
    """ResNet-50, 6 encoder and 6 decoder layers of width 256, 100 queries."""

    def __init__(self) -> None:
        super().__init__()
        trunk = torchvision.models.resnet50(weights=None)
        self.trunk = nn.Sequential(*list(trunk.children())[:-2])
        self.narrow = nn.Conv2d(2048, 256, 1)
        # Dropout makes torch form the attention matrices on the host, as the original network does.
        self.transformer = nn.Transformer(256, 8, 6, 6, 2048, dropout=0.1, batch_first=True)
        self.queries = nn.Parameter(torch.rand(100, 256))
        self.classes, self.boxes = nn.Linear(256, CLASSES + 1), nn.Linear(256, 4)

    def forward(self, images: torch.Tensor) -> Any:
        """Return class scores (n, 100, 92) and boxes (n, 100, 4), 0 to 1."""
        tokens = self.narrow(self.trunk(images)).flatten(2).transpose(1, 2)
        found = self.transformer(tokens, self.queries.expand(len(images), -1, -1))
        return self.classes(found), self.boxes(found).sigmoid()


def detr() -> Any:
    """A DETR with a loss that matches the k-th query with the k-th object; AdamW."""
    model = Detr()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)

    def step(batch: Any) -> None:
        images, targets = batch
        optimizer.zero_grad(set_to_none=True)
        scores, boxes = model(images)
        loss = scores.new_zeros(())
        for score, box, target in zip(scores, boxes, targets):  # noqa: B905 (Python 3.9)
            count = min(len(target["labels"]), len(score))
            wanted = torch.full((len(score),), CLASSES)
            wanted[:count] = target["labels"][:count]
            loss = loss + functional.cross_entropy(score, wanted)
            sides = images.new_tensor([images.shape[3], images.shape[2]] * 2)
            loss = loss + functional.l1_loss(box[:count], target["boxes"][:count] / sides)
        loss.backward()
        optimizer.step()

    return step


#: Name -> network, description, anchors per location, strides, terms that it has.
NETWORKS = {
    "rcnn": (
        rcnn,
        "Faster R-CNN, ResNet-50, FPN (torchvision), all layers trained, SGD with momentum",
        3,
        (4, 8, 16, 32, 64),
        ("fixed", "pixels", "images", "boxes", "assignment"),
    ),
    "detr": (
        detr,
        "DETR-like: ResNet-50, 6 + 6 layers of width 256, 100 queries, AdamW, attention matrices "
        "formed, no Hungarian matching",
        1,
        (32,),
        ("fixed", "pixels", "images", "boxes", "attention"),
    ),
}


def measure(name: str) -> None:
    """Measure, fit, print the figures and write the file of one network."""
    make, described, anchors, strides, terms = NETWORKS[name]
    warm = nn.Sequential(nn.Conv2d(3, 64, 7), nn.BatchNorm2d(64), nn.ReLU())
    warm(torch.rand(2, 3, 64, 64)).sum().backward()  # libraries, which are nobody's network
    del warm
    release_freed()
    baseline = resident_bytes()
    torch.manual_seed(0)
    step, start = make(), time.monotonic()
    every = grid(SHAPES, IMAGES, BOXES)
    loads = [x for x in every if LEAST_PIXELS <= x[0] * x[1] * x[2] <= MOST_PIXELS]
    # In one go: the host's libraries keep kernels per shape, which are counted once for all loads.
    log = observe(step, [*loads, *HELD_OUT, *BEYOND], device="cpu", repeats=1, baseline=baseline)
    seen, held, beyond = (log.take(rows) for rows in parts(len(loads), len(HELD_OUT), len(BEYOND)))
    fitted = fit_observed(seen, anchors=anchors, strides=strides, terms=terms)
    for row in zip(*log.loads, log.bytes):  # noqa: B905 (Python 3.9)
        print(*map(int, row))
    print(f"{name}: {time.monotonic() - start:.0f} s\n{fitted.report()}", flush=True)
    for what, others in (("held out", held), ("beyond", beyond)):
        errors = fitted.model.predict(others.loads) / others.bytes - 1
        covered = (fitted.model.cost(others.loads) >= others.bytes).mean()
        print(f"{what}: {errors.min():+.2%} to {errors.max():+.2%}, covered {covered:.0%}")
    least, most = (f"{height} x {width}" for height, width in (SHAPES[0], SHAPES[-1]))
    notes = NOT_IN_IT.format(least=least, most=most, few=LEAST_PIXELS, many=MOST_PIXELS)
    known = {
        "name": described,
        "device": "cpu",
        "torch": torch.__version__.partition("+")[0],
        "dtype": "float32",
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "notes": notes,
    }
    MODELS.mkdir(exist_ok=True)
    save_model(MODELS / f"{name}.json", fitted.model, provenance_of(fitted, **known))


def parts(*lengths: int) -> list[Any]:
    """Return the rows of parts that lie one behind the other."""
    ends = np.cumsum(lengths)
    return [np.arange(end - length, end) for end, length in zip(ends, lengths)]  # noqa: B905


if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or sorted(NETWORKS):
        measure(wanted)
