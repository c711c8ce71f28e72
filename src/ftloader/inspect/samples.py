"""Reading the samples that a contact sheet shows, and augmenting them as training would.

The same data, recipe, seed, epoch and index give the same sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftloader.detection.augment import Augment, SampleSource
from ftloader.detection.sample import Sample
from ftloader.errors import DataError
from ftloader.inspect.captions import caption


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a cell of the sheet shows.

    Attributes:
        index: the sample's position in the data set.
        epoch: the epoch it was drawn for; None without a recipe.
        before: the sample as it is; None if it cannot be read.
        after: what the recipe made of it; None without a recipe, or if it came to nothing.
        caption: a line per step of the recipe.
        failure: why there is nothing to show, empty if there is.
    """

    index: int
    epoch: int | None
    before: Sample | None = None
    after: Sample | None = None
    caption: tuple[str, ...] = ()
    failure: str = ""

    @property
    def samples(self) -> list[Sample]:
        """Those that are there."""
        return [sample for sample in (self.before, self.after) if sample is not None]


def look_at(
    dataset: SampleSource, picks: Sequence[tuple[int, int]], augment: Augment | None
) -> list[Shown]:
    """Read samples, and augment them as training with the same seed would.

    Args:
        dataset: where they come from.
        picks: index and epoch of each.
        augment: what to do to them; None shows them as they are.

    Returns:
        One for each pick. A sample that cannot be read, or that the recipe fails on, says so.
    """
    return [_look_at(dataset, index, epoch, augment) for index, epoch in picks]


def _look_at(dataset: SampleSource, index: int, epoch: int, augment: Augment | None) -> Shown:
    try:
        before = dataset.load(index)
    except DataError as error:
        return Shown(index, None if augment is None else epoch, failure=str(error))
    if augment is None:
        return Shown(index, None, before)
    at = augment.at_epoch(epoch)
    try:
        plan = at.plan(index)
        if plan is None:
            return Shown(index, epoch, before, failure="dropped by the recipe")
        lines = tuple(caption(at.recipe, plan.params))
        return Shown(index, epoch, before, at.apply(at.load(plan)), lines)
    except DataError as error:
        return Shown(index, epoch, before, failure=str(error))
