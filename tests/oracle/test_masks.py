"""Masks beside pycocotools'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftloader.detection import encode_rle, open_coco, pack_counts, polygons_to_mask, unpack_counts
from ftloader.detection.masks import decode_rle
from tests.oracle.mask_cases import packed_by_coco, polygon_case
from tests.oracle.references import coco_masks
from tests.oracle.results import rasterised


@pytest.mark.parametrize("seed", range(4))
def test_random_polygons_give_the_same_masks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for case in range(500):
        parts, width, height = polygon_case(rng, case)
        counts = unpack_counts(packed_by_coco(parts, width, height))
        expected = decode_rle(counts, width, height)
        np.testing.assert_array_equal(polygons_to_mask(parts, width, height), expected)


@pytest.mark.parametrize("seed", range(4))
def test_random_bitmaps_give_the_same_packed_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for case in range(200):
        height, width = (int(n) for n in rng.integers(1, 70, 2))
        bitmap = (rng.random((height, width)) < case / 199).astype(np.uint8)
        packed = coco_masks.encode(np.asfortranarray(bitmap))["counts"]
        assert pack_counts(encode_rle(bitmap)) == packed
        theirs = coco_masks.decode({"counts": packed, "size": [height, width]})
        np.testing.assert_array_equal(decode_rle(unpack_counts(packed), width, height), theirs)


def test_every_outline_of_a_data_set_gives_the_same_mask(
    folders: list[tuple[Path, str]],
) -> None:
    for root, split in folders:
        data = open_coco(root, split)
        for i in range(len(data)):
            info = data.sample_info(i)
            for outline in info.annotations.segmentations:
                if isinstance(outline, tuple):
                    ours = polygons_to_mask(outline, *info.size)
                    assert np.array_equal(ours, rasterised(outline, *info.size)), info.file_name
