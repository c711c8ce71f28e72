"""Sizes of samples after augmentation, from what is known before their pixels are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ftloader.errors import DataError
from ftloader.rng import Streams
from ftloader.sizes import Sizes

if TYPE_CHECKING:
    from ftloader.detection.augment import Augment

#: Index, draw, whether to follow the objects: width, height, boxes.
Foresee = Callable[[int, int, bool], tuple[int, int, int]]


def foreseen(
    augment: Augment, samples: ArrayLike | None, draws: ArrayLike | None, exact_boxes: bool
) -> Sizes:
    """Do the work of ``Augment.sizes``, which documents it."""
    indices = np.arange(len(augment)) if samples is None else np.asarray(samples)
    turns = np.zeros(len(indices), np.int64) if draws is None else np.asarray(draws)
    if len(turns) != len(indices):
        raise DataError(f"sizes: {len(indices)} samples, but {len(turns)} draws")
    found = np.zeros((len(indices), 3), np.int64)
    one = _quick(augment) if _needs_no_objects(augment, exact_boxes) else _thorough(augment)
    for row, which in enumerate(zip(indices.tolist(), turns.tolist(), strict=True)):
        found[row] = one(*which, exact_boxes)
    return Sizes.of(*found.T)


def _needs_no_objects(augment: Augment, exact_boxes: bool) -> bool:
    asked = exact_boxes or augment.recipe.reads_objects
    return not asked and hasattr(augment.dataset, "bare_info") and hasattr(augment.dataset, "sizes")


def _quick(augment: Augment) -> Foresee:
    """Look at sizes alone, of a data set that tells them apart from the objects."""
    dataset: Any = augment.dataset
    recipe, counts = augment.recipe, dataset.sizes().boxes.tolist()
    streams = Streams(augment.seed, augment.epoch)

    def foresee(index: int, draw: int, exact: bool) -> tuple[int, int, int]:
        try:
            info = dataset.bare_info(index)
            params = recipe.draw(streams.at(index, draw), info)
            if params is None:
                return 0, 0, 0
            boxes = counts[index] + sum(counts[partner] for partner in recipe.partners(params))
            return *recipe.output_size(info, params), boxes
        except Exception:
            # The same again, by the way on which every error names the sample.
            augment.plan(index, draw)
            raise

    return foresee


def _thorough(augment: Augment) -> Foresee:
    """Look at the objects too."""
    dataset, recipe = augment.dataset, augment.recipe

    def foresee(index: int, draw: int, exact: bool) -> tuple[int, int, int]:
        plan = augment.plan(index, draw)
        if plan is None:
            return 0, 0, 0
        info = dataset.sample_info(index)
        if exact:
            return *plan.size, len(recipe.info_after(info, plan.params).annotations)
        partners = [dataset.sample_info(partner) for partner in plan.partners]
        return *plan.size, sum(len(each.annotations) for each in (info, *partners))

    return foresee
