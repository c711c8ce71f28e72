"""The fast way into a COCO file gives what the ordinary way gives."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.detection._coco_numbers import parse_numbers
from ftloader.detection._coco_segments import parse_outlines
from ftloader.detection._coco_text import NotPlain, read_plain
from ftloader.detection.coco import CocoIndex
from ftloader.detection.synthetic.edge import edge_document
from ftloader.errors import CocoError
from tests.detection.fuzz.annotations import same
from tests.detection.test_coco import BOX, MALFORMED_ANNOTATIONS, document

COMPACT = (",", ":")


def parsed(tokens):
    """The numbers of a comma-separated text."""
    text = b",".join(tokens)
    ends = np.cumsum([len(token) + 1 for token in tokens]) - 1
    return parse_numbers(text, ends - [len(token) for token in tokens], ends)


decimals = st.decimals(-(10**9), 10**9, places=None).map(str)
numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.tuples(st.integers(-9999, 9999), st.integers(0, 8)).map(lambda n: f"{n[0]:.{n[1]}f}"),
    st.from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,7})?", fullmatch=True),
)


@given(st.lists(numbers, min_size=1, max_size=30))
@settings(deadline=None)
def test_numbers_are_the_nearest_float64_as_json_reads_them(texts):
    try:
        expected = [float(json.loads(text)) for text in texts]
    except OverflowError:
        return
    values, whole = parsed([text.encode() for text in texts])
    assert values.tolist() == expected
    assert whole.tolist() == [type(json.loads(text)) is int for text in texts]


@given(st.lists(st.sampled_from(list("0123456789.-eE+ ,]a*")), max_size=10).map("".join))
@settings(max_examples=500, deadline=None)
def test_what_json_refuses_is_no_number(text):
    try:
        expected = json.loads(text)
    except ValueError:
        expected = None
    token = text.encode()
    if not isinstance(expected, int | float) or text != text.strip():
        with pytest.raises(ValueError, match=r".*"):
            parse_numbers(token, np.array([0]), np.array([len(token)]))
    else:
        value, _ = parse_numbers(token, np.array([0]), np.array([len(token)]))
        assert value.tolist() == [float(expected)]


def test_no_numbers_are_no_values():
    assert parsed([b"1"])[0].tolist() == [1.0]
    assert [len(a) for a in parse_numbers(b"", np.array([], int), np.array([], int))] == [0, 0]


def fast(text):
    """What the fast way alone makes of a text."""
    file = read_plain(text)
    return file.fields, parse_outlines(file.outlines, np.arange(len(file.outlines)))


def uniform():
    """The edge document with the same fields in every entry."""
    made = edge_document()
    for entry in made["annotations"]:
        entry.setdefault("ignore", 0)
    return made


@pytest.mark.parametrize("separators", [COMPACT, (", ", ": ")], ids=["compact", "spaced"])
@pytest.mark.parametrize("make", [uniform, edge_document])
def test_a_usual_file_is_read_fast_and_gives_the_same_index(tmp_path, make, separators):
    text = json.dumps(make(), separators=separators)
    assert len(read_plain(text.encode()).outlines) == len(make()["annotations"])
    path = tmp_path / "instances_x.json"
    path.write_text(text)
    assert same(CocoIndex.from_json(path), CocoIndex.from_document(make()))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(edge_document(), indent=2),
        json.dumps(document(BOX | {"segmentation": None})),
        json.dumps(document(BOX | {"segmentation": [[]]})),
        json.dumps(document(BOX | {"note": {"segmentation": [[1, 2, 3, 4, 5, 6]]}})),
        json.dumps(document(BOX) | {"segmentation": [[1, 2, 3, 4, 5, 6]]}),
        json.dumps(document(BOX) | {"info": 'of "annotations":[] and more'}),
        json.dumps(document()),
    ],
    ids=["indented", "null", "empty part", "nested", "elsewhere", "quoted", "no annotations"],
)
def test_an_unusual_file_gives_the_same_index(tmp_path, text):
    path = tmp_path / "instances_x.json"
    path.write_text(text)
    assert same(CocoIndex.from_json(path), CocoIndex.from_document(json.loads(text)))


@pytest.mark.parametrize(
    "change",
    [
        *(change for change, _ in MALFORMED_ANNOTATIONS.values()),
        {"id": [1]},
        {"category_id": 3.0},
        {"image_id": 7.5},
        {"segmentation": 0},
        {"area": [300.0]},
    ],
)
def test_a_malformed_annotation_is_named_as_the_ordinary_way_names_it(tmp_path, change):
    parts = document(BOX | change, BOX | {"id": 99})
    path = tmp_path / "instances_x.json"
    path.write_text(json.dumps(parts))
    with pytest.raises(CocoError) as ordinary:
        CocoIndex.from_document(json.loads(path.read_text()))
    with pytest.raises(CocoError) as fast:
        CocoIndex.from_json(path)
    assert str(fast.value) == f"{path}: {ordinary.value}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"segmentation":', '"segmentation":7,"segmentation":'),
        ('"area":300.0', '"area":0300.0'),
        ('"area":300.0', '"area":,300.0'),
        ('"id":1,', '"i1d":,'),
        ('"id":1,', '"id"1:,'),
        ("20.25,40.5", "20.25,,40.5"),
        ("20.25,40.5", "20.25\0,40.5"),
        ("20.25,40.5", "20.25*40.5"),
        ("40.5,30.25]]", "40.5,30.25]"),
        ("[[10.5", "[10.5"),
        ("40.5,30.25]]", "40.5,30.25],[]]"),
        ('"bbox":[10.5,', '"bbox":[[10.5],'),
    ],
)
def test_a_text_that_is_not_plain_is_left_to_the_ordinary_way(old, new):
    text = json.dumps(document(BOX, BOX | {"id": 2}), separators=COMPACT)
    assert old in text
    with pytest.raises(ValueError, match=r".*"):
        fast(text.replace(old, new, 1).encode())


def test_fields_in_another_order_or_left_out_are_fast_too():
    entry = {key: BOX[key] for key in reversed(BOX) if key not in {"iscrowd", "segmentation"}}
    text = json.dumps(document(entry, entry | {"id": 2}))
    file = read_plain(text.encode())
    assert file.fields.ids.tolist() == [1, 2]
    assert file.fields.boxes.tolist() == [BOX["bbox"]] * 2
    assert file.outlines == [b"", b""]
    assert not file.fields.crowd.any()


def test_a_document_without_annotations_is_not_plain():
    with pytest.raises(NotPlain):
        read_plain(b'{"images": []}')


def test_an_image_s_objects_are_small_copies_that_nobody_can_write_to():
    index = CocoIndex.from_document(edge_document())
    objects = index.annotations(0)
    arrays = [objects.boxes, objects.labels, objects.crowd, objects.areas, objects.ids]
    assert all(array.base is None and not array.flags.writeable for array in arrays)
    parts = [part for o in objects.segmentations if isinstance(o, tuple) for part in o]
    owners = {id(part.base) for part in parts}
    assert len(owners) == 1
    assert parts[0].base.nbytes == sum(part.nbytes for part in parts)
    assert all(a.base is b.base for a, b in pairwise(parts))
    assert not any(part.flags.writeable or part.base.flags.writeable for part in parts)
