"""What a recipe does to a data set: sizes that come out, objects that stay.

Recipes decide everything but pixels before a pixel is read, so many samples are planned and none
is decoded. Pure and deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ftloader.detection.augment import Augment
from ftloader.errors import DataError
from ftloader.inspect.layout import Style, percent, plural
from ftloader.inspect.statistics import Spread, box_sides, by_coco_size
from ftloader.inspect.text import spread_table

#: How many samples are planned, unless asked otherwise.
PLANNED: Final = 100


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of many samples, crowd regions left out.

    Attributes:
        count: all of them.
        per_image: objects in an image.
        box_width: pixels.
        box_height: pixels.
        small: boxes below 32 x 32 square pixels (of the box, not of the mask: transforms keep
            the annotated areas as they were).
        medium: between the two.
        large: boxes above 96 x 96 square pixels.
    """

    count: int
    per_image: Spread | None
    box_width: Spread | None
    box_height: Spread | None
    small: int
    medium: int
    large: int

    @classmethod
    def of(cls, boxes: Sequence[NDArray[np.float32]]) -> Objects:
        """Count and measure the boxes of many images, float32 (N, 4) each, pixels."""
        together = np.concatenate([np.zeros((0, 4), np.float32), *boxes])
        width, height = box_sides(together)
        counts: NDArray[np.int64] = np.array([len(one) for one in boxes], np.int64)
        spreads = (Spread.of(counts), Spread.of(width), Spread.of(height))
        return cls(len(together), *spreads, *by_coco_size(width * height))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of planning a recipe.

    Attributes:
        recipe: its name.
        seed: of the random streams.
        epoch: of the random streams.
        planned: samples planned.
        dropped: those that the recipe drops.
        failed: those that it cannot cope with.
        first_failure: why, for the first of them.
        width: of the images that come out, pixels.
        height: of the images that come out, pixels.
        without_objects: samples that come out without any object.
        before: objects of the samples that are not dropped, as annotated.
        after: objects that come out, partners' included.
    """

    recipe: str
    seed: int
    epoch: int
    planned: int
    dropped: int
    failed: int
    first_failure: str
    width: Spread | None
    height: Spread | None
    without_objects: int
    before: Objects
    after: Objects

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def outcome(name: str, augment: Augment, indices: Iterable[int]) -> Outcome:
    """Plan samples and measure what would come out.

    Args:
        name: of the recipe.
        augment: data set, recipe, seed and epoch.
        indices: positions of the samples.
    """
    before, after, sizes, failures = [], [], [], []
    planned = dropped = 0
    for index in indices:
        planned += 1
        info = augment.dataset.sample_info(index)
        try:
            plan = augment.plan(index)
            if plan is None:
                dropped += 1
                continue
            came_out = augment.recipe.annotations_after(info, plan.params)
        except DataError as error:
            failures.append(str(error))
            continue
        # Boxes only: a recipe's bitmaps of many samples would fill the memory.
        before.append(info.annotations.boxes[~info.annotations.crowd])
        after.append(came_out.boxes[~came_out.crowd])
        sizes.append(plan.size)
    size = np.array(sizes, np.int64).reshape(-1, 2)
    return Outcome(
        recipe=name,
        seed=augment.seed,
        epoch=augment.epoch,
        planned=planned,
        dropped=dropped,
        failed=len(failures),
        first_failure=failures[0] if failures else "",
        width=Spread.of(size[:, 0]),
        height=Spread.of(size[:, 1]),
        without_objects=sum(not len(boxes) for boxes in after),
        before=Objects.of(before),
        after=Objects.of(after),
    )


def outcome_text(result: Outcome, style: Style) -> str:
    """Return the outcome as terminal text."""
    before, after = result.before, result.after
    rows = {
        "width out, px": result.width,
        "height out, px": result.height,
        "objects: before": before.per_image,
        "objects: after": after.per_image,
        "box width: before": before.box_width,
        "box width: after": after.box_width,
        "box height: before": before.box_height,
        "box height: after": after.box_height,
    }
    head = (
        f"After {result.recipe}: {plural(result.planned, 'sample')} planned at seed {result.seed}, "
        f"epoch {result.epoch}; no image was read"
    )
    shares = "; ".join(
        f"{name} {percent(getattr(before, name), before.count)} -> "
        f"{percent(getattr(after, name), after.count)}"
        for name in ("small", "medium", "large")
    )
    facts = (
        f"{before.count:,} objects before, {after.count:,} after; dropped "
        f"{plural(result.dropped, 'sample')} ({percent(result.dropped, result.planned)}); "
        f"{result.without_objects:,} without objects"
    )
    lines = [
        *map(style.heading, style.wrap(head, 0)),
        *spread_table(rows, style),
        *style.wrap(f"boxes by area: {shares}", 0, 2),
        *style.wrap(facts, 0, 2),
    ]
    if result.failed:
        lines += style.wrap(f"{result.failed:,} failed, the first: {result.first_failure}", 0, 2)
    return "\n".join(lines)
