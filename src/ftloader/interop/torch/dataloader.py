"""torch's ``DataLoader`` on threads: the same arguments, the same batches.

Samplers, collate function and the meaning of every argument are torch's own; only the workers
differ. They are threads of this process: no copies of the data set, no shared memory, no pickling,
no start-up time. On a GIL build they run at once as far as the data set lets go of the GIL
(decoding does, Python code does not), on a free-threaded one altogether.

What workers do to the global generators is not reproducible in threads; have transforms take a
generator, or see :mod:`ftloader.audit`.
"""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.utils.data as data

from ftloader.engine.base import Run
from ftloader.errors import PipelineError, StageError
from ftloader.pipeline import EngineName, Pipeline
from ftloader.safety import declared, for_threads

#: What torch prefetches per worker if nobody says otherwise.
_PREFETCH = 2


class DataLoader:
    """Batches of a map-style or iterable data set, made by threads.

    Every argument is that of :class:`torch.utils.data.DataLoader`; what threads give another
    meaning:

    Args:
        dataset: indexed, or iterated. An iterable one is iterated once, by one thread, whatever
            ``num_workers`` is, so no worker needs to take its share. One whose class declares its
            ``thread_safety`` is held to it. One that sets a shared generator when it is indexed
            (torchvision's ``FakeData``) is for ``num_workers=0``.
        batch_size: samples per batch; None for samples as they are.
        shuffle: whether indices come in random order.
        sampler: of indices.
        batch_sampler: of lists of indices.
        num_workers: threads; 0 makes the batches in the thread that asks for them.
        collate_fn: makes a batch of a list of samples.
        pin_memory: whether batches are copied to pinned memory; without CUDA they are not, as in
            torch.
        drop_last: whether to leave out an incomplete last batch.
        timeout: seconds to wait for a batch, 0 for ever.
        worker_init_fn: called in each thread with its number before it makes anything.
        generator: that the order is drawn from.
        prefetch_factor: batches that may be ready per worker.
        in_order: whether batches come in the sampler's order, or as they are ready.
        multiprocessing_context: refused, there are no processes.
        persistent_workers: changes nothing, threads start in microseconds; says so.
        pin_memory_device: as in torch.

    Raises:
        ValueError: arguments exclude each other; the message is torch's.
        PipelineError: ``multiprocessing_context`` is given; or the data set says, or its source
            shows, that threads must not have it.

    Thread safety: for one consumer thread; the data set is asked from all workers at once.
    Determinism: with equal seeds of torch the order is that of torch's loader.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: torch.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if multiprocessing_context is not None:
            raise PipelineError(
                "DataLoader: multiprocessing_context has no meaning, the workers are threads of "
                "this process; leave it out"
            )
        if num_workers < 0:
            raise ValueError(f"num_workers must be 0 or more, not {num_workers}")
        if timeout < 0:
            raise ValueError(f"timeout must be 0 or more, not {timeout}")
        if prefetch_factor is not None and (num_workers == 0 or prefetch_factor < 1):
            raise ValueError("prefetch_factor is 1 or more, and needs num_workers above 0")
        if persistent_workers:
            warnings.warn(
                "ftloader.DataLoader: persistent_workers changes nothing, threads start in "
                "microseconds",
                stacklevel=2,
            )
        if num_workers:
            _check_seeds(dataset)
        # Checks what excludes what, and makes samplers and collate function as torch does.
        self._torch: data.DataLoader[Any] = data.DataLoader(
            dataset,
            batch_size=batch_size,
            shuffle=shuffle,
            sampler=sampler,
            batch_sampler=batch_sampler,
            collate_fn=collate_fn,
            drop_last=drop_last,
            generator=generator,
        )
        self.dataset = dataset
        self.batch_size = self._torch.batch_size
        self.drop_last = drop_last
        self.sampler = self._torch.sampler
        self.batch_sampler = self._torch.batch_sampler
        self.collate_fn = self._torch.collate_fn
        self.generator = generator
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.in_order = in_order

    def __len__(self) -> int:
        """How many batches there are; a ``TypeError`` where nobody can know."""
        return len(self._torch)

    def __iter__(self) -> Iterator[Any]:
        """Begin an epoch; dropping the iterator ends it and its threads."""
        # torch draws a seed for its workers here, and the order depends on what was drawn before.
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        engine: EngineName = "threads" if self.num_workers else "serial"
        pipeline = Pipeline(self._source).pipe(
            _Fetch(self),
            name="fetch",
            concurrency=max(1, self.num_workers),
            output_order="input" if self.in_order else "completion",
        )
        if self.num_workers:
            pipeline = pipeline.prefetch((self.prefetch_factor or _PREFETCH) * self.num_workers)
        return self._served(pipeline.run(engine))

    def _source(self) -> Iterable[Any]:
        """Return lists of indices, or lists of samples of an iterable data set."""
        if not isinstance(self.dataset, data.IterableDataset):
            order: Iterator[Any] = iter(
                self.sampler if self.batch_sampler is None else self.batch_sampler
            )
            return order
        samples: Iterator[Any] = iter(self.dataset)
        if self.batch_size is None:
            return samples
        return _chunks(samples, self.batch_size, self.drop_last)

    def _served(self, run: Run[Any]) -> Iterator[Any]:
        with run:
            while True:
                try:
                    batch = run.get(self.timeout or None)
                except StopIteration:
                    return
                except TimeoutError:
                    raise RuntimeError(
                        f"DataLoader timed out after {self.timeout} seconds"
                    ) from None
                except StageError as error:
                    raise _original(error) from None
                yield batch


class _Fetch:
    """Makes one batch; called from all workers."""

    def __init__(self, loader: DataLoader) -> None:
        self._iterable = isinstance(loader.dataset, data.IterableDataset)
        self._one = self._many = None
        if not self._iterable:
            self._one = _held_to_word(loader.dataset.__getitem__, loader.num_workers)
            many = getattr(loader.dataset, "__getitems__", None)
            self._many = None if many is None else _held_to_word(many, loader.num_workers)
        self._batched = loader.batch_sampler is not None or (
            self._iterable and loader.batch_size is not None
        )
        self._collate = loader.collate_fn
        self._init = loader.worker_init_fn if loader.num_workers else None
        self._pin = loader.pin_memory and torch.cuda.is_available()
        self._device = loader.pin_memory_device or None
        self._numbers = itertools.count()
        self._thread = threading.local()

    def __call__(self, wanted: Any) -> Any:
        self._begin()
        batch = self._collate(self._samples(wanted))
        return _pinned(batch, self._device) if self._pin else batch

    def _begin(self) -> None:
        if self._init is not None and not hasattr(self._thread, "number"):
            # itertools.count hands out each number once, also to threads at once.
            self._thread.number = next(self._numbers)
            self._init(self._thread.number)

    def _samples(self, wanted: Any) -> Any:
        if self._one is None:
            return wanted
        if not self._batched:
            return self._one(wanted)
        return [self._one(index) for index in wanted] if self._many is None else self._many(wanted)


def _held_to_word(get: Callable[[Any], Any], workers: int) -> Callable[[Any], Any]:
    """Return a data set's method as threads may call it, by what its class declares."""
    return for_threads(get, "dataset", concurrent=workers > 1, is_async=False)


