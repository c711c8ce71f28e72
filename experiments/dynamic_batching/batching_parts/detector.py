"""A small dense detector, real in what memory and time go into.

Convolutions, a pyramid, a head, and for each image a matrix of all locations against all objects.

Anchor-free, after FCOS (Tian et al., ICCV 2019): a location learns the smallest object that it lies
in and whose size suits its level.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = 80
STRIDES = (4, 8, 16, 32)
#: Longest distance from a location to a side of its object, pixels, for each level but the last.
REACH = (24, 48, 96)


def conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, width), conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Detector(nn.Module):
    """Images to logits of classes and distances to the sides of a box, at every location."""

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 192), neck: int = 32) -> None:
        super().__init__()
        self.stem = conv(3, 24, 2)
        before = (24, *widths)
        self.stages = nn.ModuleList(
            nn.Sequential(conv(before[level], width, 2), Block(width))
            for level, width in enumerate(widths)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in widths)
        self.smooth = nn.ModuleList(conv(neck, neck) for _ in widths)
        self.tower = conv(neck, neck)
        self.classes = nn.Conv2d(neck, CLASSES, 1)
        self.sides = nn.Conv2d(neck, 4, 1)
        # Nearly all locations are background: begin by saying so (Lin et al., ICCV 2017).
        nn.init.constant_(self.classes.bias, -4.0)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, L, classes) and distances (n, L, 4) in pixels."""
        x, maps = self.stem(images), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        top, logits, sides = None, [], []
        for level in reversed(range(len(maps))):
            here = self.lateral[level](maps[level])
            top = here if top is None else here + F.interpolate(top, size=here.shape[-2:])
            seen = self.tower(self.smooth[level](top))
            logits.append(self.classes(seen).flatten(2))
            sides.append((self.sides(seen).clamp(max=5).exp() * STRIDES[level]).flatten(2))
        join = [torch.cat(parts[::-1], 2).transpose(1, 2) for parts in (logits, sides)]
        return join[0], join[1]


def loss_of(
    detector: Detector, images: Tensor, boxes: Sequence[Tensor], labels: Sequence[Tensor]
) -> Tensor:
    """Return the loss of a batch, a mean over its images.

    Args:
        detector: what is trained.
        images: float32 (n, 3, H, W).
        boxes: for each image float32 (N, 4), ``x1, y1, x2, y2`` in pixels.
        labels: for each image int64 (N,).
    """
    logits, sides = detector(images)
    points, levels = locations(images.shape[-2], images.shape[-1])
    total = logits.sum() * 0
    for scores, found, these, kinds in zip(logits, sides, boxes, labels, strict=True):
        target, owner = assigned(points, levels, these, kinds)
        hit = owner >= 0
        total = total + focal(scores, target) / max(int(hit.sum()), 1)
        if hit.any():
            total = total + apart(found[hit], distances(points[hit], these[owner[hit]]))
    return total / len(images)


def locations(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the centres (L, 2) of all locations, x and y in pixels, and their levels (L,)."""
    points, levels = [], []
    for level, stride in enumerate(STRIDES):
        y, x = torch.meshgrid(
            torch.arange(-(-height // stride)), torch.arange(-(-width // stride)), indexing="ij"
        )
        points.append((torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride)
        levels.append(torch.full((x.numel(),), level))
    return torch.cat(points), torch.cat(levels)


def distances(points: Tensor, boxes: Tensor) -> Tensor:
    """Return how far the left, upper, right and lower side are from points, pixels."""
    return torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], -1)


@torch.no_grad()
def assigned(
    points: Tensor, levels: Tensor, boxes: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the class of each location (background last) and the place of its object or -1."""
    none = torch.full((len(points),), -1)
    if not len(boxes):
        return none + CLASSES + 1, none
    far = distances(points[:, None].expand(-1, len(boxes), -1), boxes[None])
    nearest, farthest = far.min(-1).values, far.max(-1).values
    limits = torch.tensor((0.0, *REACH, 1e9))
    suits = (farthest > limits[levels][:, None]) & (farthest <= limits[levels + 1][:, None])
    area = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).expand(len(points), -1)
    smallest, owner = torch.where((nearest > 0) & suits, area, torch.inf).min(1)
    owner = torch.where(smallest.isfinite(), owner, none)
    return torch.where(owner >= 0, labels[owner], CLASSES), owner


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """Return the focal loss (Lin et al., ICCV 2017), summed."""
    wanted = F.one_hot(target, CLASSES + 1)[:, :CLASSES].to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    sure = logits.detach().sigmoid()
    weight = torch.where(wanted > 0, 0.25 * (1 - sure) ** 2, 0.75 * sure**2)
    return (weight * loss).sum()


def apart(found: Tensor, wanted: Tensor) -> Tensor:
    """Return one minus the mean overlap of boxes that are given by their sides' distances."""
    inner = torch.minimum(found, wanted)
    shared = (inner[:, 0] + inner[:, 2]) * (inner[:, 1] + inner[:, 3])
    areas = [(d[:, 0] + d[:, 2]) * (d[:, 1] + d[:, 3]) for d in (found, wanted)]
    return 1 - (shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)).mean()
