"""The fast way into a COCO file: outlines and annotation fields straight from the text.

Nine tenths of an instances file are numbers, and a Python object for each of them is what reading
one costs. So outlines are lifted out of the text, and where all annotations have the same fields
in the same order, as files written by one program have, those become columns in NumPy too. What is
left goes through the ``json`` module.

Nothing is decided here: whatever is not exactly as expected is left to the ordinary way
(:class:`NotPlain`), which accepts or refuses it. So both ways give the same index or the same
error. Pure and thread-safe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.detection._coco_fields import (
    LARGEST,
    Fields,
    check_unique,
    fields_of_entries,
    section,
)
from ftloader.detection._coco_numbers import parse_numbers

# Stands for the annotations that have been taken out.
_TAKEN = -1
_SCALARS = ("id", "image_id", "category_id", "area", "iscrowd", "ignore")
_WHOLE = ("id", "image_id", "category_id")
_NUMBER = b"0123456789.-"
_IS_NUMBER = bytes(code in _NUMBER for code in range(256))
_AT_ONCE = 1 << 18  # characters: what fits the processor's cache
# What a number may stand between, once spaces are gone.
_BEFORE = np.isin(np.arange(256), list(b":[,"))
_BEHIND = np.isin(np.arange(256), list(b",]}"))


class NotPlain(ValueError):
    """The text is not as the fast way expects it."""


@dataclass(frozen=True, slots=True)
class PlainFile:
    """An instances file, taken apart.

    Attributes:
        document: the parsed file without its annotations.
        fields: the annotations but for their outlines.
        outlines: their outlines as JSON text, in the order of the annotations; a list of polygons
            without its outer brackets, ``b""`` where there is none.
    """

    document: dict[str, Any]
    fields: Fields
    outlines: list[bytes]


def read_plain(text: bytes) -> PlainFile:
    """Take the text of an instances file apart.

    Raises:
        NotPlain: the ordinary way must be taken.
        ValueError: the same; a number or the rest is no JSON.
        RecursionError: the same; it is nested too deep.
    """
    rest, outlines = _lift_outlines(text)
    entries, rest = _lift_annotations(rest)
    document = json.loads(rest)
    if not isinstance(document, dict) or document.get("annotations") != _TAKEN:
        raise NotPlain("annotations are not a list of the document")
    try:
        fields, outlined = _uniform_fields(entries)
    except NotPlain:
        parsed = section({"annotations": json.loads(entries.decode())}, "annotations")
        fields = fields_of_entries(parsed)
        outlined = [_has_outline(entry) for entry in parsed]
    # As many as were lifted: so each is of the entry that it stood in, and none of another thing.
    if sum(outlined) != len(outlines) or b"\\" in entries:
        raise NotPlain("outlines elsewhere than in annotations, or a key in disguise")
    if len(outlines) < len(outlined):
        lifted = iter(outlines)
        outlines = [next(lifted) if has else b"" for has in outlined]
    return PlainFile(document, fields, outlines)


def _has_outline(entry: dict[str, Any]) -> bool:
    if "segmentation" not in entry:
        return False
    if type(entry["segmentation"]) is not int:
        raise NotPlain("an outline that could not be lifted")
    return True


def _lift_outlines(text: bytes) -> tuple[bytes, list[bytes]]:
    """Return the text with a 0 in place of every outline, and the outlines."""
    key = b'"segmentation":'
    if key + b" " in text:
        key += b" "
    first, *pieces = text.split(key)
    outlines: list[bytes] = []
    rest = [first]
    for piece in pieces:
        if piece.startswith(b"[["):
            outline, end, tail = piece[2:].partition(b"]]")
        elif piece.startswith(b"{"):
            outline, end, tail = piece.partition(b"}")
            outline += end
        elif piece.startswith(b"[]"):
            outline, end, tail = b"", b"[]", piece[2:]
        else:
            raise NotPlain("an outline of another kind")
        if not end or piece.startswith(b"[[]"):
            raise NotPlain("an outline that does not end, or has an empty part")
        outlines.append(outline)
        rest.append(tail)
    # No outline in the file is a number, so this one says that it has been taken out.
    return (key + b"0").join(rest), outlines


def _lift_annotations(text: bytes) -> tuple[bytes, bytes]:
    """Return the list of annotations and the text without it."""
    key = b'"annotations":'
    before, found, behind = text.partition(key)
    behind = behind.lstrip(b" ")
    end = behind.find(b"}]")
    if not found or not behind.startswith(b"[{") or end < 0 or key in behind:
        raise NotPlain("no list of annotations, or several")
    return behind[: end + 2], b"%b%b%d%b" % (before, key, _TAKEN, behind[end + 2 :])


def _uniform_fields(entries: bytes) -> tuple[Fields, list[bool]]:
    """Return the fields of entries that are alike but for their numbers, and which had outlines.

    Raises:
        NotPlain: they are not.
        ValueError: a number is no JSON.
    """
    text = entries.replace(b": ", b":").replace(b", ", b",")[1:-1]
    first = text[: text.find(b"}") + 1]
    template = json.loads(first.decode())
    columns: dict[str, Any] = {}
    width = 0
    for key, value in template.items():
        several = key == "bbox" and isinstance(value, list) and len(value) == 4
        if not several and type(value) is not int and type(value) is not float:
            raise NotPlain("something else than numbers")
        columns[key] = slice(width, width + 4) if several else width
        width += 4 if several else 1
    # Without its numbers, every entry must read like the first one.
    shape = first.translate(None, _NUMBER) + b","
    count, left = divmod(len(bare := text.translate(None, _NUMBER)) + 1, len(shape))
    if left or bare + b"," != shape * count:
        raise NotPlain("entries differ in shape")
    starts, ends = _numbers(text)
    # As many numbers as there are places for them, one in each.
    places = sum(bool(_BEFORE[a] & _BEHIND[b]) for a, b in pairwise(shape))
    if not len(starts) == places * count == width * count:
        raise NotPlain("something else than numbers")
    values, whole = parse_numbers(text, starts, ends)
    values, whole = values.reshape(count, width), whole.reshape(count, width)
    return _as_fields(values, whole, columns)


def _numbers(text: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where numbers start and end; each must stand where a JSON value stands."""
    codes = np.frombuffer(text, np.uint8)
    number = np.frombuffer(text.translate(_IS_NUMBER), np.uint8)
    edges = np.concatenate(
        [
            np.flatnonzero(number[first:-1][:_AT_ONCE] != number[first + 1 :][:_AT_ONCE])
            + (first + 1)
            for first in range(0, len(text) - 1, _AT_ONCE)
        ]
    )
    starts, ends = edges[::2], edges[1::2]
    # Entries are objects: no number is the first or the last character.
    if not (_BEFORE[codes[starts - 1]].all() and _BEHIND[codes[ends % len(codes)]].all()):
        raise NotPlain("a number at an odd place")
    return starts, ends