def _check_seeds(dataset: Any) -> None:
    """Refuse a data set that sets a generator which all threads share, the training one too."""
    if declared(dataset) is not None:
        return
    from ftloader.audit.scan.seeding import seeding

    found = seeding(dataset)
    if found is not None:
        raise PipelineError(
            f"DataLoader: {type(dataset).__name__} {found.what} at {found.where}: all threads "
            "share that generator, so samples and training would get each other's numbers; use "
            "num_workers=0, or draw from a generator made in the call, or declare the class's "
            "thread_safety if this cannot happen"
        )


def _chunks(samples: Iterator[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    while chunk := list(itertools.islice(samples, size)):
        if len(chunk) == size or not drop_last:
            yield chunk


def _pinned(batch: Any, device: str | None) -> Any:
    """Copy every tensor of a nested batch to pinned memory; leave everything else."""
    if isinstance(batch, torch.Tensor):
        return batch.pin_memory(device) if device else batch.pin_memory()
    if hasattr(batch, "pin_memory"):
        return batch.pin_memory()
    if isinstance(batch, dict):
        return type(batch)({key: _pinned(value, device) for key, value in batch.items()})
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_pinned(value, device) for value in batch))
    if isinstance(batch, Sequence) and not isinstance(batch, str | bytes):
        return type(batch)([_pinned(value, device) for value in batch])  # type: ignore[call-arg]
    return batch


def _original(error: StageError) -> BaseException:
    """Return what the data set or the collate function raised, with what was being made."""
    cause = error.__cause__
    if cause is None:
        return error
    cause.add_note(f"while ftloader.DataLoader made batch {error.index}: {error.item}")
    return cause
