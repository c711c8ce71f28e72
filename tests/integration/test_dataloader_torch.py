"""``ftloader.DataLoader`` beside torch's own: the same arguments, the same batches."""

from __future__ import annotations

import itertools
import random
import threading
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data as data

import ftloader
from ftloader import PipelineError

Pair = namedtuple("Pair", ["image", "label"])


class Images(data.Dataset[Any]):
    """Samples of several kinds, by what is asked for."""

    def __init__(self, kind: str = "tensors", count: int = 23) -> None:
        self.kind, self.count = kind, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        image = torch.full((3, 4), float(index))
        if self.kind == "tensors":
            return image, index
        if self.kind == "dictionaries":
            return {"image": image.numpy(), "label": index, "name": f"{index}.jpg"}
        return Pair(image, np.int64(index))


class AtOnce(Images):
    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[index] for index in indices]


class Reseeding(Images):
    """Sets everybody's generator when it is indexed."""

    thread_safety: str | None = None

    def __getitem__(self, index: int) -> Any:
        random.seed(index)
        return random.random()


class Seeded(Images):
    """Sets a generator of its own call."""

    thread_safety: str | None = None

    def __getitem__(self, index: int) -> Any:
        own = torch.Generator()
        own.manual_seed(index)
        return torch.rand(2, generator=own)


class Wrapped(Images):
    def __init__(self, inner: list[Any]) -> None:
        super().__init__()
        self.inner = inner

    def __getitem__(self, index: int) -> Any:
        return self.inner[0][index]


