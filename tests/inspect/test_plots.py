from __future__ import annotations

from pathlib import Path

import pytest

from ftloader.detection import CocoIndex
from ftloader.inspect import statistics
from ftloader.inspect.plots import draw_plots

from .made import Entry, entry, index

ONE = [entry(1, 10, [0, 0, 200, 100])]
SOME = [entry(n, 10 + n % 2, [n, 1, 5 + 4 * n, 9 + n], category_id=1 + n % 3) for n in range(20)]
MANY = [entry(n, 10, [1, 1, 1 + n % 90, 1 + n % 70]) for n in range(3100)]


@pytest.mark.parametrize(
    ("entries", "sizes"),
    [([], []), ([], [(9, 9)]), (ONE, [(200, 100)]), (SOME, [(200, 99)] * 2), (MANY, [(99, 99)])],
    ids=["no images", "no objects", "one", "some", "many"],
)
def test_any_data_set_can_be_plotted(
    tmp_path: Path, entries: list[Entry], sizes: list[tuple[int, int]]
) -> None:
    made = index(entries, sizes)
    path = tmp_path / "plots.png"
    draw_plots("costs $5 and $6", made, statistics(made), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_many_classes_are_plotted_by_rank(tmp_path: Path) -> None:
    categories = [{"id": n, "name": f"class {n}"} for n in range(300)]
    images = [{"id": 10, "file_name": "0.png", "width": 9, "height": 9}]
    entries = [entry(n, 10, [1, 1, 5, 5], category_id=n) for n in range(300)]
    document = {"images": images, "annotations": entries, "categories": categories}
    made = CocoIndex.from_document(document)
    draw_plots("ranks", made, statistics(made), tmp_path / "plots.png")


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    made = index(SOME, [(200, 99)] * 2)
    for name in ("a", "b"):
        draw_plots("twice", made, statistics(made), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
