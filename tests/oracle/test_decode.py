"""Decoding beside OpenCV's, which mmcv uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftloader.detection import decode, open_coco
from ftloader.detection.synthetic import broken_set, edge_set
from ftloader.errors import DecodeError
from tests.oracle.references import cv2, mmcv

EDGE = edge_set()

#: Greatest difference of a value, where it is not 0.
DIFFERENCE = {"cmyk": 1}


def by_opencv(data: bytes) -> np.ndarray:
    return mmcv.imfrombytes(data, flag="color", channel_order="rgb")


@pytest.mark.parametrize("name", EDGE)
def test_the_edge_set_decodes_as_with_opencv(name: str) -> None:
    ours, theirs = decode(EDGE[name]), by_opencv(EDGE[name])
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs).max()
    assert difference <= DIFFERENCE.get(name, 0), f"{name}: differs by up to {difference}"


def test_every_image_decodes_as_with_opencv(folders: list[tuple[Path, str]]) -> None:
    for root, split in folders:
        data = open_coco(root, split)
        for i in range(len(data)):
            encoded = data.read_bytes(i)
            np.testing.assert_array_equal(
                decode(encoded), by_opencv(encoded), err_msg=data.info(i).file_name
            )


@pytest.mark.parametrize("name", broken_set())
def test_what_opencv_refuses_is_refused(name: str) -> None:
    data = broken_set()[name]
    try:
        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # no bytes, or too many pixels
        theirs = None
    assert theirs is None
    with pytest.raises(DecodeError):
        decode(data, name=name)
