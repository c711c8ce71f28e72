import copy
import gc
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection.coco import CocoIndex, Skipped, open_coco
from ftloader.detection.image import decode
from ftloader.detection.masks import Rle
from ftloader.errors import CocoError

IMAGE = {"id": 7, "file_name": "seven.jpg", "width": 100, "height": 50}
BOX = {
    "id": 1,
    "image_id": 7,
    "category_id": 3,
    "bbox": [10.5, 20.25, 30.0, 10.0],
    "area": 300.0,
    "iscrowd": 0,
    "segmentation": [[10.5, 20.25, 40.5, 20.25, 40.5, 30.25]],
}
CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}]


def document(*annotations, images=(IMAGE,), categories=CATEGORIES):
    parts = {"images": list(images), "annotations": annotations, "categories": categories}
    return json.loads(json.dumps(parts))


def index(*annotations, **parts):
    return CocoIndex.from_document(document(*annotations, **parts))


def test_a_box_becomes_corners_in_float32():
    objects = index(BOX).annotations(0)
    np.testing.assert_array_equal(objects.boxes, np.float32([[10.5, 20.25, 40.5, 30.25]]))
    assert objects.boxes.dtype == np.float32
    assert objects.labels.dtype == np.int64
    assert objects.ids.tolist() == [1]
    assert objects.areas.tolist() == [300.0]


def test_a_box_that_leaves_the_image_is_not_clipped():
    objects = index(BOX | {"bbox": [-5, -6, 200, 100]}).annotations(0)
    assert objects.boxes.tolist() == [[-5, -6, 195, 94]]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param({"ignore": 1}, "ignore", id="marked ignore"),
        pytest.param({"bbox": [100, 0, 5, 5]}, "outside", id="right of the image"),
        pytest.param({"bbox": [0, 50, 5, 5]}, "outside", id="below the image"),
        pytest.param({"bbox": [-5, 0, 5, 5]}, "outside", id="left of the image"),
        pytest.param({"bbox": [0, -5, 5, 5]}, "outside", id="above the image"),
        pytest.param({"bbox": [5, 5, -3, 5]}, "outside", id="negative width"),
        pytest.param({"area": 0}, "degenerate", id="no area"),
        pytest.param({"area": -1.5}, "degenerate", id="negative area"),
        pytest.param({"bbox": [5, 5, 0.99, 5]}, "degenerate", id="narrower than a pixel"),
        pytest.param({"bbox": [5, 5, 5, 0.99]}, "degenerate", id="lower than a pixel"),
        pytest.param({"category_id": 99}, "unknown_category", id="category not in the list"),
        pytest.param({"image_id": 8}, "unknown_image", id="image not in the file"),
        pytest.param({"ignore": 1, "area": 0}, "ignore", id="two rules, the first counts"),
    ],
)
def test_an_annotation_is_skipped_and_counted(change, rule):
    made = index(BOX | change, BOX | {"id": 2})
    assert made.annotations(0).ids.tolist() == [2]
    assert made.skipped == Skipped(**{rule: 1})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"bbox": [99.5, 49.5, 5, 5]}, id="overlaps by half a pixel"),
        pytest.param({"bbox": [5, 5, 1, 1]}, id="exactly a pixel"),
        pytest.param({"area": 0.01}, id="tiny area"),
        pytest.param({"ignore": 0}, id="ignore is false"),
    ],
)
def test_an_annotation_at_the_edge_of_a_rule_is_kept(change):
    made = index(BOX | change)
    assert made.annotations(0).ids.tolist() == [1]
    assert made.skipped == Skipped()


def test_a_crowd_is_kept_and_flagged():
    rle = {"counts": [4990, 10], "size": [50, 100]}
    objects = index(BOX | {"iscrowd": 1, "segmentation": rle}, BOX | {"id": 2}).annotations(0)
    assert objects.crowd.tolist() == [True, False]


def test_a_missing_crowd_flag_means_no_crowd():
    entry = {key: value for key, value in BOX.items() if key != "iscrowd"}
    assert index(entry).annotations(0).crowd.tolist() == [False]


