"""What looks wrong or unusual in a data set's annotations.

Every check is a rule over the index's columns; the only files looked at are the names in the image
folder. A rule that finds nothing is not listed. Pure (but for that look) and deterministic.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ftloader.detection import CocoFolder, CocoIndex
from ftloader.inspect.outlines import Outlines, outlines
from ftloader.inspect.statistics import box_sides, image_of_row, per_image

#: Differences up to this are put down to rounding, pixels.
TOLERANCE: Final = 1.0
#: A side shorter than this is called tiny, pixels.
TINY: Final = 4.0
#: A box whose sides differ by more than this factor is called thin.
THIN: Final = 20.0
#: Examples kept per problem.
EXAMPLES: Final = 20

Level = Literal["wrong", "skipped", "unusual"]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Example:
    """One place where a problem shows.

    Attributes:
        index: position of the image in the data set, None for what belongs to no image.
        file_name: the image's file, or the name of what the problem is about.
        annotation_id: None for a problem of the whole image.
        detail: figures, in a few words.
    """

    index: int | None
    file_name: str
    annotation_id: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule and what it found.

    Attributes:
        name: the rule, for programs.
        level: ``wrong`` (annotations contradict themselves or the image), ``skipped`` (the index
            leaves them out, as training does) or ``unusual`` (may be meant).
        count: how many there are.
        what: the rule, for people.
        examples: the first of them; none for what the index skipped.
    """

    name: str
    level: Level
    count: int
    what: str
    examples: tuple[Example, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def find_problems(folder: CocoFolder) -> tuple[Problem, ...]:
    """Apply every rule to a data set.

    Args:
        folder: the data set; its image folder is listed, its images are not opened.

    Returns:
        What was found: wrong, then skipped, then unusual.
    """
    index = folder.index
    found = [*_of_files(folder), *_of_annotations(index), *_skipped(index), *_of_images(index)]
    order = {"wrong": 0, "skipped": 1, "unusual": 2}
    return tuple(sorted((p for p in found if p.count), key=lambda p: order[p.level]))


def _of_annotations(index: CocoIndex) -> list[Problem]:
    """Apply the rules about single annotations."""
    image = image_of_row(index)
    size = np.stack([index.widths[image], index.heights[image]], axis=1)
    shapes = outlines(index, size[:, 0], size[:, 1])
    boxes = index.boxes.astype(np.float64)
    width, height = box_sides(index.boxes)

    def box(row: int) -> str:
        return f"box {_corners(boxes[row])} in {size[row, 0]} x {size[row, 1]}"

    def bounds(row: int) -> str:
        return f"{box(row)}; outline {_corners(shapes.bounds[row])}"

    def rule(
        name: str, level: Level, rows: Rows, what: str, detail: Callable[[int], str] = box
    ) -> Problem:
        picked = np.flatnonzero(rows)
        examples = [
            Example(
                index=int(image[row]),
                file_name=index.file_names[image[row]],
                annotation_id=int(index.annotation_ids[row]),
                detail=detail(row),
            )
            for row in picked[:EXAMPLES].tolist()
        ]
        return Problem(name, level, len(picked), what, tuple(examples))

    too_large: Rows = np.any(np.stack([width, height], axis=1) > size + TOLERANCE, axis=1)
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    same_class, other_class = _repeated(index, image)
    return [
        rule("box_larger_than_image", "wrong", too_large, "boxes larger than their image"),
        rule("box_outside_frame", "wrong", _reaches_out(boxes, size) & ~too_large,
             "boxes that reach out of the image by more than a pixel"),
        rule("duplicate", "wrong", same_class,
             "objects that repeat another of the same class and box"),
        rule("area_exceeds_box", "wrong", index.areas > 1.01 * width * height + TOLERANCE,
             "annotated areas larger than the box",
             lambda row: f"area {index.areas[row]:g}; {box(row)}"),
        *_of_outlines(shapes, boxes, size, index.crowd, rule, bounds),
        rule("other_class_same_box", "unusual", other_class & ~same_class,
             "objects with the box of another object of another class",
             lambda row: f"{index.classes[index.labels[row]]}; {box(row)}"),
        rule("tiny_box", "unusual", shorter < TINY,
             f"boxes less than {TINY:g} pixels wide or high"),
        rule("thin_box", "unusual", (longer > THIN * shorter) & (shorter >= TINY),
             f"boxes more than {THIN:g} times as long as wide"),
    ]  # fmt: skip


def _of_outlines(
    shapes: Outlines,
    boxes: NDArray[np.float64],
    size: NDArray[np.int64],
    crowd: Rows,
    rule: Callable[..., Problem],
    bounds: Callable[[int], str],
) -> list[Problem]:
    """Apply the rules about outlines."""
    with np.errstate(invalid="ignore"):  # NaN where there is no outline: no rule applies
        off = (np.abs(shapes.bounds - boxes) > TOLERANCE).any(axis=1)
        out = _reaches_out(shapes.bounds, size)
    none = ~shapes.usable & ~shapes.broken_rle & ~shapes.broken_part
    return [
        rule("outline_off_box", "wrong", off,
             "outlines whose bounds are more than a pixel off the box", bounds),
        rule("outline_outside_frame", "wrong", out,
             "outlines that reach out of the image by more than a pixel", bounds),
        rule("broken_rle", "wrong", shapes.broken_rle,
             "run-length masks that are damaged or made for another image size"),
        rule("broken_polygon", "wrong", shapes.broken_part,
             "outlines with a part of fewer than three points"),
        rule("no_outline", "unusual", none, "annotations without an outline: boxes only"),
        rule("crowd_polygon", "unusual", crowd & shapes.usable & ~shapes.is_rle,
             "crowd regions outlined by polygons (COCO uses run lengths)"),
    ]  # fmt: skip


def _of_images(index: CocoIndex) -> list[Problem]:
    """Apply the rules about whole images and classes."""
    objects, rows = per_image(index, ~index.crowd), np.diff(index.offsets)
    counts = np.bincount(index.labels, minlength=len(index.classes))
    names = Counter(index.classes)
    unused = [name for name, count in zip(index.classes, counts, strict=True) if not count]
    twice = [name for name, count in names.items() if count > 1]
    return [
        _images(index, "image_without_objects", "unusual", rows == 0, "images without any object"),
        _images(index, "image_of_crowds", "unusual", (rows > 0) & (objects == 0),
                "images with crowd regions only"),
        _named("unused_class", "unusual", unused, "classes without any annotation"),
        _named("class_name_twice", "wrong", twice, "class names used more than once"),
    ]  # fmt: skip


def _of_files(folder: CocoFolder) -> list[Problem]:
    """Apply the rules about image files."""
    index = folder.index
    present = _listing(folder.image_dir, {os.path.dirname(name) for name in index.file_names})
    missing = np.array([os.path.normpath(n) not in present for n in index.file_names], bool)
    uses = Counter(index.file_names)
    again = np.array([uses[name] > 1 for name in index.file_names], bool)
    return [
        _images(index, "missing_file", "wrong", missing, "images whose file is missing"),
        _images(index, "file_used_twice", "wrong", again, "images that share a file"),
    ]


def _skipped(index: CocoIndex) -> list[Problem]:
    """Return what the index has left out, by its own rules."""
    what = {
        "unknown_image": "annotations of images that the file does not list",
        "ignore": "annotations marked 'ignore'",
        "outside": "boxes entirely outside their image",
        "degenerate": "annotations without area, or less than a pixel wide or high",
        "unknown_category": "annotations of a category that is not in the class list",
    }
    counts = asdict(index.skipped)
    return [
        Problem(f"skipped_{name}", "skipped", counts[name], text) for name, text in what.items()
    ]


def _reaches_out(boxes: NDArray[np.float64], size: NDArray[np.int64]) -> Rows:
    low, high = boxes[:, :2] < -TOLERANCE, boxes[:, 2:] > size + TOLERANCE
    out: Rows = np.any(low | high, axis=1)
    return out


def _corners(box: NDArray[np.float64]) -> str:
    x1, y1, x2, y2 = box
    return f"{x1:.1f}, {y1:.1f} to {x2:.1f}, {y2:.1f}"


def _repeated(index: CocoIndex, image: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Tell which objects repeat an earlier box of their image: of the same, of any class."""
    rows = np.flatnonzero(~index.crowd)
    places = np.rint(index.boxes[rows].astype(np.float64)).astype(np.int64)
    keys = np.column_stack([image[rows], places, index.labels[rows]])
    results = []
    for key in (keys, keys[:, :-1]):
        repeated = np.zeros(len(index.labels), bool)
        _, first = np.unique(key, axis=0, return_index=True)
        repeated[np.delete(rows, first)] = True
        results.append(repeated)
    return results[0], results[1]


def _listing(root: Path, folders: Iterable[str]) -> set[str]:
    """Return the files in some folders below a root: one listing each, no look per file."""
    present: set[str] = set()
    for folder in folders:
        try:
            names = os.listdir(root / folder)
        except OSError:
            continue
        present.update(os.path.normpath(os.path.join(folder, name)) for name in names)
    return present


def _images(index: CocoIndex, name: str, level: Level, chosen: Rows, what: str) -> Problem:
    picked = np.flatnonzero(chosen)
    examples = [
        Example(i, index.file_names[i], None, f"{index.widths[i]} x {index.heights[i]}")
        for i in picked[:EXAMPLES].tolist()
    ]
    return Problem(name, level, len(picked), what, tuple(examples))


def _named(name: str, level: Level, names: list[str], what: str) -> Problem:
    examples = tuple(Example(None, one, None, "") for one in names[:EXAMPLES])
    return Problem(name, level, len(names), what, examples)
