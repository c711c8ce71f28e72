"""Damaged COCO files: number -> case, the same on every machine."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ftloader.detection.annotations import instance_masks
from ftloader.detection.coco import CocoIndex
from ftloader.detection.synthetic.edge import edge_document
from ftloader.errors import CocoError, DataError
from tests.detection.fuzz.images import expect

DOCUMENT = edge_document()
# Numbers, texts and outlines that readers trip over.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 17, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30,
    10**400, 0.0, -0.0, 0.5, -1e-9, 1e6, 1e12, 1e308, float("nan"), float("inf"), float("-inf"),
    "", "1", "NaN", "é", "a\"b", "x" * 1000, "52203", "\ud800", [], [[]], [[[]]], {}, {"a": {}},
    [1], [1, 2, 3, 4], [1.5, 2, 3, 4], [0, 0, 33, 21], ["1", 2, 3, 4], [1, None, 3, 4],
    [[1, 2, 3]], [[1, 2, 3, 4, 5, 6]], [[1, 2, 3, 4, 5, 1e7]], [[-1e5, 0, 1e5, 0, 0, 1e5]],
    [[1e5, 0] * 50], [[0, 0, 9, 0, float("nan"), 9]], [[True, 2, 3, 4, 5, 6]], [1, [2]],
    {"counts": [1], "size": [1, 1]}, {"counts": [693], "size": [21, 33]},
    {"counts": [-1, 694], "size": [21, 33]}, {"counts": [2**62] * 5, "size": [21, 33]},
    {"counts": [0] * 2000 + [693], "size": [21, 33]}, {"counts": "b6Z1i=", "size": [10**9, 10**9]},
    {"counts": "ooooooooooooooo0", "size": [21, 33]}, {"counts": "\\", "size": [21, 33]},
    {"counts": "b6Z1i=", "size": [21]}, {"counts": [], "size": [0, 0]}, {"size": [21, 33]},
)  # fmt: skip
PIECES = (
    b"}", b"{", b"]", b"[", b",", b":", b'"', b"\\", b"-", b".", b"0", b"00", b"9" * 30, b"e5",
    b"1e999", b"NaN", b"-Infinity", b"null", b"true", b" ", b"\n", b"*", b"#", b"]]", b"[[", b"}]",
    b"\xff", b"\x00", b"\xef\xbb\xbf", b"[" * 5000, b'{"a":' * 5000, b"1" * 5000,
    b'"segmentation":', b'"segmentation": [[1,2,3,4,5,6]],', b'"segmentation":3,', b'"id":1,',
    b'"annotations":[{"id":1}],', b'"annotations":-1,', b'"bbox":[1,2,3,4],', b'"\\u0069d":5,',
)  # fmt: skip
SMALL_IMAGE = 1 << 14  # pixels; larger ones have no image file that could be decoded


def some(entries: list[dict[str, Any]], rng: random.Random) -> dict[str, Any]:
    """A document with a few of the annotations."""
    chosen = rng.sample(entries, rng.randint(0, 12))
    return {
        "images": [dict(image) for image in DOCUMENT["images"]],
        "annotations": copy.deepcopy(chosen),
        "categories": [dict(category) for category in DOCUMENT["categories"]],
    }


def plain_document(rng: random.Random) -> dict[str, Any]:
    """A document whose entries all have the same fields, as one program writes them."""
    document = some([e for e in DOCUMENT["annotations"] if "ignore" not in e], rng)
    keys = rng.sample(list(DOCUMENT["annotations"][0]), len(DOCUMENT["annotations"][0]))
    document["annotations"] = [{key: e[key] for key in keys} for e in document["annotations"]]
    return document


def mixed_document(rng: random.Random) -> dict[str, Any]:
    return some(DOCUMENT["annotations"], rng)


def value(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(VALUES))


def damage_values(document: dict[str, Any], rng: random.Random) -> None:
    """Replace, remove, rename or repeat something in the document."""
    section = rng.choice(["images", "categories", *["annotations"] * 6])
    entries = document[section]
    if rng.random() < 0.05:
        document[section] = value(rng)
        return
    if not isinstance(entries, list) or not entries:
        return
    at = rng.randrange(len(entries))
    entry = entries[at]
    how = rng.randrange(10)
    if how == 0 or not isinstance(entry, dict) or not entry:
        entries[at] = value(rng)
    elif how == 1:
        entries.append(copy.deepcopy(entry))
    elif how == 2:
        del entry[rng.choice(list(entry))]
    elif how == 3:
        entry[rng.choice(["ignore", "extra", "iscrowd", "segmentation"])] = value(rng)
    elif how == 4 and isinstance(entry.get("segmentation"), list) and entry["segmentation"]:
        part = rng.choice(entry["segmentation"])
        if isinstance(part, list) and part:
            part[rng.randrange(len(part))] = value(rng)
    else:
        entry[rng.choice(list(entry))] = value(rng)


def damage_text(text: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(text) + 1)
    how = rng.randrange(5)
    if how == 0:
        return text[:at]
    if how == 1:
        return text[:at] + text[at + rng.randint(1, 9) :]
    if how == 2:
        return text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]
    return text[:at] + rng.choice(PIECES) + text[at:]


def case(number: int) -> bytes:
    rng = random.Random(number)
    document = (plain_document if rng.random() < 0.6 else mixed_document)(rng)
    for _ in range(rng.choice((0, 0, 1, 1, 1, 3))):
        damage_values(document, rng)
    separators, indent = rng.choice([((",", ":"), None), (None, None), (None, None), (None, 1)])
    text = json.dumps(document, separators=separators, indent=indent).encode("utf-8")
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        text = damage_text(text, rng)
    return text


def ordinary(text: bytes) -> CocoIndex:
    """The reference: the ``json`` module and no way round it."""
    return CocoIndex.from_document(json.loads(text))


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple) and a and not isinstance(a[0], str | int):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__slots__") and type(a) is type(b):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))  # type: ignore[arg-type]
    return a == b


def check(number: int, folder: Path) -> str:
    """Run one case; return how it ended, "sample" or "refused"."""
    text = case(number)
    path = folder / "instances_case.json"
    path.write_bytes(text)
    try:
        index = CocoIndex.from_json(path)
    except CocoError as error:
        expect(str(path) in str(error), f"the error does not name the file: {error}")
        expect("\n" not in str(error), "an error of several lines")
        try:
            ordinary(text)
        except (ValueError, RecursionError):
            return "refused"
        raise AssertionError(f"the ordinary way takes it: {error}") from error
    expect(same(index, ordinary(text)), "two ways, two results")
    for i in range(len(index)):
        objects, info = index.annotations(i), index.info(i)
        expect(len(objects.segmentations) == len(objects.boxes), "columns of two lengths")
        if info.width * info.height <= SMALL_IMAGE:
            try:
                instance_masks(objects, info.width, info.height)
            except DataError as error:
                expect("annotation " in str(error), f"an error without a name: {error}")
    return "sample"