def test_labels_are_positions_in_the_file_s_categories():
    assert index(BOX, BOX | {"id": 2, "category_id": 1}).labels.tolist() == [0, 1]


def test_labels_are_positions_in_the_class_list_where_one_is_given():
    parts = document(BOX, BOX | {"id": 2, "category_id": 1})
    both = CocoIndex.from_document(parts, classes=["dog", "cat"])
    assert both.labels.tolist() == [1, 0]
    assert both.category_ids == (1, 3)
    one = CocoIndex.from_document(parts, classes=["dog"])
    assert one.annotation_ids.tolist() == [2]
    assert one.skipped.unknown_category == 1


def test_a_class_that_the_file_does_not_have_is_refused():
    with pytest.raises(CocoError, match="no category is called 'bird'"):
        CocoIndex.from_document(document(BOX), classes=["cat", "bird"])


def test_annotations_are_grouped_by_image_in_the_order_of_the_file():
    images = [IMAGE | {"id": number} for number in (9, 2, 5)]
    entries = [
        BOX | {"id": number, "image_id": image}
        for number, image in [(10, 5), (11, 9), (12, 5), (13, 9), (8, 5)]
    ]
    made = index(*entries, images=images)
    assert [made.annotations(i).ids.tolist() for i in range(3)] == [[11, 13], [], [10, 12, 8]]
    assert [made.info(i).id for i in range(3)] == [9, 2, 5]


def test_an_image_without_annotations_has_empty_arrays_of_the_right_shape():
    objects = index().annotations(0)
    assert len(objects) == 0
    assert objects.boxes.shape == (0, 4)
    assert objects.segmentations == ()


def test_a_file_without_images_is_an_empty_index():
    assert len(index(images=[])) == 0
    assert index(BOX, images=[]).skipped == Skipped(unknown_image=1)


def test_an_image_out_of_range_is_an_index_error():
    made = index(BOX)
    for i in (1, -1):
        with pytest.raises(IndexError):
            made.annotations(i)
        with pytest.raises(IndexError):
            made.info(i)


def test_outlines_are_kept_as_the_file_has_them():
    polygons = [
        [0.1, 0.2, 5, 0, 5, 5],
        [1, 1, 2, 2],
    ]  # the second is no area, and kept all the same
    entries = [
        BOX | {"id": 1, "segmentation": polygons},
        BOX | {"id": 2, "segmentation": {"counts": [4990, 10], "size": [50, 100]}},
        BOX | {"id": 3, "segmentation": {"counts": "52203", "size": [50, 100]}},
        BOX | {"id": 4, "segmentation": []},
        {key: value for key, value in (BOX | {"id": 5}).items() if key != "segmentation"},
    ]
    outlines = index(*entries).annotations(0).segmentations
    assert [part.tolist() for part in outlines[0]] == polygons
    assert isinstance(outlines[1], Rle)
    assert (outlines[1].height, outlines[1].width) == (50, 100)
    assert outlines[1].counts.tolist() == [4990, 10]
    assert outlines[2].counts == b"52203"
    assert outlines[3:] == ((), ())


def test_every_column_is_read_only():
    made = index(BOX)
    objects = made.annotations(0)
    columns = [made.image_ids, made.widths, made.heights, made.offsets, made.segments.rle_rows]
    columns += [objects.boxes, objects.labels, objects.crowd, objects.areas, objects.ids]
    columns += list(objects.segmentations[0])
    assert not any(column.flags.writeable for column in columns)


def test_the_index_keeps_no_object_per_annotation_for_the_garbage_collector():
    entries = [BOX | {"id": number} for number in range(2000)]
    parts = document(*entries)
    gc.collect()
    before = len(gc.get_objects())
    made = CocoIndex.from_document(parts)
    gc.collect()
    assert len(made.labels) == 2000
    assert len(gc.get_objects()) - before < 500


