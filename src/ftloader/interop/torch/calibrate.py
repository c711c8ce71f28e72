"""Measures what training steps take at a designed grid of loads, and fits a cost model to it.

The step is the user's own: forward, backward and optimizer. Measured in this process, on synthetic
batches that are the same every time. On the host, the numbers repeat within a percent because
freed memory is given back to the system meanwhile (see :class:`SteadyAllocator`); the default
allocator keeps some of it, so a run that is to stay within such a prediction needs the same
setting. On CUDA, the caching allocator's fragmentation is not in the model: that is what the
fraction of :func:`device_budget` is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, Final

import numpy as np
import torch

from ftloader.batching.cost import TERMS, Load, floats
from ftloader.batching.fitting import STRIDES, Fitted, fit_observed
from ftloader.batching.observed import Observed
from ftloader.errors import MeasurementError, PlanError
from ftloader.interop.torch.memory import (
    PeakMemory,
    SteadyAllocator,
    chosen_device,
    release_freed,
)

#: Heights and widths of the default grid, pixels.
SHAPES: Final = ((320, 416), (480, 640), (640, 960))


def calibrate(
    step: Callable[[Any], object],
    *,
    shapes: Sequence[tuple[int, int]] = SHAPES,
    images: Sequence[int] = (1, 2, 4),
    boxes: Sequence[int] = (1, 20, 100),
    make: Callable[[Load], Any] | None = None,
    device: Any = None,
    repeats: int = 2,
    baseline: int = 0,
    anchors: int = 1,
    strides: Sequence[int] = STRIDES,
    terms: Sequence[str] = TERMS,
    quantile: float = 0.99,
) -> Fitted:
    """Measure a training step over a grid of loads and fit a cost model.

    Args:
        step: runs one training step on a batch: forward, backward, optimizer.
        shapes: heights and widths, pixels; span what the run will see.
        images: batch sizes.
        boxes: numbers of objects per image.
        make: makes a batch of a load, on the device; ``None``: :func:`synthetic_batch`.
        device: ``cpu`` or a CUDA device; ``None`` is CUDA where there is one.
        repeats: measured steps per load; the largest counts.
        baseline: bytes to leave out, such as what was resident before the network was made.
        anchors: per location.
        strides: of the feature maps that carry anchors, pixels.
        terms: that the model may use.
        quantile: part of steps that the margin is to cover.

    Raises:
        PlanError: an option cannot be.
        MeasurementError: the memory of this device cannot be measured.
        DataError: fewer than two steps had enough memory.

    Thread safety: nothing else should run in the process meanwhile; its memory would count.
    """
    loads = grid(shapes, images, boxes)
    observed = observe(step, loads, make=make, device=device, repeats=repeats, baseline=baseline)
    return fit_observed(observed, anchors=anchors, strides=strides, terms=terms, quantile=quantile)


def grid(
    shapes: Iterable[tuple[int, int]], images: Iterable[int], boxes: Iterable[int]
) -> list[Load]:
    """Return every combination as a load, every image with the same number of objects.

    Raises:
        PlanError: a number is too small to be.
    """
    loads = [Load(n, h, w, n * b, b) for (h, w), n, b in product(shapes, images, boxes)]
    for load in loads:
        if not _possible(load):
            raise PlanError(f"calibration: there cannot be a batch like {load}")
    return loads


def observe(
    step: Callable[[Any], object],
    loads: Sequence[Load],
    *,
    make: Callable[[Load], Any] | None = None,
    device: Any = None,
    repeats: int = 2,
    baseline: int = 0,
) -> Observed:
    """Run a step at each load and return the peaks: see :func:`calibrate`.

    What is there between steps (libraries, weights, optimizer state) is counted once, at its
    largest: it does not depend on the load, and its slow growth is not to be mistaken for it. A
    CUDA step that runs out of memory becomes a censored observation.
    """
    if repeats < 1 or not loads:
        raise PlanError(f"calibration: {len(loads)} loads measured {repeats} times give no number")
    chosen = chosen_device(device)
    made = make or (lambda load: synthetic_batch(load, chosen))
    with SteadyAllocator():
        for _ in range(2):  # the first step makes optimizer state, kernels and thread pools
            _measured(step, made, loads[0], chosen)
        rows = [
            (load, [_measured(step, made, load, chosen) for _ in range(repeats)]) for load in loads
        ]
    steady = max(before for _, runs in rows for before, _, _ in runs) - baseline
    if steady < 0:
        raise MeasurementError(
            f"calibration: baseline={baseline:,} is more than the {steady + baseline:,} bytes that "
            f"were there between steps; measure it in the same process, or leave it out"
        )
    growth = [max(most for _, most, _ in runs) for _, runs in rows]
    failed = [any(bad for _, _, bad in runs) for _, runs in rows]
    return Observed.of([load for load, _ in rows], np.array(growth) + steady, failed)


def synthetic_batch(load: Load, device: Any = "cpu") -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Make a batch of random pixels and boxes, the same for the same load.

    Returns:
        Images, float32 (n, 3, H, W), 0 to 1; and per image a dictionary with ``boxes``, float32
        (b, 4), xyxy, pixels, and ``labels``, int64 (b,), all 1.
    """
    n, height, width, _, most = (int(np.asarray(field)) for field in load)
    random = torch.Generator().manual_seed(0)
    images = torch.rand(n, 3, height, width, generator=random).to(device)
    targets = []
    for _ in range(n):
        # Top left in the first half, sides up to half: a box is never empty and never outside.
        corner, side = torch.rand(2, most, 2, generator=random) * 0.5
        scale = torch.tensor([width, height], dtype=torch.float32)
        boxes = torch.cat([corner * scale, (corner + side) * scale + 1], dim=1).to(device)
        labels = torch.ones(most, dtype=torch.int64, device=device)
        targets.append({"boxes": boxes, "labels": labels})
    return images, targets


def _possible(load: Load) -> bool:
    images, height, width, _, most = floats(load)
    return bool(min(images, height, width) >= 1 and most >= 0)


def _measured(
    step: Callable[[Any], object], make: Callable[[Load], Any], load: Load, device: Any
) -> tuple[int, int, bool]:
    """Return the bytes before a step, what they grew by at its peak, and whether it failed."""
    failed = False
    with PeakMemory(device) as peak:
        try:
            step(make(load))
        except torch.OutOfMemoryError:
            failed = True
    if failed:  # outside the handler, whose traceback held on to the step's tensors
        release_freed()
        torch.cuda.empty_cache()
    return peak.before, peak.bytes - peak.before, failed
