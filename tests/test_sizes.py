from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ftloader import DataError
from ftloader.sizes import LONGEST_SIDE, Sizes


def test_columns_are_copied_and_cannot_be_written() -> None:
    wide = np.array([3, 4])
    sizes = Sizes.of(wide, [5, 6])
    wide[0] = 9
    assert sizes.widths.tolist() == [3, 4]
    with pytest.raises(ValueError, match="read-only"):
        sizes.widths[0] = 1


def test_areas_do_not_overflow() -> None:
    assert Sizes.of([LONGEST_SIDE], [LONGEST_SIDE]).areas.tolist() == [LONGEST_SIDE**2]


def test_whole_numbers_may_come_as_floats() -> None:
    assert Sizes.of([640.0], [480.0], [3.0]).boxes.tolist() == [3]


def test_rows_can_be_taken_in_any_order_and_more_than_once() -> None:
    taken = Sizes.of([1, 2, 3], [4, 5, 6], [7, 8, 9]).take(np.array([2, 0, 2]))
    assert (taken.widths.tolist(), taken.heights.tolist()) == ([3, 1, 3], [6, 4, 6])
    assert taken.boxes.tolist() == [9, 7, 9]


def test_a_row_of_size_0_is_a_dropped_sample() -> None:
    assert Sizes.of([0, 2], [0, 3]).kept.tolist() == [False, True]


REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "a side missing": (([0], [5]), "row 0 cannot be: 0 x 5, 0 boxes"),
    "negative": (([4, -4], [5, 5]), "row 1 cannot be"),
    "negative boxes": (([4], [5], [-1]), "row 0 cannot be: 4 x 5, -1 boxes"),
    "too long": (([LONGEST_SIDE + 1], [5]), "row 0 cannot be"),
    "far too long": (([2**40], [5]), "row 0 cannot be"),
    "half a pixel": (([4, 4.5], [5, 5]), "width of row 1 must be a whole number, not 4.5"),
    "words": ((["a"], [5]), "width must be whole numbers"),
    "another length": (([4, 4], [5]), "2 widths, 1 heights, 2 boxes"),
    "a table": (([[4]], [5]), "width must be one number per sample, not 2-D"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_what_cannot_be_a_size_is_refused_in_one_line(case: str) -> None:
    columns, text = REFUSED[case]
    with pytest.raises(DataError, match=f"^sizes: {text}") as caught:
        Sizes.of(*columns)
    assert "\n" not in str(caught.value)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(DataError, match="height of row 0 must be a whole number, not nan"):
        Sizes.of([4.0], [float("nan")])
