"""Cost models as files: versioned JSON with the coefficients and where they come from.

Reading is strict: an unknown version, a missing, unknown or impossible value is refused, because a
wrong coefficient shows only when memory runs out. Models of two common kinds of detectors come with
the package.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Final, NoReturn

from ftloader.batching.cost import TERMS, DeviceBytes
from ftloader.batching.fitting import Fitted
from ftloader.errors import DataError, PlanError

SCHEMA: Final = ["ftloader.cost", 1]
#: Names that :func:`standard_model` knows.
STANDARD_MODELS: Final = ("detr", "rcnn")
#: No cost model is this long; a file that is, is something else.
_MOST_BYTES: Final = 1 << 20
_COEFFICIENTS: Final = (*TERMS, "margin")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a cost model comes from; every text may be empty.

    Attributes:
        name: of the network.
        device: that it was measured on.
        torch: version.
        dtype: of the activations.
        date: of the measurement, ISO 8601.
        observations: how many steps it was fitted to.
        worst_error: largest relative error on one of them when it was left out of the fit.
        notes: what was measured and what is not in it.
    """

    name: str = ""
    device: str = ""
    torch: str = ""
    dtype: str = ""
    date: str = ""
    observations: int = 0
    worst_error: float = 0.0
    notes: str = ""


@dataclass(frozen=True, slots=True)
class CostFile:
    """What a cost model file holds."""

    model: DeviceBytes
    provenance: Provenance


def save_model(path: Path | str, model: DeviceBytes, provenance: Provenance | None = None) -> None:
    """Write a model to a file; the same model and provenance give the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    provenance = Provenance() if provenance is None else provenance
    content = {"schema": SCHEMA, "model": asdict(model), "provenance": asdict(provenance)}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    Path(path).write_text(text, encoding="utf-8")


def load_model(path: Path | str) -> CostFile:
    """Read a model from a file.

    Raises:
        DataError: the file cannot be read, or is not a cost model of a version known here.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cost model {str(path)!r} cannot be read: {error}") from error
    return parse_model(content, str(path))


def standard_model(name: str) -> DeviceBytes:
    """Return a model that comes with the package, for a first plan before there is one's own.

    ``"rcnn"``: Faster R-CNN, ResNet-50 and FPN. ``"detr"``: a ResNet-50 with 6 + 6 transformer
    layers. :func:`standard_file` has what was measured, on what, and what is not in it.

    Raises:
        PlanError: there is no such model.
    """
    return standard_file(name).model


def standard_file(name: str) -> CostFile:
    """Return a model that comes with the package together with its provenance.

    Raises:
        PlanError: there is no such model.
    """
    if name not in STANDARD_MODELS:
        raise PlanError(f"no standard cost model {name!r}; there are {', '.join(STANDARD_MODELS)}")
    file = resources.files("ftloader.batching") / "models" / f"{name}.json"
    return parse_model(file.read_bytes(), f"{name}.json")


def provenance_of(fitted: Fitted, **known: Any) -> Provenance:
    """Return a provenance with the figures of a fit; ``known`` are the other fields."""
    return Provenance(
        observations=fitted.observations, worst_error=round(fitted.worst_left_out, 4), **known
    )


def parse_model(content: bytes, where: str) -> CostFile:
    """Read a model from the bytes of a file; ``where`` names it in messages.

    Raises:
        DataError: it is not a cost model of a version known here.
    """
    place = f"cost model {where!r}"
    if len(content) > _MOST_BYTES:
        raise DataError(f"{place}: longer than {_MOST_BYTES} bytes, so it is something else")
    try:
        found = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError too
        raise DataError(f"{place}: not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        schema = found.get("schema") if isinstance(found, dict) else type(found).__name__
        raise DataError(f"{place}: its schema must be {SCHEMA}, not {schema!r:.80}")
    _require_keys(found, {"schema", "model", "provenance"}, place)
    return CostFile(_model(found["model"], place), _provenance(found["provenance"], place))


def _model(found: Any, place: str) -> DeviceBytes:
    place = f"{place}, model"
    _require_keys(found, {field.name for field in fields(DeviceBytes)}, place)
    factors = {name: _number(found[name], name, place) for name in _COEFFICIENTS}
    strides, anchors = found["strides"], found["anchors"]
    if not isinstance(strides, list) or not all(type(value) is int for value in strides):
        raise DataError(f"{place}: strides must be a list of whole numbers")
    if type(anchors) is not int:
        raise DataError(f"{place}: anchors must be a whole number")
    try:
        return DeviceBytes(**factors, anchors=anchors, strides=tuple(strides))
    except PlanError as error:
        raise DataError(f"{place}: {error}") from error


def _provenance(found: Any, place: str) -> Provenance:
    place = f"{place}, provenance"
    _require_keys(found, {field.name for field in fields(Provenance)}, place)
    for field in fields(Provenance):
        value = found[field.name]
        kinds = {"str": (str,), "int": (int,), "float": (int, float)}[str(field.type)]
        if type(value) not in kinds:
            raise DataError(f"{place}: {field.name} must be of type {field.type}")
    return Provenance(**found)


def _require_keys(found: Any, names: set[str], place: str) -> None:
    if not isinstance(found, dict):
        raise DataError(f"{place}: must be an object, not {type(found).__name__}")
    for kind, odd in (("missing", names - set(found)), ("unknown", set(found) - names)):
        if odd:
            raise DataError(f"{place}: {kind}: {', '.join(map(repr, sorted(odd)))[:200]}")


def _number(value: Any, name: str, place: str) -> float:
    if type(value) not in (int, float):
        raise DataError(f"{place}: {name} must be a number")
    try:
        return float(value)
    except OverflowError as error:
        raise DataError(f"{place}: {name} is too large") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that can be used")
