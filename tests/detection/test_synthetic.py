import hashlib
import json
import multiprocessing
import os
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from ftloader.detection.annotations import instance_masks, mask_boxes
from ftloader.detection.coco import Skipped, open_coco
from ftloader.detection.image import decode
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco, write_synthetic_coco
from ftloader.detection.synthetic import folder as folder_module
from ftloader.detection.synthetic.objects import annotation_entry, plan_image
from ftloader.detection.synthetic.spec import QUALITIES
from ftloader.errors import DataError

# What every interpreter draws with the pinned NumPy; pixels may differ with the processor.
PLAN_DIGEST = "8b09d9cd42a00508"


def content(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set of 40 images, made once."""
    cache = tmp_path_factory.mktemp("cache")
    return synthetic_coco(SyntheticSpec(images=40, seed=1), cache, progress=False)


@pytest.fixture(scope="module")
def plans():
    spec = SyntheticSpec(images=4000, seed=2)
    return [plan_image(spec, index) for index in range(spec.images)]


@pytest.fixture(scope="module")
def entries(plans):
    return [
        (plan, annotation_entry(thing, plan.width, plan.height, 1, 1))
        for plan in plans[:2000]
        for thing in plan.objects
    ]


def test_it_opens_as_a_coco_folder_and_nothing_is_skipped(made):
    folder = open_coco(made)
    assert len(folder) == 40
    assert len(folder.index.classes) == 80
    assert folder.index.skipped == Skipped()
    for i in range(len(folder)):
        info, objects = folder.info(i), folder.annotations(i)
        assert decode(folder.read_bytes(i)).shape == (info.height, info.width, 3)
        masks = instance_masks(objects, info.width, info.height)
        outside = (mask_boxes(masks) - objects.boxes) * np.float32([-1, -1, 1, 1])
        assert outside[masks.any(axis=(1, 2))].max(initial=0) <= 1


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_the_bytes_do_not_depend_on_the_number_of_workers(made, tmp_path, workers):
    spec = SyntheticSpec(images=40, seed=1)
    again = write_synthetic_coco(spec, tmp_path / "again", progress=False, workers=workers)
    assert content(again) == content(made)


def test_another_seed_gives_other_bytes(tmp_path):
    first, second = (
        synthetic_coco(SyntheticSpec(images=2, seed=seed), tmp_path, progress=False)
        for seed in (0, 1)
    )
    assert first != second
    assert not set(content(first).values()) & set(content(second).values())


def test_sizes_and_annotations_are_the_same_on_every_interpreter():
    spec = SyntheticSpec(images=50, seed=0)
    plans = [plan_image(spec, index) for index in range(spec.images)]
    text = json.dumps(
        [
            [plan.width, plan.height, plan.quality]
            + [annotation_entry(thing, plan.width, plan.height, 1, 1) for thing in plan.objects]
            for plan in plans
        ]
    )
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == PLAN_DIGEST


def test_a_cached_folder_is_returned_and_not_written_again(tmp_path):
    spec = SyntheticSpec(images=1)
    folder = synthetic_coco(spec, tmp_path, progress=False)
    mark = folder / "synthetic" / "000000000001.jpg"
    mark.write_bytes(b"mine")
    assert synthetic_coco(spec, tmp_path, progress=False) == folder
    assert mark.read_bytes() == b"mine"


def test_the_cache_lies_in_the_user_s_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = SyntheticSpec(images=1)
    folder = synthetic_coco(spec, progress=False)
    assert folder == tmp_path / "ftloader" / "synthetic" / spec.digest()


def test_every_parameter_changes_the_cache_key():
    specs = [SyntheticSpec(), SyntheticSpec(images=65), SyntheticSpec(seed=1)]
    assert len({spec.digest() for spec in specs}) == 3


def test_an_interrupted_writer_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    spec = SyntheticSpec(images=3)
    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "render", interrupted)
        with pytest.raises(KeyboardInterrupt):
            synthetic_coco(spec, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []
    assert len(open_coco(synthetic_coco(spec, tmp_path, progress=False))) == 3


def test_a_killed_writer_s_folder_is_not_taken_for_complete_and_removed_after_a_day(tmp_path):
    spec = SyntheticSpec(images=1)
    old, new = (tmp_path / f".unfinished-{spec.digest()}-{age}" for age in ("old", "new"))
    for folder in (old, new):
        (folder / "synthetic").mkdir(parents=True)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    assert len(open_coco(synthetic_coco(spec, tmp_path, progress=False))) == 1
    assert not old.exists()
    assert new.exists()


def make_small(cache):
    return str(synthetic_coco(SyntheticSpec(images=12), cache, progress=False))


def test_processes_at_once_all_get_the_one_complete_folder(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        folders = pool.map(make_small, [str(tmp_path)] * 3)
        pool.close()
        pool.join()
    assert len(set(folders)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [SyntheticSpec(images=12).digest()]
    assert len(open_coco(folders[0])) == 12


def test_a_folder_of_one_s_own_is_made_once_and_never_overwritten(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    spec = SyntheticSpec(images=1)
    assert write_synthetic_coco(spec, folder, progress=False) == folder
    assert write_synthetic_coco(spec, folder, progress=False) == folder
    with pytest.raises(DataError, match="not empty and holds other data"):
        write_synthetic_coco(SyntheticSpec(images=2), folder, progress=False)
    with pytest.raises(DataError, match="is a file"):
        write_synthetic_coco(spec, folder / "annotations" / "instances_synthetic.json")


@pytest.mark.parametrize("bad", [{"images": 0}, {"images": -1}, {"seed": -1}, {"seed": 2**64}])
def test_a_spec_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match="must be between"):
        SyntheticSpec(**bad)


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="workers must be at least 1"):
        synthetic_coco(SyntheticSpec(), tmp_path, workers=0)


# From here on: is it like COCO? Bounds are several standard errors of the seeded sample wide.


def test_image_sizes_are_like_coco(plans):
    pixels = np.array([plan.width * plan.height for plan in plans])
    aspect = np.array([plan.width / plan.height for plan in plans])
    assert pixels.mean() == pytest.approx(273_700, rel=0.03)
    assert np.median(pixels) == pytest.approx(273_000, rel=0.02)
    assert (aspect > 1).mean() == pytest.approx(0.72, abs=0.04)
    assert (aspect < 1).mean() == pytest.approx(0.246, abs=0.04)
    common = np.mean([(plan.width, plan.height) == (640, 480) for plan in plans])
    assert common == pytest.approx(0.212, abs=0.025)


def test_object_counts_are_like_coco(plans):
    counts = np.array([len(plan.objects) for plan in plans])
    assert (counts == 0).mean() == pytest.approx(0.01, abs=0.006)
    assert counts.mean() == pytest.approx(7.3, rel=0.07)
    assert 4 <= np.median(counts) <= 5
    assert 28 <= np.percentile(counts, 99) <= 38
    people = np.mean([thing.category_id == 1 for plan in plans for thing in plan.objects])
    assert people == pytest.approx(0.30, abs=0.03)
    kinds = [len({thing.category_id for thing in plan.objects}) for plan in plans if plan.objects]
    assert 2.8 <= np.mean(kinds) <= 3.8


def test_boxes_are_like_coco(entries):
    things = [(plan, entry) for plan, entry in entries if not entry["iscrowd"]]
    side = np.array([entry["bbox"][2:] for _, entry in things])
    pixels = np.array([plan.width * plan.height for plan, _ in things])
    relative = np.sqrt(side.prod(axis=1) / pixels)
    measured = np.percentile(relative, [5, 25, 50, 75, 95])
    np.testing.assert_allclose(measured, [0.022, 0.049, 0.101, 0.225, 0.603], rtol=0.15)
    aspect = np.percentile(side[:, 0] / side[:, 1], [5, 50, 95])
    np.testing.assert_allclose(aspect, [0.26, 0.91, 3.26], rtol=0.12)
    area = np.array([entry["area"] for _, entry in things])
    shares = [np.mean(area < 32**2), np.mean(area >= 96**2)]
    np.testing.assert_allclose(shares, [0.41, 0.24], atol=0.05)
    assert np.mean([entry["iscrowd"] for _, entry in entries]) == pytest.approx(0.01, abs=0.004)
    whole = np.mean([all(value == int(value) for value in entry["bbox"]) for _, entry in things])
    assert whole < 0.001


def test_polygons_are_like_coco(entries):
    things = [entry for _, entry in entries if not entry["iscrowd"]]
    vertices = np.array([len(part) / 2 for entry in things for part in entry["segmentation"]])
    assert vertices.mean() == pytest.approx(20.8, rel=0.12)
    assert np.median(vertices) == pytest.approx(15.5, rel=0.1)
    assert np.percentile(vertices, 95) == pytest.approx(50, rel=0.12)
    parts = np.array([len(entry["segmentation"]) for entry in things])
    assert (parts > 1).mean() == pytest.approx(0.067, abs=0.012)
    fill = np.median([entry["area"] / np.prod(entry["bbox"][2:]) for entry in things])
    assert fill == pytest.approx(0.62, abs=0.05)


def test_jpegs_are_like_coco(made):
    folder = open_coco(made)
    bits = []
    for i in range(len(folder)):
        data = folder.read_bytes(i)
        with Image.open(BytesIO(data)) as image:
            assert image.mode == "RGB"
            assert get_sampling(image) == 0  # 4:4:4
            assert not image.getexif()
            assert "progressive" not in image.info
            bits.append(8 * len(data) / (image.width * image.height))
    # 40 images of a spread of 1.7 bits have a standard error of 0.27.
    assert np.mean(bits) == pytest.approx(4.7, abs=0.8)
    assert 1.0 < min(bits) < 3.5
    assert 6.0 < max(bits) < 13


def test_jpeg_qualities_are_mixed_as_in_coco(plans):
    qualities = np.array([plan.quality for plan in plans])
    for quality, share in QUALITIES.items():
        assert (qualities == quality).mean() == pytest.approx(share, abs=0.03)
