"""Aspect-ratio grouping beside the libraries that it is modelled on.

mmdet's class runs. detectron2's and torchvision's are in no wheel (the latter is a script in
``references/detection``): what they do is written out below once more, step by step.
"""

from __future__ import annotations

import bisect
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ftloader.batching.aspect import AspectBatches, aspect_groups
from ftloader.batching.samplers import Shuffled
from tests.oracle.references import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdet.datasets.samplers import AspectRatioBatchSampler

SEEDS = range(40)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Sizes, a batch size, and k: few shapes for many ties, or any sizes at all."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 200))
    if seed % 2:
        widths, heights = rng.integers(1, 1000, (2, count))
    else:
        shapes = np.array([(640, 480), (480, 640), (500, 500), (640, 427), (320, 640), (640, 320)])
        widths, heights = shapes[rng.integers(0, len(shapes), count)].T
    return widths, heights, int(rng.integers(1, 20)), int(rng.integers(0, 5))


def ours(seed: int, style: Any) -> list[list[int]]:
    widths, heights, size, k = drawn(seed)
    return [group.tolist() for group in aspect_groups(widths, heights, size, style, k)]


class InOrder(torch.utils.data.Sampler[int]):
    """A sampler as mmdet wants it: with a data set that tells sizes."""

    def __init__(self, order: list[int], widths: np.ndarray, heights: np.ndarray) -> None:
        self.order = order
        info = [{"width": w, "height": h} for w, h in zip(widths, heights, strict=True)]
        self.dataset = SimpleNamespace(get_data_info=lambda i: info[i])

    def __iter__(self) -> Iterator[int]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_are_those_of_mmdet(seed: int) -> None:
    widths, heights, size, _ = drawn(seed)
    sampler = InOrder(list(range(len(widths))), widths, heights)
    reference = AspectRatioBatchSampler(sampler, size)
    assert list(reference) == ours(seed, "mmdet")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_sampler_is_mmdets_on_a_shuffled_order(seed: int) -> None:
    widths, heights, size, _ = drawn(seed)
    shuffled = Shuffled(len(widths), seed)
    batches = AspectBatches(shuffled, widths, heights, size, "mmdet", epoch=2)
    sampler = InOrder(shuffled.order(2).tolist(), widths, heights)
    reference = AspectRatioBatchSampler(sampler, size)
    assert list(batches) == list(reference)
    assert len(batches) == len(reference)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_are_those_of_detectron2(seed: int) -> None:
    widths, heights, size, _ = drawn(seed)
    landscape: list[int] = []
    others: list[int] = []
    expected = []
    for row in range(len(widths)):
        waiting = landscape if widths[row] > heights[row] else others
        waiting.append(row)
        if len(waiting) == size:
            expected.append(list(waiting))
            waiting.clear()
    # Its sampler never ends, so it has no rule for what is left.
    assert ours(seed, "detectron2") == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_are_those_of_torchvisions_reference_script(seed: int) -> None:
    widths, heights, size, k = drawn(seed)
    edges = [2 ** (-1 + step / k) for step in range(2 * k + 1)] if k else [1.0]
    kinds = [bisect.bisect_right(edges, w / h) for w, h in zip(widths, heights, strict=True)]
    expected: list[list[int]] = []
    # Pairs of a group and its waiting rows; a group that became full goes to the end.
    queue: list[tuple[int, list[int]]] = []
    for row, kind in enumerate(kinds):
        waiting = next((rows for other, rows in queue if other == kind), None)
        if waiting is None:
            waiting = []
            queue.append((kind, waiting))
        waiting.append(row)
        if len(waiting) == size:
            expected.append(waiting)
            queue = [entry for entry in queue if entry[0] != kind] + [(kind, [])]
    queue.sort(key=lambda entry: -len(entry[1]))
    for kind, waiting in queue[: len(kinds) // size - len(expected)]:
        members = [row for row, other in enumerate(kinds) if other == kind]
        while len(waiting) < size:
            waiting.extend(members[: size - len(waiting)])
        expected.append(waiting)
    assert ours(seed, "torchvision") == expected