def _as_fields(
    values: NDArray[np.float64], whole: NDArray[np.bool_], columns: dict[str, Any]
) -> tuple[Fields, list[bool]]:
    if not {"id", "image_id", "category_id", "area", "bbox"} <= columns.keys():
        raise NotPlain("a field is missing")
    if not isinstance(columns["bbox"], slice) or not (np.abs(values) < 2**53).all():
        raise NotPlain("a number is out of range")
    if not all(whole[:, columns[key]].all() for key in _WHOLE):
        raise NotPlain("a fraction where a whole number must be")
    none = np.zeros(len(values))
    column = {key: values[:, columns[key]] if key in columns else none for key in _SCALARS}
    fields = Fields(
        ids=check_unique(column["id"].astype(np.int64), "annotation"),
        image_ids=column["image_id"].astype(np.int64),
        category_ids=column["category_id"].astype(np.int64),
        areas=np.ascontiguousarray(column["area"]),
        boxes=np.ascontiguousarray(values[:, columns["bbox"]]),
        crowd=column["iscrowd"] != 0,
        ignore=column["ignore"] != 0,
    )
    if not (np.abs(fields.areas) < LARGEST).all() or not (np.abs(fields.boxes) < LARGEST).all():
        raise NotPlain("a number is out of range")
    return fields, ["segmentation" in columns] * len(values)
