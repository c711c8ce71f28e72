"""Decoding at a fraction of the size, and limits on the size."""

import numpy as np
import pytest
from PIL import Image

from ftloader.detection.coco import open_coco
from ftloader.detection.image import decode
from ftloader.detection.synthetic import edge_set
from ftloader.detection.synthetic.edge import write_edge_coco
from ftloader.errors import DecodeError

EDGE = edge_set()
LIMITS = [(33, 21), (17, 11), (17, 10), (16, 10), (16, 11), (8, 5), (4, 2), (1, 1), (99, 1)]


@pytest.mark.parametrize("name", EDGE)
@pytest.mark.parametrize("at_least", LIMITS)
def test_a_jpeg_is_scaled_as_far_as_the_limit_allows_and_nothing_else_is(name, at_least):
    whole = decode(EDGE[name])
    height, width = whole.shape[:2]
    fits = [s for s in (1, 2, 4, 8) if width >= s * at_least[0] and height >= s * at_least[1]]
    factor = max(fits, default=1) if EDGE[name].startswith(b"\xff\xd8") else 1
    image = decode(EDGE[name], at_least=at_least)
    assert image.shape == (-(-height // factor), -(-width // factor), 3)
    if factor == 1:
        np.testing.assert_array_equal(image, whole)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_limit_is_for_the_upright_image(orientation):
    image = decode(EDGE[f"exif-{orientation}"], at_least=(16, 10))
    assert image.shape == (11, 17, 3)
    # Another orientation would be off by 80 grey levels; pixels at another phase by up to 20.
    upright = Image.fromarray(decode(EDGE["png"])).reduce(2)
    assert np.abs(np.asarray(upright).astype(int) - image).mean() < 30


@pytest.mark.parametrize(
    "options", [{"at_least": (0, 5)}, {"at_least": (5, -1)}, {"max_pixels": 0}]
)
def test_limits_that_mean_nothing_are_refused(options):
    with pytest.raises(ValueError, match="must be positive"):
        decode(EDGE["png"], **options)


@pytest.mark.parametrize("name", EDGE)
def test_an_image_of_more_pixels_than_allowed_is_refused_by_its_header(name):
    height, width = decode(EDGE[name]).shape[:2]
    if width * height > 1:
        with pytest.raises(DecodeError, match=r"cannot decode big\.jpg .* max_pixels="):
            decode(EDGE[name], name="big.jpg", max_pixels=width * height - 1)
    assert decode(EDGE[name], max_pixels=width * height).shape[:2] == (height, width)


def test_the_edge_set_is_a_coco_folder_whose_every_sample_loads_and_rasterises(tmp_path):
    folder = open_coco(write_edge_coco(tmp_path))
    assert len(folder) == len(EDGE)
    samples = [folder.load(i) for i in range(len(folder))]
    assert {len(sample.boxes) for sample in samples} == {0, 1, 7}
    for sample in samples:
        masks = sample.masks()
        assert masks.shape == (len(sample.boxes), *sample.image.shape[:2])
    crowds = samples[0].masks()[samples[0].crowd]
    np.testing.assert_array_equal(crowds[0], crowds[1])
    assert crowds[0].sum() == 42
    skipped = folder.index.skipped
    assert min(skipped.ignore, skipped.outside, skipped.degenerate) >= 20
