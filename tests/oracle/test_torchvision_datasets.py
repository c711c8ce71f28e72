"""Data sets of torchvision in ``ftloader.DataLoader``, unchanged, beside torch's own loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data as data
from torchvision import datasets
from torchvision.transforms import v2

import ftloader
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco

TENSORS = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticSpec(images=17, seed=3)
    return synthetic_coco(spec, cache_dir=tmp_path_factory.mktemp("coco"))


def detection(folder: Path) -> Any:
    return datasets.CocoDetection(
        folder / "synthetic", folder / "annotations" / "instances_synthetic.json"
    )


def together(batch: list[Any]) -> tuple[Any, ...]:
    return tuple(zip(*batch, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_coco_detection_gives_torch_s_batches(folder: Path, workers: int) -> None:
    def batches(kind: Any, **how: Any) -> list[Any]:
        torch.manual_seed(4)
        return list(kind(detection(folder), 4, shuffle=True, collate_fn=together, **how))

    found = batches(ftloader.DataLoader, num_workers=workers)
    for (images, notes), (wanted, expected) in zip(found, batches(data.DataLoader), strict=True):
        assert list(notes) == list(expected)
        for image, other in zip(images, wanted, strict=True):
            assert np.array_equal(np.asarray(image), np.asarray(other))


@pytest.mark.parametrize("workers", [0, 2])
def test_wrapped_coco_detection_gives_torch_s_batches(folder: Path, workers: int) -> None:
    def batches(kind: Any, **how: Any) -> list[Any]:
        wrapped = datasets.wrap_dataset_for_transforms_v2(
            detection(folder), target_keys=("boxes", "labels")
        )
        sampler = data.SequentialSampler(wrapped)
        return list(kind(wrapped, 3, sampler=sampler, collate_fn=together, **how))

    found = batches(ftloader.DataLoader, num_workers=workers)
    for (_, notes), (_, expected) in zip(found, batches(data.DataLoader), strict=True):
        for one, other in zip(notes, expected, strict=True):
            assert list(one) == list(other)
            assert all(torch.equal(one[name], other[name]) for name in one)


def test_fake_data_gives_torch_s_batches_in_the_thread_that_asks() -> None:
    def batches(kind: Any) -> list[Any]:
        torch.manual_seed(4)
        return list(kind(datasets.FakeData(23, (3, 16, 20), 5, TENSORS), 5, drop_last=True))

    for one, other in zip(batches(ftloader.DataLoader), batches(data.DataLoader), strict=True):
        assert all(map(torch.equal, one, other))


def test_fake_data_is_refused_with_threads_because_it_sets_torch_s_generator() -> None:
    images = datasets.FakeData(23, (3, 16, 20), 5, TENSORS)
    for dataset in (images, data.Subset(images, [3, 4]), data.ConcatDataset([images, images])):
        with pytest.raises(ftloader.PipelineError, match=r"manual_seed.*num_workers=0"):
            ftloader.DataLoader(dataset, 5, num_workers=3)
