"""Peak memory measured and predicted on the host, and budgets that ranks agree on.

Nothing here needs a CUDA device: of that side, only the arithmetic is tested, with torch's answers
put in its place.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ftloader.batching import Load
from ftloader.batching.fitting import fit_observed
from ftloader.errors import MeasurementError, PlanError
from ftloader.interop.torch import (
    PeakMemory,
    SteadyAllocator,
    calibrate,
    device_budget,
    grid,
    observe,
    smallest_over_ranks,
    synthetic_batch,
)
from ftloader.interop.torch.memory import reset_host_peak

MIB = 1 << 20
RANK = """
import torch.distributed as dist
from ftloader.interop.torch import smallest_over_ranks
dist.init_process_group("gloo")
least = smallest_over_ranks((1 << 40) + 7 - dist.get_rank())
everybody = [None] * dist.get_world_size()
dist.all_gather_object(everybody, least)
if dist.get_rank() == 0:
    import json
    print("RESULT " + json.dumps(everybody), flush=True)
dist.destroy_process_group()
"""


class Detector(nn.Module):
    """A backbone of five stages, a pyramid of three levels and a dense head: 1 M parameters."""

    def __init__(self, classes: int = 20, anchors: int = 3) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, 128, 128)
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()),
                *(nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()),
            )
            for a, b in pairwise(widths)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(128, 64, 1) for _ in range(3))
        self.head = nn.Sequential(
            nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU(), nn.Conv2d(64, anchors * (classes + 4), 3, 1, 1)
        )
        self.outputs = classes + 4

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        levels = []
        for stage in self.stages:
            pixels = stage(pixels)
            levels.append(pixels)
        maps = [one(level) for one, level in zip(self.lateral, levels[2:], strict=True)]
        for fine in (1, 0):
            size = maps[fine].shape[-2:]
            maps[fine] = maps[fine] + functional.interpolate(maps[fine + 1], size=size)
        heads = [self.head(level).flatten(2).transpose(1, 2) for level in maps]
        flat = [head.reshape(len(pixels), -1, self.outputs) for head in heads]
        return torch.cat(flat, 1)


def training_step() -> Any:
    """A step that matches all anchors with all boxes of an image, image by image."""
    torch.manual_seed(0)
    network = Detector()
    # Momentum by hand: torch.optim imports triton, which turns the GIL on in CPython 3.13t.
    momenta = [torch.zeros_like(weights) for weights in network.parameters()]

    def step(batch: Any) -> None:
        images, targets = batch
        network.zero_grad(set_to_none=True)
        outputs = network(images)
        anchors = torch.linspace(0, 300, outputs.shape[1])[:, None] + torch.tensor([0, 0, 50, 50])
        loss = outputs.new_zeros(())
        for output, target in zip(outputs, targets, strict=True):
            overlap, which = overlaps(anchors, target["boxes"]).max(1)
            wanted = functional.one_hot((overlap > 0.3).long(), output.shape[1] - 4)
            loss = loss + functional.binary_cross_entropy_with_logits(output[:, 4:], wanted.float())
            loss = loss + functional.l1_loss(output[:, :4], target["boxes"][which] / 300)
        loss.backward()
        with torch.no_grad():
            for weights, momentum in zip(network.parameters(), momenta, strict=True):
                assert weights.grad is not None
                weights.sub_(momentum.mul_(0.9).add_(weights.grad), alpha=1e-3)

    return step


def overlaps(anchors: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    low = torch.maximum(anchors[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(anchors[:, None, 2:], boxes[None, :, 2:])
    common = (high - low).clamp(min=0).prod(2)
    areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (anchors, boxes)]
    return common / (areas[0][:, None] + areas[1][None] - common)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_peak_of_a_block_is_what_it_took_at_most_not_at_its_end() -> None:
    with SteadyAllocator():
        for size in (64, 8):  # the smaller one second: the peak starts anew
            with PeakMemory("cpu") as peak:
                torch.ones(size * MIB, dtype=torch.uint8)
            assert abs(peak.bytes - peak.before - size * MIB) < 2 * MIB


def test_a_step_of_known_size_is_recovered() -> None:
    def step(batch: Any) -> None:
        torch.ones(batch[0].numel() * 8)  # 3 channels, 8 times, 4 bytes: 96 per pixel

    fitted = calibrate(
        step,
        shapes=((256, 256), (512, 512)),
        images=(1, 4),
        boxes=(1, 3),
        device="cpu",
        terms=("fixed", "pixels"),
    )
    assert fitted.model.pixels == pytest.approx(96 + 12, rel=0.02)  # and the batch itself
    assert fitted.worst < 0.01
    assert fitted.model.margin < 2 * MIB


def test_bytes_that_were_there_before_can_be_left_out() -> None:
    loads = grid(((64, 64),), (1, 2), (1,))
    whole = observe(lambda batch: None, loads, device="cpu")
    less = observe(lambda batch: None, loads, device="cpu", baseline=100 * MIB)
    np.testing.assert_allclose(whole.bytes - less.bytes, 100 * MIB, atol=8 * MIB)


def test_a_detector_is_predicted_at_shapes_it_was_not_calibrated_at() -> None:
    step = training_step()
    seen = grid(((192, 256), (256, 416), (416, 512)), (1, 3), (1, 100))
    fresh = grid(((224, 320), (320, 416)), (2,), (10, 60))
    again = [fresh[0], seen[-1], fresh[-1]]
    log = observe(step, [*seen, *fresh, *again], device="cpu", repeats=1)
    place = np.arange(len(log))
    known = log.take(place < len(seen))
    held = log.take((place >= len(seen)) & (place < len(seen) + len(fresh)))
    fitted = fit_observed(known, anchors=3, strides=(8, 16, 32))
    least = float(known.bytes.min())
    wrong = np.abs(fitted.model.predict(held.loads) - held.bytes)
    repeated = log.bytes[-3:] / log.bytes[[len(seen), len(seen) - 1, len(seen) + len(fresh) - 1]]
    figures = {
        "held_out": float((wrong / held.bytes).max()),
        "held_out_own": float(wrong.max() / (held.bytes.max() - least)),
        "repeated": float(np.abs(repeated - 1).max()),
        "covered": float((fitted.model.cost(held.loads) >= held.bytes).mean()),
    }
    print(json.dumps(figures), fitted.report())
    assert figures["repeated"] < 0.01
    assert figures["held_out"] < 0.05
    # Of the part that depends on the load: without the libraries there is less to hide behind.
    assert figures["held_out_own"] < 0.10
    assert "pixels" in fitted.active


def test_a_step_that_runs_out_of_memory_becomes_a_censored_observation() -> None:
    def step(batch: Any) -> None:
        if len(batch[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    log = observe(step, grid(((64, 64),), (1, 2, 4), (1,)), device="cpu")
    assert log.censored.tolist() == [False, False, True]


def test_a_step_that_fails_otherwise_is_not_hidden() -> None:
    def step(batch: Any) -> None:
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        observe(step, grid(((64, 64),), (1,), (1,)), device="cpu")


def test_synthetic_batches_are_as_asked_and_the_same_every_time() -> None:
    load = Load(2, 48, 64, 10, 5)
    (images, targets), (same, others) = synthetic_batch(load), synthetic_batch(load)
    assert images.shape == (2, 3, 48, 64)
    assert torch.equal(images, same)
    for target, other in zip(targets, others, strict=True):
        boxes = target["boxes"]
        assert torch.equal(boxes, other["boxes"])
        assert boxes.shape == (5, 4)
        assert target["labels"].shape == (5,)
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([65, 49, 65, 49])).all()


def test_a_batch_maker_of_the_users_own_is_called_with_each_load() -> None:
    made: list[Load] = []
    loads = grid(((32, 64), (64, 64)), (1,), (2,))
    observe(lambda batch: None, loads, make=made.append, device="cpu", repeats=1)
    assert made == [loads[0], loads[0], *loads]  # the first two warm up


@pytest.mark.parametrize(
    ("shapes", "images", "boxes"), [((0, 32), 1, 1), ((32, 32), 0, 1), ((32, 32), 1, -1)]
)
def test_loads_that_cannot_be_are_refused(shapes: tuple[int, int], images: int, boxes: int) -> None:
    with pytest.raises(PlanError, match="there cannot be a batch like"):
        grid([shapes], [images], [boxes])


def test_a_calibration_without_measurements_is_refused() -> None:
    with pytest.raises(PlanError, match="give no number"):
        observe(lambda batch: None, [], device="cpu")


def test_devices_whose_memory_cannot_be_measured_are_named() -> None:
    with pytest.raises(MeasurementError, match="not on meta"):
        PeakMemory("meta")


def test_a_kernel_that_does_not_let_peaks_be_reset_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ftloader.interop.torch.memory._CLEAR_REFS", str(tmp_path / "no" / "file"))
    with pytest.raises(MeasurementError, match="cannot be reset"):
        reset_host_peak()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_its_budget_and_peaks_are_refused() -> None:
    with pytest.raises(PlanError, match="no CUDA device here"):
        device_budget()
    with pytest.raises(MeasurementError, match="no CUDA device here"):
        PeakMemory("cuda")


def cuda_that_says(monkeypatch: pytest.MonkeyPatch, free: int, total: int, reserved: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, total))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: reserved)


def test_a_device_budget_is_a_part_of_what_others_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda_that_says(monkeypatch, free=50, total=100, reserved=30)  # 20 are others'
    found = device_budget(fraction=0.5, static=10)
    assert found.bytes == 30
    assert found.source == "0.5 of 80 bytes that cuda has for this process, less 10"
    with pytest.raises(PlanError, match="no device memory left"):
        device_budget(fraction=0.5, static=40)
    with pytest.raises(PlanError, match="static"):
        device_budget(static=-1)
    with pytest.raises(PlanError, match="cpu is no CUDA device"):
        device_budget("cpu")


def test_alone_the_smallest_value_is_ones_own() -> None:
    assert smallest_over_ranks(1 << 50) == 1 << 50


def test_all_ranks_get_the_smallest_value(tmp_path: Path) -> None:
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
    line = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert line, done.stderr
    assert json.loads(line[0].removeprefix("RESULT ")) == [(1 << 40) + 6] * 2
