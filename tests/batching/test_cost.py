from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader import PlanError
from ftloader.batching import CostModel, DeviceBytes, HostBytes, Load, PaddedPixels
from tests.batching.drawn import MODELS

FIELDS = st.tuples(*[st.integers(1, 2000)] * 3, st.integers(0, 5000), st.integers(0, 500))


@given(MODELS, FIELDS, st.integers(0, 4), st.integers(1, 500))
def test_no_model_makes_a_growing_batch_cheaper(
    model: CostModel, fields: tuple[int, ...], which: int, more: int
) -> None:
    grown = [value + more * (place == which) for place, value in enumerate(fields)]
    assert model.cost(Load(*grown)) >= model.cost(Load(*fields))


@given(MODELS, st.lists(FIELDS, min_size=1, max_size=5))
def test_costs_of_many_batches_are_those_of_each(
    model: CostModel, rows: list[tuple[int, ...]]
) -> None:
    together = np.broadcast_to(model.cost(Load(*np.array(rows).T)), (len(rows),))
    assert together.tolist() == [float(model.cost(Load(*row))) for row in rows]


def test_padded_pixels_are_images_times_height_times_width() -> None:
    assert PaddedPixels().cost(Load(3, 800, 1344, 70, 30)) == 3 * 800 * 1344


def test_host_bytes_count_pixels_objects_and_masks() -> None:
    plain, masks = HostBytes(), HostBytes(pixel_bytes=12, mask_bytes=1)
    assert plain.cost(Load(2, 32, 64, 5, 4)) == 2 * 32 * 64 * 3 + 2 * 16 + 5 * 25
    assert masks.cost(Load(2, 32, 64, 5, 4)) == 2 * 32 * 64 * 12 + 2 * 16 + 5 * (25 + 32 * 64)


def test_device_bytes_follow_their_formula() -> None:
    model = DeviceBytes(
        fixed=1, pixels=2, images=3, boxes=5, assignment=7, masks=11, attention=13, margin=17,
        anchors=9, strides=(8, 16),
    )  # fmt: skip
    images, high, wide, boxes, most = 2, 40, 64, 6, 4
    anchors = 9 * (5 * 8 + 3 * 4)
    padded = images * high * wide
    wanted = 1 + 2 * padded + 3 * images + 5 * boxes + 7 * most * anchors
    wanted += 11 * boxes * high * wide + 13 * padded**2 / images
    assert model.predict(Load(images, high, wide, boxes, most)) == wanted
    assert model.cost(Load(images, high, wide, boxes, most)) == wanted + 17


def test_the_assignment_matrix_is_that_of_the_fullest_image() -> None:
    # RetinaNet at 800 x 1344 with 500 boxes: 201,600 anchors, 0.40 GB of float32.
    model = DeviceBytes(assignment=4, anchors=9)
    assert model.cost(Load(8, 800, 1344, 600, 500)) == 4 * 500 * 9 * (
        16800 + 4200 + 1050 + 273 + 77
    )


REFUSED: dict[str, tuple[Any, str]] = {
    "a negative coefficient": (lambda: DeviceBytes(pixels=-1), "pixels must be a number from 0 on"),
    "no number": (lambda: DeviceBytes(margin=float("nan")), "margin must be a number from 0 on"),
    "no strides": (lambda: DeviceBytes(strides=()), "strides must be from 1 on"),
    "no anchors": (lambda: DeviceBytes(anchors=0), "anchors per location and strides must be"),
    "no pixel bytes": (lambda: HostBytes(pixel_bytes=0), "a pixel takes at least one byte"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_what_cannot_be_a_model_is_refused(case: str) -> None:
    make, text = REFUSED[case]
    with pytest.raises(PlanError, match=text):
        make()


@given(FIELDS)
def test_the_terms_times_their_coefficients_are_the_prediction(fields: tuple[int, ...]) -> None:
    model = DeviceBytes(1, 2, 3, 5, 7, 11, 13, 17, anchors=9)
    factors = np.array([1, 2, 3, 5, 7, 11, 13])
    assert float(model.predict(Load(*fields))) == pytest.approx(
        float(factors @ np.array(model.terms(Load(*fields))))
    )
