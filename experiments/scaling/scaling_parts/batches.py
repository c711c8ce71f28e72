"""Batches: prepared samples copied side by side, as the loader does it.

Threads write images into slots of pooled buffers and the consumer gets the batch, by the loader's
own pass. A process pool has no memory in common with the consumer, so each of its processes makes
a whole batch and sends it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ftloader import lab
from ftloader.batching import (
    FixedSize,
    Gathered,
    PaddedBatch,
    PlannedBatch,
    Sizes,
    pad_collate,
    plan_epoch,
)
from ftloader.detection.augment import Augment
from ftloader.detection.sample import Sample
from ftloader.detection.transforms.recipes import faster_rcnn
from ftloader.lab.experiment import Source
from ftloader.lab.inputs import in_memory
from ftloader.loader.fit import Fit
from ftloader.loader.passes import How, Pass
from ftloader.pipeline import EngineName

BATCH = 4
# Ready, in the making and in use, as a Loader has unless told otherwise.
BUFFERS = 4


@dataclass(frozen=True)
class Prepared:
    """A batch as planned, the samples of all batches by position, and bytes of the largest."""

    planned: PlannedBatch
    samples: tuple[Sample, ...]
    largest: int


def prepare_batches(inputs: lab.Inputs) -> Sequence[Prepared]:
    augment = Augment(in_memory(inputs), faster_rcnn(), seed=inputs.seed)
    samples = tuple(sample for index in range(len(augment)) for sample in augment(index))
    widths, heights = zip(*(sample.info.size for sample in samples), strict=True)
    counts = [len(sample.labels) for sample in samples]
    plan = plan_epoch(Sizes.of(widths, heights, counts), FixedSize(BATCH), seed=inputs.seed)
    planned = list(plan.rank(0))
    largest = max(3 * len(one) * one.height * one.width for one in planned)
    return [Prepared(one, samples, largest) for one in planned]


def collate(item: Prepared) -> PaddedBatch:
    members = tuple(item.samples[place] for place in item.planned.samples)
    return pad_collate(Gathered(item.planned, members))


@dataclass(frozen=True)
class Passes:
    """What starts the loader's passes over batches; an engine runs it like a pipeline."""

    source: Source
    threads: int

    def run(self, engine: EngineName) -> Pass:
        first = next(iter(self.source()))
        samples = first.samples

        def batches() -> Iterator[tuple[int, PlannedBatch]]:
            for number, item in enumerate(self.source()):
                yield number, item.planned

        def sample_at(which: tuple[int, int]) -> tuple[Sample]:
            return (samples[which[0]],)

        how = How(
            op=sample_at,
            fit=Fit(frozenset()),
            concurrency=self.threads,
            engine=engine,
            output_order="input",
            buffers=BUFFERS,
            most=None,
            dtype=np.dtype(np.uint8),
            collate=None,
            on_error="raise",
            max_failures=None,
        )
        return Pass(batches, sys.maxsize, first.largest, how, received=lambda number: None)


WORKLOADS = (
    lab.Workload(
        name="collate",
        title="Collate",
        about=f"batches of {BATCH} prepared images, padded to one size: threads copy each image "
        "into its slot of a pooled buffer, as the loader does; copying releases the GIL, giving "
        "out slots and handing over batches hold it",
        prepare=prepare_batches,
        build=Passes,
        unit="batches",
        call=collate,
    ),
)