MALFORMED_ANNOTATIONS = {
    "bbox of three": ({"bbox": [1, 2, 3]}, "annotation 1: bbox must be four numbers"),
    "bbox of five": ({"bbox": [1, 2, 3, 4, 5]}, "annotation 1: bbox must be four numbers"),
    "bbox of text": ({"bbox": ["1", 2, 3, 4]}, "annotation 1: bbox must be four numbers"),
    "bbox with null": ({"bbox": [None, 2, 3, 4]}, "annotation 1: bbox must be four numbers"),
    "bbox is null": ({"bbox": None}, "annotation 1: bbox must be four numbers"),
    "bbox not a number": ({"bbox": [float("nan"), 2, 3, 4]}, "annotation 1: bbox must be four"),
    "bbox infinite": ({"bbox": [1, 2, float("inf"), 4]}, "annotation 1: bbox must be four"),
    "area of text": ({"area": "12"}, "annotation 1: area must be a number, not '12'"),
    "area beyond floats": ({"area": 10**400}, "annotation 1: area must be a number"),
    "image id of text": ({"image_id": "7"}, "annotation 1: image_id must be a whole number"),
    "image id too large": ({"image_id": 2**70}, "annotation 1: image_id must be a whole number"),
    "category is null": ({"category_id": None}, "annotation 1: category_id must be a whole"),
    "id of text": ({"id": "x"}, "annotation number 0: id must be a whole number"),
    "flat polygon": ({"segmentation": [1, 2, 3, 4, 5, 6]}, "annotation 1: segmentation is neither"),
    "polygon of text": ({"segmentation": [["1", 2, 3, 4, 5, 6]]}, "annotation 1: segmentation"),
    "polygon far away": ({"segmentation": [[1e9, 2, 3, 4, 5, 6]]}, "annotation 1: segmentation"),
    "segmentation is text": ({"segmentation": "polygon"}, "annotation 1: segmentation is neither"),
    "rle without size": ({"segmentation": {"counts": [1]}}, "annotation 1: segmentation"),
    "rle with bad size": (
        {"segmentation": {"counts": [1], "size": [1.5, 2]}},
        "annotation 1: segmentation",
    ),
    "rle of fractions": (
        {"segmentation": {"counts": [1.5], "size": [1, 2]}},
        "annotation 1: segmentation",
    ),
}


@pytest.mark.parametrize(
    ("change", "message"), MALFORMED_ANNOTATIONS.values(), ids=MALFORMED_ANNOTATIONS.keys()
)
def test_a_malformed_annotation_is_named(change, message):
    good = BOX | {"id": 99}
    with pytest.raises(CocoError) as caught:
        index(BOX | change, good)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["id", "image_id", "category_id", "bbox", "area"])
def test_a_missing_field_is_named(key):
    entry = {name: value for name, value in BOX.items() if name != key}
    with pytest.raises(CocoError, match=f"annotation (1|number 0): no '{key}'"):
        index(entry)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param({"images": [IMAGE, IMAGE]}, "image 7: the id is used twice", id="image twice"),
        pytest.param(
            {"images": [IMAGE | {"width": 0}]}, "image 7: a size of 0 x 50", id="no width"
        ),
        pytest.param({"images": [IMAGE | {"height": "9"}]}, "image 7: height must be", id="text"),
        pytest.param({"images": [IMAGE | {"file_name": 3}]}, "image 7: file_name", id="name"),
        pytest.param({"images": [5]}, "images[0] is not an object", id="not an object"),
        pytest.param(
            {"categories": CATEGORIES * 2}, "category 1: the id is used twice", id="category twice"
        ),
        pytest.param({"categories": [{"id": 3}]}, "category 3: name must be text", id="no name"),
    ],
)
def test_malformed_images_and_categories_are_named(parts, message):
    with pytest.raises(CocoError) as caught:
        index(BOX, **parts)
    assert message in str(caught.value)


