"""The others' loaders, each as its own documentation has it.

Batches that cross a process boundary are torch tensors where torch carries them, so that pixels
travel in shared memory. Boxes and labels stay NumPy arrays, which are pickled: as tensors each of
them would take a shared memory file and a file descriptor of its own.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from .trial import Opened, closing, contender
from .work import Batch, Work, forking


class AsTensors:
    """Makes a batch with its images as a tensor over the same memory."""

    def __init__(self, job: Work) -> None:
        self._job = job

    def collate(self, samples: Sequence[Any]) -> Batch:
        """Collate, as ``collate_fn``."""
        import torch

        batch = self._job.collate(samples)
        if "images" in batch:
            batch["images"] = torch.from_numpy(batch["images"])
        return batch

    def batch(self, places: Sequence[int]) -> Batch:
        """Make a whole batch."""
        return self.collate([self._job.data[place] for place in places])


class Held:
    """Keeps a loader and its iterator until they are dropped, which is how their users end them."""

    def __init__(self, *held: Any) -> None:
        self._held = held

    def drop(self) -> None:
        """Let go."""
        self._held = ()


def torch_loader(job: Work) -> Opened:
    """Forked workers, kept over epochs, in order."""
    import torch.utils.data as data

    with forking():
        loader = data.DataLoader(
            job.data,
            job.size,
            num_workers=job.workers,
            collate_fn=AsTensors(job).collate,
            prefetch_factor=job.ahead // job.workers,
            persistent_workers=True,
            multiprocessing_context="fork",
        )
        batches = iter(loader)
    return Opened(batches, Held(loader).drop)


def nodes(job: Work, method: Literal["thread", "process"]) -> Opened:
    """The nodes of its migration guide: indices in batches, mapped in order, prefetched."""
    import torchdata.nodes as tn

    node: Any = tn.Batcher(tn.IterableWrapper(range(len(job.data))), job.size)
    node = tn.ParallelMapper(
        node,
        AsTensors(job).batch,
        num_workers=job.workers,
        method=method,
        multiprocessing_context="fork" if method == "process" else None,
    )
    loader = tn.Loader(tn.Prefetcher(node, job.ahead))
    with forking():
        batches = iter(loader)
    held = Held(loader)

    def drop() -> None:
        held.drop()
        # Loader and iterator refer to each other: its threads end when the collector has run.
        gc.collect()

    return Opened(batches, drop)


def spdl_loader(job: Work) -> Opened:
    """SPDL's own loader: samples one by one, batches by its aggregator, in order."""
    from spdl.dataloader import DataLoader

    batches: Iterator[Any] = iter(
        DataLoader(
            range(len(job.data)),
            preprocessor=job.data.__getitem__,
            batch_size=job.size,
            aggregator=job.collate,
            buffer_size=job.ahead,
            num_threads=job.workers,
            output_order="input",
        )
    )
    return Opened(batches, closing(batches))


CONTENDERS = (
    contender("spdl", "SPDL DataLoader (threads)", spdl_loader, needs=("spdl.dataloader",)),
    contender("torch", "torch DataLoader (processes)", torch_loader, needs=("torch",)),
    contender(
        "nodes_threads",
        "torchdata.nodes, threads",
        lambda job: nodes(job, "thread"),
        needs=("torchdata.nodes",),
    ),
    contender(
        "nodes_processes",
        "torchdata.nodes, processes",
        lambda job: nodes(job, "process"),
        needs=("torchdata.nodes",),
    ),
)
