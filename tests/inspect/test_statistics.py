from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.inspect import statistics
from ftloader.inspect.statistics import Spread, by_coco_size

from .made import entry, index

SIZES = [(200, 100), (200, 100), (50, 100), (80, 80)]
ENTRIES = [
    entry(1, 10, [0, 0, 10, 20]),
    entry(2, 10, [0, 0, 40, 40], category_id=2),
    entry(3, 10, [0, 0, 200, 100], category_id=1),
    entry(4, 11, [5, 5, 30, 10], segmentation=None),
    entry(5, 12, [1, 1, 9, 9], iscrowd=1),
]


def test_images_are_counted_by_shape_size_and_what_is_in_them() -> None:
    images = statistics(index(ENTRIES, SIZES)).images
    assert (images.count, images.landscape, images.portrait, images.square) == (4, 2, 1, 1)
    assert (images.without_objects, images.crowd_only) == (1, 1)
    most = images.sizes[0]
    assert (most.width, most.height, most.images, len(images.sizes)) == (200, 100, 2, 3)
    assert images.aspect is not None
    assert (images.aspect.min, images.aspect.max) == (0.5, 2.0)


def test_objects_leave_crowd_regions_out_and_follow_coco_on_sizes() -> None:
    objects = statistics(index(ENTRIES, SIZES)).objects
    assert (objects.count, objects.crowd) == (4, 1)
    assert (objects.small, objects.medium, objects.large) == (2, 1, 1)
    assert objects.images_by_count == (2, 1, 0, 1)
    assert (objects.with_polygons, objects.with_rle, objects.without_outline) == (3, 0, 1)
    assert objects.box_scale is not None
    assert objects.box_scale.max == pytest.approx(1.0)
    assert objects.box_aspect is not None
    assert objects.box_aspect.max == pytest.approx(3.0)


def test_classes_are_counted_in_objects_and_in_images() -> None:
    classes = statistics(index(ENTRIES, SIZES)).classes
    cat, dog, drier = classes.table
    assert (cat.name, cat.category_id, cat.objects, cat.crowd, cat.images) == ("cat", 1, 3, 1, 2)
    assert (dog.objects, dog.images, drier.objects) == (1, 1, 0)
    assert (classes.unused, classes.imbalance, classes.half_in) == (1, 3.0, 1)


def test_limits_of_coco_sizes_belong_to_medium() -> None:
    assert by_coco_size(np.array([32.0**2 - 0.1, 32**2, 96**2, 96**2 + 0.1])) == (1, 2, 1)


@pytest.mark.parametrize("sizes", [[], [(30, 20)]])
def test_a_data_set_without_objects_has_figures_too(sizes: list[tuple[int, int]]) -> None:
    figures = statistics(index([], sizes))
    assert (figures.images.count, figures.objects.count) == (len(sizes), 0)
    assert figures.objects.area is None
    assert figures.classes.imbalance is None
    assert figures.classes.half_in == 0


def test_figures_become_json_and_come_back() -> None:
    figures = statistics(index(ENTRIES, SIZES)).as_dict()
    assert json.loads(json.dumps(figures))["objects"]["images_by_count"] == [2, 1, 0, 1]


def test_percentiles_of_counts_are_counts_that_occur() -> None:
    spread = Spread.of(np.array([1, 2, 3, 10]))
    assert spread is not None
    assert {spread.p5, spread.p25, spread.p50, spread.p95} <= {1.0, 2.0, 3.0, 10.0}
    assert spread.mean == 4.0


@settings(deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 60), st.booleans()),
        max_size=30,
    )
)
def test_the_figures_add_up(rows: list[tuple[int, int, int, bool]]) -> None:
    entries = [
        entry(n, 10 + image, [0, 0, side, side], category_id=label, iscrowd=int(crowd))
        for n, (image, label, side, crowd) in enumerate(rows)
    ]
    figures = statistics(index(entries, SIZES))
    objects, classes = figures.objects, figures.classes
    assert objects.count + objects.crowd == len(rows)
    assert objects.small + objects.medium + objects.large == objects.count
    assert sum(objects.images_by_count) == len(SIZES)
    assert sum(n * images for n, images in enumerate(objects.images_by_count)) == objects.count
    assert sum(one.objects for one in classes.table) == objects.count
    assert sum(one.crowd for one in classes.table) == objects.crowd
    ordered = sorted((one.objects for one in classes.table), reverse=True)
    half = classes.half_in
    assert 2 * sum(ordered[:half]) >= objects.count
    assert not half or 2 * sum(ordered[: half - 1]) < objects.count
