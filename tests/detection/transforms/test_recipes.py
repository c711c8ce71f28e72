from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ftloader.detection.sample import SampleInfo
from ftloader.detection.transforms.compose import Compose, steps
from ftloader.detection.transforms.mixup import MixUpParams
from ftloader.detection.transforms.mosaic import MosaicParams
from ftloader.detection.transforms.rasterize import Rasterize
from ftloader.detection.transforms.recipes import (
    RECIPES,
    detr,
    faster_rcnn,
    lsj,
    mask_rcnn,
    multi_scale,
    ssd,
    yolox,
)
from tests.conformance.transforms.samples import in_memory, sample_of, stream

# Sizes that COCO has.
DATA = in_memory(
    sample_of(640, 480, [[30, 40, 300, 200], [10.5, 20.25, 600, 470]]),
    sample_of(427, 640, [[100, 100, 250, 600]]),
    sample_of(500, 375),
)


def sizes(recipe: Compose, i: int, draws: int = 60) -> set[tuple[int, int]]:
    """Return the sizes that come out for an image, over some draws; dropped ones are left out."""
    info = DATA.sample_info(i)
    drawn = [recipe.draw(stream(seed), info) for seed in range(draws)]
    return {recipe.output_size(info, params) for params in drawn if params is not None}


@pytest.mark.parametrize(("i", "size"), [(0, (1067, 800)), (1, (800, 1199)), (2, (1067, 800))])
@pytest.mark.parametrize("recipe", [faster_rcnn(), mask_rcnn()])
def test_rcnn_sizes_are_those_of_the_reference(
    recipe: Compose, i: int, size: tuple[int, int]
) -> None:
    assert sizes(recipe, i) == {size}


def test_flips_are_drawn_half_of_the_time() -> None:
    recipe = faster_rcnn()
    info = DATA.sample_info(0)
    drawn = [recipe.draw(stream(seed), info) for seed in range(1000)]
    flips = sum(params is not None and params[1].direction == "horizontal" for params in drawn)
    assert 440 < flips < 560


@pytest.mark.parametrize("recipe", [multi_scale(), detr()])
def test_multi_scale_sizes_have_a_short_edge_from_the_list(recipe: Compose) -> None:
    # 1333 over 800 is wider than COCO's images: the short edge is what limits them.
    landscape = {min(size) for size in sizes(multi_scale(), 0, 200)}
    assert landscape == set(range(480, 801, 32))
    assert all(min(size) <= 800 and max(size) <= 1333 for size in sizes(recipe, 1))


def test_detr_crops_half_of_the_time_and_says_so_in_its_parameters() -> None:
    recipe = detr()
    lengths = []
    for seed in range(200):
        params = recipe.draw(stream(seed), DATA.sample_info(0))
        lengths.append(sum(1 for _ in steps(recipe, params)))
    assert set(lengths) == {2, 4}
    assert 70 < lengths.count(4) < 130


def test_large_scale_jitter_stays_within_its_square() -> None:
    found = sizes(lsj(), 0, 100)
    assert all(width <= 1024 and height <= 1024 for width, height in found)
    assert min(width for width, _ in found) < 300
    assert max(width for width, _ in found) > 800


@pytest.mark.parametrize("size", [300, 512])
def test_ssd_sizes_are_exact(size: int) -> None:
    assert sizes(ssd(size=size), 1) == {(size, size)}


def test_yolox_sizes_are_exact_and_partners_are_named() -> None:
    recipe = yolox(DATA)
    assert sizes(recipe, 0) == {(640, 640)}
    params = recipe.draw(stream(0), DATA.sample_info(0))
    assert params is not None
    mosaic, mixup = params[:2]
    assert isinstance(mosaic, MosaicParams)
    assert isinstance(mixup, MixUpParams)
    assert set(recipe.partners(params)) == {*mosaic.partners, mixup.partner}


def masks_of(recipe: Compose) -> Any:
    sample = DATA.load(0)
    params = recipe.draw(stream(1), sample.info)
    assert params is not None
    return recipe.apply(sample, params)


def test_masks_moved_as_polygons_and_as_bitmaps_agree_but_for_the_edges() -> None:
    first, last = (masks_of(mask_rcnn(rasterize=when)) for when in ("first", "last"))
    polygons = masks_of(mask_rcnn(rasterize="never"))
    assert all(isinstance(outline, tuple) for outline in polygons.info.annotations.segmentations)
    np.testing.assert_array_equal(polygons.masks(), last.masks())
    np.testing.assert_array_equal(first.boxes, last.boxes)
    assert (first.masks() != last.masks()).mean() < 0.01


@pytest.mark.parametrize("make", [mask_rcnn, lsj])
def test_when_to_rasterise_is_one_of_three(make: Any) -> None:
    kinds = [type(step) for step in make(rasterize="first").transforms]
    assert kinds == [Rasterize, *(type(step) for step in make(rasterize="never").transforms)]
    assert [type(step) for step in make().transforms] == [*kinds[1:], Rasterize]
    with pytest.raises(ValueError, match="'first', 'last' or 'never', not 'later'"):
        make(rasterize="later")


def test_planning_looks_at_objects_only_where_it_must() -> None:
    must = {name for name, build in RECIPES.items() if build(DATA).reads_objects}
    assert must == {"lsj-1024", "ssd-300", "ssd-512", "yolox-640"}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_by_name_are_made_for_a_data_set_and_print_a_line_per_step(name: str) -> None:
    recipe = RECIPES[name](DATA)
    head, *lines = str(recipe).splitlines()
    assert head == "Compose:"
    assert len(lines) >= len(recipe.transforms)
    assert all(len(line) < 250 for line in lines)


@pytest.mark.parametrize("name", RECIPES)
def test_samples_keep_bytes_and_identity(name: str) -> None:
    recipe = RECIPES[name](DATA)
    sample = DATA.load(1)
    info: SampleInfo = sample.info
    for seed in range(3):
        params = recipe.draw(stream(seed), info)
        if params is None:
            continue
        partners = {i: DATA.load(i) for i in recipe.partners(params)}
        result = recipe.apply(sample, params, partners)
        assert result.image.dtype == np.uint8
        assert result.key == sample.key
        assert result.info.original_size == (427, 640)
