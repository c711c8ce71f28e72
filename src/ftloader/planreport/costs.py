"""Cost models by name, and budgets in their units."""

from __future__ import annotations

from typing import NamedTuple

from ftloader.batching import CostModel, HostBytes, PaddedPixels
from ftloader.batching.budgets import parse_budget
from ftloader.batching.model_files import (
    STANDARD_MODELS,
    CostFile,
    load_model,
    standard_file,
)
from ftloader.errors import PlanError


class Cost(NamedTuple):
    """A cost model and what it counts, in words."""

    model: CostModel
    counts: str


def find_cost(name: str) -> Cost:
    """Return a cost model.

    Args:
        name: ``pixels``, ``host``, a model that comes with the package, or a .json file.

    Raises:
        DataError: the file is no cost model.
        PlanError: there is no model of that name.
    """
    if name == "pixels":
        return Cost(PaddedPixels(), "padded pixels")
    if name == "host":
        return Cost(HostBytes(), "host memory of a padded uint8 batch")
    if name in STANDARD_MODELS:
        return _measured(standard_file(name), name)
    if name.lower().endswith(".json"):
        return _measured(load_model(name), name)
    known = ", ".join(("pixels", "host", *STANDARD_MODELS))
    raise PlanError(
        f"plan: there is no cost model {name!r}; choose one of {known}, or a .json file of your own"
    )


def read_budget(text: str, name: str, model: CostModel) -> float | None:
    """Return what a batch may cost, in the model's units; None if nothing was said.

    Args:
        text: as typed.
        name: of the model, for messages.
        model: what costs are counted with.

    Raises:
        PlanError: it is no budget, or counts something else than the model.
    """
    if not text:
        return None
    found = parse_budget(text, model.unit)
    if found.unit == model.unit:
        return float(found.value)
    remedy = "choose a model that counts bytes: --cost rcnn, detr, host or a .json file"
    if model.unit == "bytes":
        remedy = "give a budget such as 6GiB, or leave --cost out"
    raise PlanError(
        f"plan: --budget {text} is in {found.unit}, but --cost {name} counts {model.unit}; {remedy}"
    )


def _measured(file: CostFile, name: str) -> Cost:
    known = file.provenance
    facts = [known.name, known.dtype, f"measured on {known.device}" if known.device else ""]
    if known.observations:
        facts.append(f"wrong by up to {100 * known.worst_error:.1f} % there")
    described = ", ".join(fact for fact in facts if fact)
    counts = f"memory of a training step, by {name}{f' ({described})' if described else ''}"
    if name in STANDARD_MODELS:
        counts += "; for a first plan only, calibrate your own step to rely on it"
    return Cost(file.model, counts)
