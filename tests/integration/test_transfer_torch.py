"""Batches as tensors, on the host and on a device (the CPU here; CUDA is not tested)."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch

from ftloader import Loader
from ftloader.batching import MemoryBudget
from ftloader.detection import CocoFolder, open_coco
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.detection.transforms import Compose, Normalize, RandomChoiceResize
from ftloader.interop.torch import tensors, to_device

RECIPE = RandomChoiceResize(((200, 96), (200, 160)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CocoFolder:
    spec = SyntheticSpec(images=16, seed=3)
    return open_coco(synthetic_coco(spec, cache_dir=tmp_path_factory.mktemp("coco")))


def loader(folder: CocoFolder, recipe: Any = RECIPE, **how: Any) -> Loader:
    return Loader(folder, recipe, batch=MemoryBudget(100_000), **how)


def test_tensors_show_the_pixels_of_the_batch(folder: CocoFolder) -> None:
    for batch in loader(folder):
        seen = tensors(batch)
        assert seen.images.shape == (len(batch), 3, *batch.images.shape[1:3])
        assert seen.images.data_ptr() == batch.images.ctypes.data
        assert seen.images.is_contiguous(memory_format=torch.channels_last)
        assert np.array_equal(seen.images.permute(0, 2, 3, 1).numpy(), batch.images)
        for boxes, wanted in zip(seen.boxes, batch.boxes, strict=True):
            assert np.array_equal(boxes.numpy(), wanted)


def test_a_buffer_is_not_used_again_while_a_tensor_shows_it(folder: CocoFolder) -> None:
    kept = [tensors(batch) for batch in loader(folder, prefetch=0)]
    again = [tensors(batch) for batch in loader(folder)]
    assert len({batch.images.data_ptr() for batch in kept}) == len(kept)
    for one, other in zip(kept, again, strict=True):
        assert torch.equal(one.images, other.images)


def test_the_mask_is_true_where_there_is_padding(folder: CocoFolder) -> None:
    for batch in loader(folder):
        mask = tensors(batch).mask
        for slot, (width, height) in enumerate(batch.sizes.tolist()):
            assert not mask[slot, :height, :width].any()
            assert (~mask[slot]).sum() == width * height


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_pixels_become_floating_point_between_0_and_1(
    folder: CocoFolder, dtype: torch.dtype
) -> None:
    arrived = list(to_device(loader(folder), "cpu", dtype=dtype))
    for moved, batch in zip(arrived, loader(folder), strict=True):
        assert moved.images.dtype == dtype
        wanted = torch.from_numpy(batch.images).permute(0, 3, 1, 2).to(dtype) * (1 / 255)
        assert torch.equal(moved.images, wanted)
        assert moved.planned.samples.tolist() == batch.planned.samples.tolist()


def test_pixels_stay_bytes_if_nothing_else_is_wanted(folder: CocoFolder) -> None:
    for moved in to_device(loader(folder), "cpu", dtype=None):
        assert moved.images.dtype == torch.uint8


def test_normalised_pixels_are_not_scaled_again(folder: CocoFolder) -> None:
    recipe = Compose([RECIPE, Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))])
    arrived = list(to_device(loader(folder, recipe, dtype=np.float32), "cpu"))
    for moved, batch in zip(arrived, loader(folder, recipe, dtype=np.float32), strict=True):
        assert np.array_equal(moved.images.permute(0, 2, 3, 1).numpy(), batch.images)


def test_buffers_come_back_when_tensors_are_gone(folder: CocoFolder) -> None:
    places = set()
    for batch in to_device(loader(folder, prefetch=1), "cpu", dtype=None):
        places.add(batch.images.data_ptr())
        del batch
        gc.collect()
    assert len(places) <= 4
