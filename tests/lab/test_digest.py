"""Digests: equal outputs agree, and anything that differs shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.lab.digest import Sampler, full_digest

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=9)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@dataclass
class Box:
    x: int
    pixels: np.ndarray


@given(st.lists(VALUES, max_size=6))
def test_a_copy_has_the_same_digest(values):
    assert full_digest(values) == full_digest(list(values))


@given(VALUES, VALUES)
def test_different_values_have_different_digests(one, other):
    same_text = repr(one) == repr(other)
    assert (full_digest([one])[0] == full_digest([other])[0]) == same_text


@given(st.integers(0, 99))
def test_one_changed_byte_of_an_image_shows(place):
    image = np.zeros(100, np.uint8)
    changed = image.copy()
    changed[place] = 1
    assert full_digest([image])[0] != full_digest([changed])[0]


def test_order_shape_dtype_and_fields_show():
    pixels = np.arange(6, dtype=np.uint8)
    seen = {
        full_digest(values)[0]
        for values in (
            [1, 2],
            [2, 1],
            [pixels],
            [pixels.reshape(2, 3)],
            [pixels.astype(np.int16)],
            [Box(1, pixels)],
            [Box(2, pixels)],
        )
    }
    assert len(seen) == 7


def test_the_sample_of_a_stream_is_the_one_taken_while_verifying():
    stream = [np.arange(20_000).reshape(100, 200) * number for number in range(3)]
    sampler = Sampler()
    for value in stream:
        sampler.add(value)
    _, count, sample = full_digest(stream)
    assert (count, sampler.take()) == (3, sample)


def test_the_sample_sees_swapped_outputs():
    one, other = np.full(5, 1), np.full(5, 2)
    assert full_digest([one, other])[2] != full_digest([other, one])[2]


def test_what_has_no_digest_is_refused():
    with pytest.raises(TypeError, match="no digest for object"):
        full_digest([object()])
    with pytest.raises(TypeError, match="no digest for an array"):
        full_digest([np.array([object()])])