def test_an_annotation_id_used_twice_is_refused():
    with pytest.raises(CocoError, match="annotation 1: the id is used twice"):
        index(BOX, BOX)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(["images", "annotations", "categories"]),
    st.sampled_from(sorted({*IMAGE, *BOX, "name", "ignore"})),
    json_values,
)
@settings(max_examples=300)
def test_any_value_in_any_field_ends_in_an_index_or_in_a_coco_error(section, key, value):
    parts = document(BOX, BOX | {"id": 2})
    parts[section][0][key] = copy.deepcopy(value)
    try:
        made = CocoIndex.from_document(parts)
    except CocoError:
        return
    for i in range(len(made)):
        made.annotations(i)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"not json", "is not JSON", id="not JSON"),
        pytest.param(b"\xff\xfe\x00", "is not JSON", id="not text"),
        pytest.param(b"[" * 200_000, "is not JSON", id="nested too deep"),
        pytest.param(b"[]", "not a COCO instances file", id="a list"),
        pytest.param(b'{"images": []}', "not a COCO instances file", id="captions"),
    ],
)
def test_a_file_that_is_not_coco_is_named(tmp_path, content, message):
    path = tmp_path / "instances_x.json"
    path.write_bytes(content)
    with pytest.raises(CocoError) as caught:
        CocoIndex.from_json(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_malformed_annotation_in_a_file_is_named_with_the_file(tmp_path):
    path = tmp_path / "instances_x.json"
    path.write_text(json.dumps(document(BOX | {"bbox": []})))
    with pytest.raises(CocoError) as caught:
        CocoIndex.from_json(path)
    assert str(caught.value).startswith(f"{path}: annotation 1: bbox")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CocoError, match=r"cannot read .*absent\.json: No such file"):
        CocoIndex.from_json(tmp_path / "absent.json")


def make_folder(root, images="val2017", splits=("val2017",)):
    (root / "annotations").mkdir()
    for split in splits:
        path = root / "annotations" / f"instances_{split}.json"
        path.write_text(json.dumps(document(BOX)))
    (root / images).mkdir(parents=True)
    (root / images / "seven.jpg").write_bytes(b"pixels")
    return root


@pytest.mark.parametrize("images", ["val2017", "images/val2017", "images"])
def test_published_layouts_open(tmp_path, images):
    folder = open_coco(make_folder(tmp_path, images))
    assert len(folder) == 1
    assert folder.image_dir == tmp_path / images
    assert folder.read_bytes(0) == b"pixels"
    assert folder.info(0).file_name == "seven.jpg"
    assert len(folder.annotations(0)) == 1


def test_an_images_folder_with_the_files_of_another_split_is_passed_over(tmp_path):
    make_folder(tmp_path, "images")
    (tmp_path / "val2017").mkdir()
    assert open_coco(tmp_path).image_dir == tmp_path / "images"


def test_several_splits_are_listed_for_the_user_to_choose(tmp_path):
    make_folder(tmp_path, splits=("val2017", "train2017"))
    with pytest.raises(CocoError, match="choose one with split=: 'train2017', 'val2017'"):
        open_coco(tmp_path)
    assert len(open_coco(tmp_path, "val2017")) == 1
    with pytest.raises(CocoError, match="no split 'test'; it has 'train2017', 'val2017'"):
        open_coco(tmp_path, "test")


def test_what_is_missing_in_a_folder_is_named(tmp_path):
    with pytest.raises(CocoError, match="is not a folder"):
        open_coco(tmp_path / "absent")
    with pytest.raises(CocoError, match=r"no annotations/instances_\*\.json"):
        open_coco(tmp_path)
    make_folder(tmp_path)
    (tmp_path / "val2017" / "seven.jpg").unlink()
    with pytest.raises(CocoError, match=r"image seven\.jpg is not in val2017/"):
        open_coco(tmp_path)
    (tmp_path / "val2017").rmdir()
    with pytest.raises(CocoError, match="no folder with the images of 'val2017'"):
        open_coco(tmp_path)


def test_an_image_file_that_has_gone_is_named_with_its_id(tmp_path):
    folder = open_coco(make_folder(tmp_path))
    (tmp_path / "val2017" / "seven.jpg").unlink()
    with pytest.raises(CocoError, match=r"cannot read image 7, .*seven\.jpg: No such file"):
        folder.read_bytes(0)


@pytest.mark.real_data
def test_real_coco_reads_and_decodes_to_its_annotated_sizes(real_data):
    for split in ("train2017", "val2017"):
        folder = open_coco(real_data, split)
        assert len(folder) == 80
        assert len(folder.index.classes) == 80
        for i in range(len(folder)):
            info = folder.info(i)
            image = decode(folder.read_bytes(i), name=info.file_name)
            assert image.shape == (info.height, info.width, 3)
