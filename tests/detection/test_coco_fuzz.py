"""The first of the fuzz cases; `python -m tests.detection.fuzz.fuzz` runs any number of them."""

import pytest

from tests.detection.fuzz import annotations


@pytest.mark.parametrize("first", range(0, 500, 100))
def test_damaged_coco_files_end_in_an_index_or_in_an_error_both_ways(tmp_path, first):
    ends = [annotations.check(number, tmp_path) for number in range(first, first + 100)]
    assert set(ends) == {"sample", "refused"}
