"""The first of the fuzz cases; `python -m tests.detection.fuzz.fuzz` runs any number of them."""

import warnings

import pytest

from tests.detection.fuzz import images


@pytest.mark.parametrize("name", images.BOMBS)
def test_a_file_that_asks_for_too_much_ends_in_a_sample_or_in_an_error(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert images.check(images.NAMES.index(name)) in {"sample", "refused"}


@pytest.mark.parametrize("first", range(len(images.NAMES), len(images.NAMES) + 600, 100))
def test_damaged_image_bytes_end_in_a_sample_or_in_an_error_that_names_it(first):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends = [images.check(number) for number in range(first, first + 100)]
    assert set(ends) == {"sample", "refused"}
