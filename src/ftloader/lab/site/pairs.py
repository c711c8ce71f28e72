"""Which result sets of an experiment are compared: neighbours in time, the newest by machine."""

from __future__ import annotations

import itertools

from . import compare, ratios
from .compare import Comparison
from .find import Experiment


def of(experiment: Experiment) -> list[Comparison]:
    """Return the comparisons of an experiment, the oldest first.

    Sets that have no ratio in common are not compared.
    """
    sets = experiment.sets
    newest = sorted({one.machine: one for one in sets}.values(), key=lambda one: one.started)
    wanted = [*itertools.pairwise(sets), *itertools.combinations(newest, 2)]
    found: dict[tuple[str, str], Comparison] = {}
    for before, after in wanted:
        same = before.form == after.form
        if same and ratios.of(before).keys() & ratios.of(after).keys():
            key = (before.name, after.name)
            found[key] = found.get(key) or compare.compare(before, after)
    return list(found.values())
