"""Resize, flip, crop and pad beside torchvision v2, a second reference that knows no mmcv."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ftloader.detection.sample import Sample
from ftloader.detection.transforms.crop import CropParams, RandomCrop
from ftloader.detection.transforms.flip import FlipParams, RandomFlip
from ftloader.detection.transforms.pad import Pad, PadParams
from ftloader.detection.transforms.resize import Resize, ResizeParams
from tests.oracle.references import torch, torchvision_transforms, tv_tensors

functional = torchvision_transforms.functional

CASES = {
    "resize-larger": (
        Resize((900, 700), keep_ratio=False),
        ResizeParams(900, 700),
        lambda x: functional.resize(x, [700, 900], antialias=True),
    ),
    "resize-smaller": (
        Resize((61, 83), keep_ratio=False),
        ResizeParams(61, 83),
        lambda x: functional.resize(x, [83, 61], antialias=True),
    ),
    "flip-horizontal": (RandomFlip(), FlipParams("horizontal"), functional.horizontal_flip),
    "flip-vertical": (RandomFlip(), FlipParams("vertical"), functional.vertical_flip),
    "crop": (
        RandomCrop((20, 15)),
        CropParams(7, 5, 20, 15),
        lambda x: functional.crop(x, 5, 7, 15, 20),
    ),
    "pad": (
        Pad(size=(800, 801), value=9),
        PadParams(800, 801),
        lambda x: (
            functional.pad(x, [0, 0, 800 - x.shape[-1], 801 - x.shape[-2]], fill=9)
            if not isinstance(x, tv_tensors.BoundingBoxes)
            else x
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_torchvision_agrees(name: str, samples: dict[str, Sample]) -> None:
    transform, params, counterpart = CASES[name]
    for key, sample in samples.items():
        if name == "crop" and min(sample.info.size) < 30:
            continue
        image = torch.from_numpy(sample.image.transpose(2, 0, 1).copy())
        theirs = counterpart(tv_tensors.Image(image)).numpy().transpose(1, 2, 0)
        ours = transform.apply(sample, params)
        difference = np.abs(ours.image.astype(int) - theirs)
        if name.startswith("resize"):
            # torchvision's antialiased filter works in whole numbers of other scale than Pillow's.
            assert difference.max() <= 2, key
            assert (difference > 1).mean() < 1e-4, key
        else:
            assert not difference.any(), key
        if name.startswith("flip"):
            np.testing.assert_array_equal(ours.boxes, boxes_after(counterpart, sample), key)
        if name.startswith("resize"):
            inside = clipped_first(sample)
            np.testing.assert_allclose(
                transform.apply(inside, params).boxes,
                boxes_after(counterpart, inside),
                atol=1e-4,
                err_msg=key,
            )


def boxes_after(counterpart: Any, sample: Sample) -> Any:
    boxes = tv_tensors.BoundingBoxes(
        torch.from_numpy(sample.boxes.copy()),
        format="XYXY",
        canvas_size=(sample.info.height, sample.info.width),
    )
    return counterpart(boxes).numpy()


def clipped_first(sample: Sample) -> Sample:
    """Return the sample with its boxes inside the image: torchvision does not clip, ours does."""
    notes = sample.info.annotations
    edges = np.array(sample.info.size * 2, np.float32)
    boxes = np.clip(notes.boxes, 0, edges)
    return Sample(sample.image, replace(sample.info, annotations=replace(notes, boxes=boxes)))