class Stream(data.IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return (torch.tensor([float(number)]) for number in range(11))


def same(found: Any, wanted: Any) -> None:
    assert type(found) is type(wanted)
    if isinstance(wanted, torch.Tensor):
        assert torch.equal(found, wanted)
        assert found.dtype == wanted.dtype
    elif isinstance(wanted, np.ndarray):
        assert np.array_equal(found, wanted)
    elif isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            same(found[key], wanted[key])
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    else:
        assert found == wanted


def batches(kind: Any, *args: Any, seed: int = 5, epochs: int = 2, **how: Any) -> list[Any]:
    torch.manual_seed(seed)
    loader = kind(*args, **how)
    return [batch for _ in range(epochs) for batch in loader]


HOW: dict[str, dict[str, Any]] = {
    "one by one": {},
    "batches": {"batch_size": 4},
    "last one dropped": {"batch_size": 4, "drop_last": True},
    "shuffled": {"batch_size": 4, "shuffle": True},
    "as they are": {"batch_size": None},
    "sampler": {"batch_size": 3, "sampler": [5, 1, 1, 7, 22, 0, 3]},
    "weighted": {
        "batch_size": 3,
        "sampler": data.WeightedRandomSampler(list(range(1, 24)), 17),
    },
    "batch sampler": {"batch_sampler": [[1, 2, 3], [0], [22, 4]]},
    "torch's batch sampler": {
        "batch_sampler": data.BatchSampler(data.SequentialSampler(range(23)), 5, True)
    },
    "own collate function": {"batch_size": 4, "collate_fn": list},
}


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("how", HOW, ids=lambda how: how.replace(" ", "-"))
@pytest.mark.parametrize("kind", ["tensors", "dictionaries", "named tuples"])
def test_batches_are_those_of_torch(kind: str, how: str, workers: int) -> None:
    wanted = batches(data.DataLoader, Images(kind), **HOW[how])
    found = batches(ftloader.DataLoader, Images(kind), num_workers=workers, **HOW[how])
    same(found, wanted)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", ["batches", "as they are", "shuffled"])
def test_a_data_set_that_fetches_at_once_is_asked_at_once(how: str, workers: int) -> None:
    wanted = batches(data.DataLoader, AtOnce(), **HOW[how])
    same(batches(ftloader.DataLoader, AtOnce(), num_workers=workers, **HOW[how]), wanted)


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("how", ["one by one", "batches", "last one dropped", "as they are"])
def test_an_iterable_data_set_is_read_once(how: str, workers: int) -> None:
    wanted = batches(data.DataLoader, Stream(), **HOW[how])
    same(batches(ftloader.DataLoader, Stream(), num_workers=workers, **HOW[how]), wanted)


def test_a_generator_decides_the_order_as_in_torch() -> None:
    def shuffled(kind: Any) -> list[Any]:
        generator = torch.Generator().manual_seed(9)
        how = {"batch_size": 4, "shuffle": True, "generator": generator}
        return batches(kind, Images(), **how)

    same(shuffled(ftloader.DataLoader), shuffled(data.DataLoader))


def test_the_distributed_sampler_of_torch_works_unchanged() -> None:
    def ranks(kind: Any) -> list[Any]:
        found = []
        for rank in range(2):
            sampler = data.DistributedSampler(Images(), 2, rank, seed=3)
            sampler.set_epoch(4)
            found += batches(kind, Images(), batch_size=4, sampler=sampler, epochs=1)
        return found

    same(ranks(ftloader.DataLoader), ranks(data.DataLoader))


def test_out_of_order_the_same_batches_come() -> None:
    wanted = {tuple(labels.tolist()) for _, labels in data.DataLoader(Images(), 4)}
    loader = ftloader.DataLoader(Images(), 4, num_workers=3, in_order=False)
    assert {tuple(labels.tolist()) for _, labels in loader} == wanted


def test_each_worker_is_begun_once_with_a_number_of_its_own() -> None:
    begun: list[tuple[int, int]] = []
    together = threading.Barrier(3, timeout=30)

    class Slow(Images):
        def __getitem__(self, index: int) -> Any:
            if index < 3:
                together.wait()
            return super().__getitem__(index)

    def begin(number: int) -> None:
        begun.append((number, threading.get_ident()))

    list(ftloader.DataLoader(Slow(), num_workers=3, worker_init_fn=begin))
    assert sorted(number for number, _ in begun) == [0, 1, 2]
    assert len({thread for _, thread in begun}) == 3


def test_an_error_of_the_data_set_is_raised_as_it_is_and_says_where() -> None:
    class Broken(Images):
        def __getitem__(self, index: int) -> Any:
            if index == 9:
                raise KeyError("no such picture")
            return super().__getitem__(index)

    for workers in (0, 2):
        with pytest.raises(KeyError, match="no such picture") as caught:
            list(ftloader.DataLoader(Broken(), 4, num_workers=workers))
        assert "batch 2: [8, 9, 10, 11]" in caught.value.__notes__[-1]


def test_a_batch_that_does_not_come_in_time_is_an_error_as_in_torch() -> None:
    held = threading.Event()

    class Stuck(Images):
        def __getitem__(self, index: int) -> Any:
            held.wait(60)
            return super().__getitem__(index)

    batches = iter(ftloader.DataLoader(Stuck(), num_workers=1, timeout=0.05))
    try:
        threading.Timer(1.0, held.set).start()
        with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.05 seconds"):
            next(batches)
    finally:
        held.set()


def test_breaking_off_leaves_no_thread(no_thread_left: None) -> None:
    for _ in ftloader.DataLoader(Images(), num_workers=3):
        break
    del _


def test_lengths_are_those_of_torch() -> None:
    for how in ("batches", "last one dropped", "batch sampler", "as they are"):
        assert len(ftloader.DataLoader(Images(), **HOW[how])) == len(
            data.DataLoader(Images(), **HOW[how])
        )
    with pytest.raises(TypeError):
        len(ftloader.DataLoader(Stream()))


EXCLUDED: dict[str, dict[str, Any]] = {
    "sampler and shuffle": {"sampler": [1], "shuffle": True},
    "batch sampler and size": {"batch_sampler": [[1]], "batch_size": 4},
    "no batches, last dropped": {"batch_size": None, "drop_last": True},
    "no batch": {"batch_size": 0},
    "workers below none": {"num_workers": -1},
    "a time below nothing": {"timeout": -1},
    "prefetching without workers": {"prefetch_factor": 2},
}


EXCLUDED_TEXT = {
    "sampler and shuffle": "mutually exclusive",
    "batch sampler and size": "mutually exclusive",
    "no batches, last dropped": "mutually exclusive",
    "no batch": "batch_size",
    "workers below none": "num_workers",
    "a time below nothing": "timeout",
    "prefetching without workers": "prefetch_factor",
}


@pytest.mark.parametrize("how", EXCLUDED, ids=lambda how: how.replace(" ", "-"))
def test_what_torch_refuses_is_refused(how: str) -> None:
    how_text = EXCLUDED_TEXT[how]
    with pytest.raises(ValueError, match=how_text):
        data.DataLoader(Images(), **EXCLUDED[how])
    with pytest.raises(ValueError, match=how_text):
        ftloader.DataLoader(Images(), **EXCLUDED[how])


def test_what_has_no_meaning_in_threads_says_so() -> None:
    with pytest.raises(PipelineError, match="multiprocessing_context has no meaning"):
        ftloader.DataLoader(Images(), num_workers=2, multiprocessing_context="spawn")
    with pytest.warns(UserWarning, match="persistent_workers changes nothing"):
        ftloader.DataLoader(Images(), num_workers=2, persistent_workers=True)


def test_two_epochs_can_be_read_at_once() -> None:
    loader = ftloader.DataLoader(Images(), 4, num_workers=2)
    for one, other in itertools.islice(zip(loader, loader, strict=True), 3):
        same(one, other)


def test_a_data_set_that_sets_everybody_s_generator_is_refused_with_threads() -> None:
    for dataset in (Reseeding(), Wrapped([Reseeding()])):
        with pytest.raises(PipelineError, match=r"random\.seed\(\).*num_workers=0"):
            ftloader.DataLoader(dataset, num_workers=1)
        assert len(list(ftloader.DataLoader(dataset))) == 23


def test_a_data_set_that_seeds_a_generator_of_its_call_gives_torch_s_batches() -> None:
    found = batches(ftloader.DataLoader, Seeded(), batch_size=4, num_workers=3)
    same(found, batches(data.DataLoader, Seeded(), batch_size=4))


def test_a_data_set_that_is_declared_safe_is_believed() -> None:
    dataset = Reseeding()
    dataset.thread_safety = "locked"
    assert len(list(ftloader.DataLoader(dataset, 4, num_workers=2))) == 6


def test_a_data_set_that_is_declared_unsafe_is_for_one_thread() -> None:
    dataset = Seeded()
    dataset.thread_safety = "unsafe"
    assert len(list(ftloader.DataLoader(dataset, 4, num_workers=1))) == 6
    with pytest.raises(PipelineError, match="declared unsafe"):
        list(ftloader.DataLoader(dataset, 4, num_workers=2))


class Scratch(Images):
    """Writes to itself while it makes a sample, which shows if two threads do."""

    thread_safety = "per-thread state"

    def __getitem__(self, index: int) -> Any:
        self.last = index
        self.seen = [threading.get_ident(), *getattr(self, "seen", [])]
        return torch.tensor([self.last, len(set(self.seen))])


def test_each_thread_gets_its_own_data_set_if_that_is_declared() -> None:
    dataset = Scratch(count=64)
    found = torch.cat(list(ftloader.DataLoader(dataset, 2, num_workers=4)))
    assert found[:, 0].tolist() == list(range(64))
    assert found[:, 1].tolist() == [1] * 64
    assert not hasattr(dataset, "seen")
