"""What runs in a process of its own: calibrating the detector, and training it for an epoch.

Everything that is said goes to standard output, a JSON object per line, as soon as it is known: a
process that is out of memory may not get further.
"""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from batching_parts import detector
from batching_parts.measured import SLACK, Course, Setting, foretold, policy_of
from ftloader import Pipeline
from ftloader.batching import DeviceBytes, Gather, Load, PaddedBatch, Serve, pad_collate, places
from ftloader.interop.torch import SteadyAllocator, calibrate
from ftloader.interop.torch.memory import (
    host_peak,
    release_freed,
    reset_host_peak,
    resident_bytes,
)
from ftloader.lab import provenance

#: Terms that this detector can have.
TERMS = ("fixed", "pixels", "images", "boxes", "assignment")
SMALL = Load(2, 64, 64, 4, 2)


@dataclass(frozen=True)
class Fed:
    """A batch as it leaves the pipeline: uint8 (n, H, W, 3), and objects per image."""

    images: Any
    boxes: tuple[Any, ...]
    labels: tuple[Any, ...]


class Trainer:
    """The detector and its optimizer, the same at the start of every process."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.detector = detector.Detector()
        self.optimizer = torch.optim.SGD(self.detector.parameters(), lr=0.002, momentum=0.9)

    @property
    def parameters(self) -> int:
        return sum(one.numel() for one in self.detector.parameters())

    def step(self, batch: Fed | PaddedBatch) -> float:
        """Take one step; return the loss."""
        images = torch.from_numpy(batch.images).permute(0, 3, 1, 2).float().div_(255)
        boxes = [torch.from_numpy(np.array(one)) for one in batch.boxes]
        labels = [torch.from_numpy(np.array(one)) for one in batch.labels]
        self.optimizer.zero_grad(set_to_none=True)
        loss = detector.loss_of(self.detector, images, boxes, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        # A detector from nothing has wild first gradients.
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), 10.0)
        self.optimizer.step()
        return float(loss.detach())

    def settle(self) -> None:
        """Take one small step: what it makes once is static from then on."""
        self.step(made(SMALL))
        self.optimizer.zero_grad(set_to_none=True)
        release_freed()


def made(load: Load) -> Fed:
    """Return a batch of noise with that load."""
    n, height, width, _, most = (int(np.asarray(field)) for field in load)
    rng = np.random.default_rng(0)
    corners = rng.random((n, most, 2), np.float32) * 0.5
    sides = rng.random((n, most, 2), np.float32) * 0.5
    scale = np.array([width, height], np.float32)
    boxes = np.concatenate([corners * scale, (corners + sides) * scale + 1], 2)
    labels = rng.integers(detector.CLASSES, size=(n, most))
    return Fed(rng.integers(0, 256, (n, height, width, 3), np.uint8), tuple(boxes), tuple(labels))


def calibration(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the fitted model, and the static part that goes with it.

    The static part is what the fit finds to be there whatever the load. One reading before it would
    be a single sample, which a slow allocator may have made too large.
    """
    setting = Setting.of(job["setting"])
    with SteadyAllocator():
        trainer = Trainer(setting.threads)
        trainer.settle()
        start = time.perf_counter()
        fitted = calibrate(
            trainer.step,
            shapes=setting.shapes,
            images=setting.images,
            boxes=setting.boxes,
            make=made,
            device="cpu",
            strides=detector.STRIDES,
            terms=TERMS,
        )
    yield {
        "record": "calibration",
        "static": int(fitted.model.fixed),
        "parameters": trainer.parameters,
        "model": asdict(replace(fitted.model, fixed=0.0)),
        "fit": fitted.report().splitlines(),
        "worst": fitted.worst,
        "worst_left_out": fitted.worst_left_out,
        "seconds": time.perf_counter() - start,
        "torch": torch.__version__,
        "process": provenance.process(),
    }


def training(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what each step of an epoch took, and at last what the epoch came to."""
    setting = Setting.of(job["setting"])
    model = DeviceBytes(**{**job["model"], "strides": tuple(job["model"]["strides"])})
    course = Course(setting, job["seed"])
    plan = course.plan(policy_of(job["policy"], job["size"], job["budget"], model))
    with SteadyAllocator():
        trainer = Trainer(setting.threads)
        trainer.settle()
        yield {
            "settled": resident_bytes(),
            **foretold(plan, model, job["static"], job["budget"]),
            "moment": provenance.moment(),
        }
        tally = Tally(trainer, model)
        pipeline = (
            Pipeline(lambda: places(plan.rank(0)))
            .pipe(Serve(course.augment), concurrency=setting.workers)
            .aggregate(Gather)
            .pipe(pad_collate)
        )
        start = time.perf_counter()
        with pipeline.run() as run:
            for number, batch in enumerate(run):
                if not number and job["limited"]:
                    yield limited(job["budget"], job["static"])
                yield tally.step(batch)
        yield {**tally.total(len(course.order)), "seconds": time.perf_counter() - start}


def limited(budget: float, static: int) -> dict[str, Any]:
    """Bound this process's private memory: see README.md."""
    now = data_bytes()
    limit = int(now + budget + SLACK * (static + budget))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return {"data_bytes": now, "limit": limit}


def data_bytes() -> int:
    """Return what ``RLIMIT_DATA`` counts, bytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    (line,) = (line for line in text.splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024


class Tally:
    """Takes steps, and counts on the finished batches."""

    def __init__(self, trainer: Trainer, model: DeviceBytes) -> None:
        self._trainer, self._model = trainer, model
        self._real = self._padded = self._peak = 0
        self._ids: list[int] = []
        self._losses: list[float] = []

    def step(self, batch: PaddedBatch) -> dict[str, Any]:
        """Train on a batch; return its load, what was predicted and what it took, bytes."""
        count, height, width, _ = batch.images.shape
        objects = [len(one) for one in batch.labels]
        load = Load(count, height, width, sum(objects), max(objects))
        reset_host_peak()
        before = resident_bytes()
        self._losses.append(self._trainer.step(batch))
        peak = host_peak()
        self._peak = max(self._peak, peak)
        self._padded += count * height * width
        self._real += int(np.prod(batch.sizes.astype(np.int64), axis=1).sum())
        self._ids += batch.image_ids.tolist()
        return {
            "step": [*map(int, load)],
            "predicted": float(self._model.predict(load)),
            "before": before,
            "peak": peak,
            "data_bytes": data_bytes(),
        }

    def total(self, count: int) -> dict[str, Any]:
        """Return what the epoch came to; ``count`` samples were there to be served."""
        return {
            "images": len(self._ids),
            "left_out": count - len(set(self._ids)),
            "again": len(self._ids) - len(set(self._ids)),
            "peak": self._peak,
            "efficiency": self._real / self._padded,
            "finite": all(map(math.isfinite, self._losses)),
            "losses": [self._losses[0], float(np.mean(self._losses[-5:]))],
        }


def serve(job: dict[str, Any]) -> int:
    """Do a job, and say what comes of it; 1 if it ended in an exception, which is said too."""
    work = {"calibration": calibration, "training": training}[job["work"]]
    died = None
    try:
        for found in work(job):
            print(json.dumps(found), flush=True)
    except Exception as error:
        died = cause(error)
    if died is None:
        return 0
    # Out of the handler, whose traceback held on to the step's tensors.
    print(json.dumps(died), flush=True)
    return 1


def cause(error: BaseException) -> dict[str, Any]:
    """Return what an exception goes back to."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).splitlines() or [""]
    return {"died": type(error).__name__, "message": lines[0][:300]}
