"""Where sizes come from: a COCO folder, or a CSV file with a row per image.

No image is read. A CSV file stands in for a data set wherever a recipe looks at sizes alone.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ftloader.detection import Annotations, CocoFolder, Sample, SampleInfo, open_coco
from ftloader.detection.augment import Augment, SampleSource
from ftloader.detection.transforms import RandomChoiceResize, Resize, Transform
from ftloader.errors import DataError, PlanError, summary
from ftloader.inspect.recipe import find_recipe
from ftloader.planreport.options import Options
from ftloader.sizes import LONGEST_SIDE, Sizes

_NEEDED: Final = ("width", "height")
_MOST_BOXES: Final = 1 << 20
_NO_OBJECTS: Final = Annotations.none()


@dataclass(frozen=True, slots=True, eq=False)
class SizesFile:
    """A data set of which only sizes are known.

    Attributes:
        names: of the samples, for people.
        columns: sizes as the file has them.

    Thread safety: immutable.
    """

    names: tuple[str, ...]
    columns: Sizes

    def __len__(self) -> int:
        return len(self.columns)

    def sizes(self) -> Sizes:
        """Return the sizes as the file has them."""
        return self.columns

    def bare_info(self, i: int) -> SampleInfo:
        """Return the size alone."""
        size = int(self.columns.widths[i]), int(self.columns.heights[i])
        return SampleInfo(*size, _NO_OBJECTS, i, i, self.names[i], size)

    def sample_info(self, i: int) -> SampleInfo:
        """Return the size, and as many objects as the file says, each as large as the image."""
        bare = self.bare_info(i)
        return replace(bare, annotations=_objects(int(self.columns.boxes[i]), *bare.size))

    def load(self, i: int) -> Sample:
        """Refuse: there are no pixels.

        Raises:
            DataError: always.
        """
        raise DataError(f"{self.names[i]}: a file of sizes has no pixels")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is to be planned.

    Attributes:
        title: what to call it.
        dataset: the samples.
        names: of the samples, for people.
        original: sizes before augmentation.
        recipe: what becomes of them; None leaves them as they are.
        made_by: the recipe in words.
    """

    title: str
    dataset: SampleSource
    names: Sequence[str]
    original: Sizes
    recipe: Transform[Any] | None
    made_by: str

    def sizes(self, order: np.typing.NDArray[np.int64], seed: int, epoch: int) -> Sizes:
        """Return the sizes after augmentation, in the order given.

        Raises:
            DataError: the recipe cannot cope with a sample.
        """
        if self.recipe is None:
            return self.original.take(order)
        return Augment(self.dataset, self.recipe, seed, epoch).sizes(order)


def open_source(options: Options) -> Source:
    """Open the data and find the recipe.

    Raises:
        DataError: there are no such data, or they are no good.
        PlanError: the options do not go with the data.
    """
    path = Path(options.data)
    dataset: CocoFolder | SizesFile
    if path.is_file():
        if options.split:
            raise PlanError(f"plan: --split goes with a COCO folder; {path.name} is a file")
        dataset = read_sizes(path)
        names: Sequence[str] = dataset.names
    elif path.is_dir():
        dataset = open_coco(path, options.split or None)
        names = dataset.index.file_names
    else:
        raise DataError(f"plan: there is no file or folder {options.data!r}")
    title = path.absolute().name + (f", {options.split}" if options.split else "")
    recipe, made_by = _recipe(options, dataset)
    if isinstance(dataset, SizesFile) and recipe is not None and recipe.reads_objects:
        raise PlanError(
            f"plan: recipe {options.recipe!r} looks at objects, which {path.name} does not have; "
            f"give a COCO folder"
        )
    return Source(title, dataset, names, dataset.sizes(), recipe, made_by)


def _recipe(options: Options, dataset: Any) -> tuple[Transform[Any] | None, str]:
    if options.recipe:
        return find_recipe(options.recipe, dataset, "plan"), f"recipe {options.recipe}"
    if options.resize:
        width, height = options.resize
        return Resize(options.resize), f"resized into {width} x {height}"
    if options.multi_scale:
        shorts = [short for _, short in options.multi_scale]
        sides = f"{shorts[0]} to {shorts[-1]}" if len(shorts) > 1 else str(shorts[0])
        made_by = f"short side {sides}, long side at most {options.multi_scale[0][0]}"
        return RandomChoiceResize(options.multi_scale), made_by
    return None, "sizes as they are"


def read_sizes(path: Path) -> SizesFile:
    """Read a CSV file of sizes: columns width, height and perhaps boxes and image_id, in pixels.

    Raises:
        DataError: the file cannot be read, or a line of it is no size; the message names the line.
    """
    names: list[str] = []
    rows: list[tuple[int, int, int]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            columns = _header(path, next(reader, []))
            for cells in reader:
                if not cells:
                    continue
                where = f"{path.name}, line {reader.line_num}"
                rows.append(_row(where, cells, columns))
                named = columns.get("image_id")
                names.append(
                    f"image {cells[named]}" if named is not None else f"line {reader.line_num}"
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"plan: cannot read {path.name} as CSV: {summary(error)}") from error
    table = np.array(rows, np.int64).reshape(-1, 3)
    return SizesFile(tuple(names), Sizes.of(*table.T))


def _header(path: Path, cells: list[str]) -> dict[str, int]:
    """Return where the columns are that we know."""
    names = [cell.strip().lower() for cell in cells]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        there = ", ".join(repr(name) for name in names[:8]) or "nothing"
        raise DataError(
            f"plan: {path.name}: the first line must name the columns width and height; it has "
            f"{there:.120}"
        )
    known = (*_NEEDED, "boxes", "image_id")
    for name in known:
        if names.count(name) > 1:
            raise DataError(f"plan: {path.name}: the column {name!r} is there twice")
    return {name: names.index(name) for name in known if name in names}


def _row(where: str, cells: list[str], columns: dict[str, int]) -> tuple[int, int, int]:
    if len(cells) <= max(columns.values()):
        raise DataError(f"plan: {where}: {len(cells)} columns, fewer than the header has")
    values = [0, 0, 0]
    for place, (name, low, high) in enumerate(
        (("width", 1, LONGEST_SIDE), ("height", 1, LONGEST_SIDE), ("boxes", 0, _MOST_BOXES))
    ):
        if name not in columns:
            continue
        text = cells[columns[name]].strip()
        try:
            value = int(text)
        except ValueError:
            raise DataError(f"plan: {where}: {name} {text!r:.40} is not a whole number") from None
        if not low <= value <= high:
            raise DataError(f"plan: {where}: {name} {value} is not between {low} and {high:,}")
        values[place] = value
    return values[0], values[1], values[2]


def _objects(count: int, width: int, height: int) -> Annotations:
    if not count:
        return Annotations.none()
    return Annotations(
        boxes=np.tile(np.array([0, 0, width, height], np.float32), (count, 1)),
        labels=np.zeros(count, np.int64),
        crowd=np.zeros(count, bool),
        areas=np.full(count, float(width * height)),
        ids=np.arange(count),
        segmentations=((),) * count,
    )
