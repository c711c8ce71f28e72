"""The annotations of a COCO file in columns.

A million annotations are a dozen arrays here, not a million dictionaries: nothing for the garbage
collector to walk, nothing to lock. Everything is read-only and thread-safe once built.

Parsing follows mmdet's ``CocoDataset``: what it skips is skipped here (and counted), in the same
order. Entries that are not COCO are refused, with the annotation's id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ftloader.detection._coco_fields import Fields, fields_of_entries, section
from ftloader.detection._coco_parse import parse_classes, parse_images, parse_objects
from ftloader.detection._coco_segments import (
    SegmentColumns,
    frozen,
    parse_outlines,
    parse_segments,
)
from ftloader.detection._coco_text import read_plain
from ftloader.detection.annotations import Annotations
from ftloader.errors import CocoError


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the index knows of an image before its pixels are read.

    Attributes:
        id: the image's id in the file.
        file_name: its path below the image folder.
        width: pixels.
        height: pixels.
    """

    id: int
    file_name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """How many annotations were left out, by the first rule that applied.

    Attributes:
        unknown_image: the image is not in the file.
        ignore: marked ``ignore``.
        outside: the box does not overlap the image.
        degenerate: no area, or a box less than one pixel wide or high.
        unknown_category: the category is not in the class list.
    """

    unknown_image: int = 0
    ignore: int = 0
    outside: int = 0
    degenerate: int = 0
    unknown_category: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CocoIndex:
    """The annotations of a data set, in read-only columns.

    Images are in the file's order; annotations are grouped by image, in the file's order within
    each. Image ``i`` owns the annotation rows ``offsets[i]`` to ``offsets[i + 1]``.

    Attributes:
        image_ids: int64 (N,).
        file_names: N paths below the image folder.
        widths: int64 (N,), pixels.
        heights: int64 (N,), pixels.
        offsets: int64 (N + 1,).
        boxes: float32 (M, 4), ``x1, y1, x2, y2`` in pixels, not clipped.
        labels: int64 (M,), positions in ``classes``.
        crowd: bool (M,).
        areas: float64 (M,), square pixels, as the file has them.
        annotation_ids: int64 (M,).
        segments: the outlines, in columns of their own.
        classes: names; a label is a position in this tuple.
        category_ids: the file's id of every class.
        skipped: what the parsing rules left out.
    """

    image_ids: NDArray[np.int64]
    file_names: tuple[str, ...]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    offsets: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    areas: NDArray[np.float64]
    annotation_ids: NDArray[np.int64]
    segments: SegmentColumns
    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    skipped: Skipped

    @classmethod
    def from_json(cls, path: str | Path, *, classes: Sequence[str] | None = None) -> CocoIndex:
        """Read an ``instances_*.json`` file.

        Args:
            path: the file.
            classes: names of the classes wanted, in label order; others are skipped. By default
                all of the file's categories in the file's order.

        Raises:
            CocoError: the file cannot be read, is not COCO, or has a malformed entry; the message
                names the file and the entry's id.
        """
        path = Path(path)
        try:
            text = path.read_bytes()
            try:
                return cls._from_plain(text, classes)
            except (ValueError, RecursionError):
                # Whatever is unusual or wrong, the ordinary way takes it or says what it is.
                return cls.from_document(json.loads(text), classes=classes)
        except OSError as error:
            raise CocoError(f"cannot read {path}: {error.strerror or error}") from error
        except CocoError as error:
            raise CocoError(f"{path}: {error}") from error.__cause__
        except (ValueError, RecursionError) as error:
            raise CocoError(f"{path} is not JSON: {error}") from error

    @classmethod
    def from_document(cls, document: object, *, classes: Sequence[str] | None = None) -> CocoIndex:
        """Index a parsed COCO document; the document is not kept.

        Args:
            document: what ``json.load`` returns for an instances file.
            classes: as for :meth:`from_json`.

        Raises:
            CocoError: it is not COCO, or has a malformed entry.
        """
        entries = section(document, "annotations")

        def segments(rows: NDArray[np.intp]) -> SegmentColumns:
            return parse_segments([entries[i] for i in rows.tolist()])

        return cls._from_parts(document, fields_of_entries(entries), segments, classes)

    @classmethod
    def _from_plain(cls, text: bytes, classes: Sequence[str] | None) -> CocoIndex:
        file = read_plain(text)

        def segments(rows: NDArray[np.intp]) -> SegmentColumns:
            return parse_outlines(file.outlines, rows)

        return cls._from_parts(file.document, file.fields, segments, classes)

    @classmethod
    def _from_parts(
        cls,
        document: object,
        fields: Fields,
        segments: Callable[[NDArray[np.intp]], SegmentColumns],
        classes: Sequence[str] | None,
    ) -> CocoIndex:
        """Apply the rules; ``segments`` returns the outlines of rows of the file."""
        images = parse_images(document)
        categories = parse_classes(document, classes)
        objects = parse_objects(fields, images, categories)
        return cls(
            image_ids=images.ids,
            file_names=images.file_names,
            widths=images.widths,
            heights=images.heights,
            offsets=objects.offsets,
            boxes=objects.boxes,
            labels=objects.labels,
            crowd=objects.crowd,
            areas=objects.areas,
            annotation_ids=objects.ids,
            segments=segments(objects.rows),
            classes=categories.names,
            category_ids=categories.category_ids,
            skipped=Skipped(**objects.skipped),
        )

    def __len__(self) -> int:
        return len(self.image_ids)

    def info(self, i: int) -> ImageInfo:
        """Return what is known of image ``i`` (0 to ``len - 1``)."""
        self._check(i)
        return ImageInfo(
            id=int(self.image_ids[i]),
            file_name=self.file_names[i],
            width=int(self.widths[i]),
            height=int(self.heights[i]),
        )

    def annotations(self, i: int) -> Annotations:
        """Return the objects of image ``i`` (0 to ``len - 1``).

        The arrays are small copies, read-only: a sample that is kept, or counted, keeps its own
        objects and not the whole index.
        """
        self._check(i)
        first, last = int(self.offsets[i]), int(self.offsets[i + 1])
        return Annotations(
            boxes=frozen(self.boxes[first:last].copy()),
            labels=frozen(self.labels[first:last].copy()),
            crowd=frozen(self.crowd[first:last].copy()),
            areas=frozen(self.areas[first:last].copy()),
            ids=frozen(self.annotation_ids[first:last].copy()),
            segmentations=self.segments.take(first, last),
        )

    def _check(self, i: int) -> None:
        if not 0 <= i < len(self):
            raise IndexError(f"image {i} is not in an index of {len(self)}")
