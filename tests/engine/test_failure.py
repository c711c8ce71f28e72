"""How an error names the item it happened on."""

from __future__ import annotations

import numpy as np
import pytest

from ftloader.engine.failure import describe


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (7, "7"),
        ("a/b.jpg", "'a/b.jpg'"),
        (np.zeros((4, 5, 3), np.uint8), "uint8 ndarray of shape (4, 5, 3)"),
        (b"\xff" * 100_000, "bytes of length 100000"),
    ],
)
def test_an_item_is_described_without_its_bulk(item: object, text: str) -> None:
    assert describe(item) == text


def test_an_item_that_cannot_be_printed_is_named_by_its_type() -> None:
    assert "Broken" in describe(Broken())


def test_a_long_list_is_cut_short() -> None:
    assert len(describe(list(range(100_000)))) < 100
