"""Cost models as files: what is written is read, and nothing else is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.batching import DeviceBytes, Load
from ftloader.batching.fitting import fit
from ftloader.batching.model_files import (
    STANDARD_MODELS,
    Provenance,
    load_model,
    parse_model,
    provenance_of,
    save_model,
    standard_file,
    standard_model,
)
from ftloader.errors import DataError, PlanError

sizes = st.floats(0, 1e300)
models = st.builds(
    DeviceBytes,
    *[sizes] * 8,
    anchors=st.integers(1, 50),
    strides=st.lists(st.integers(1, 512), min_size=1, max_size=6).map(tuple),
)
json_values = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        1.5,
        10**400,
        math.inf,
        math.nan,
        "",
        "x",
        "\n",
        [],
        [1],
        ["a"],
        {},
        {"": 1},
    ]
)
steady = settings(deadline=None, derandomize=True)


def content(model: DeviceBytes, folder: Path) -> dict[str, Any]:
    save_model(folder / "model.json", model)
    found: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return found


def read(changed: Any) -> object:
    return parse_model(json.dumps(changed).encode(), "x.json")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return content(DeviceBytes(pixels=3.5, strides=(8, 32)), tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written") / "model.json"


@steady
@given(model=models, name=st.text(max_size=20), error=st.floats(0, 1))
def test_a_model_is_read_as_it_was_written(
    model: DeviceBytes, name: str, error: float, target: Path
) -> None:
    known = Provenance(name=name, device="cpu", observations=27, worst_error=error)
    save_model(target, model, known)
    first = target.read_bytes()
    found = load_model(target)
    assert (found.model, found.provenance) == (model, known)
    save_model(target, found.model, found.provenance)
    assert target.read_bytes() == first


def test_a_provenance_takes_its_figures_from_the_fit() -> None:
    fitted = fit([Load(n, 64, 64, 0, 0) for n in (1, 2, 3, 5)], [1e6, 2e6, 3e6, 4e6])
    known = provenance_of(fitted, name="small", dtype="float32")
    assert (known.observations, known.name, known.dtype) == (4, "small", "float32")
    assert known.worst_error == pytest.approx(fitted.worst_left_out, abs=1e-4)


@steady
@given(data=st.binary(max_size=60))
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match=r"x\.json"):
        parse_model(data, "x.json")


@steady
@given(place=st.integers(0, 30), value=json_values)
def test_any_value_in_any_place_is_read_or_refused(
    place: int, value: Any, plain: dict[str, Any]
) -> None:
    changed = json.loads(json.dumps(plain))
    places = [(changed, key) for key in changed]
    places += [(changed[part], key) for part in ("model", "provenance") for key in changed[part]]
    holder, key = places[place % len(places)]
    holder[key] = value
    try:
        read(changed)
        said = "x.json"
    except DataError as error:
        said = str(error)
    assert "x.json" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        (None, "schema", ["ftloader.cost", 2], r"schema must be \['ftloader.cost', 1\]"),
        (None, "extra", 1, "unknown: 'extra'"),
        (None, "model", [], "model: must be an object, not list"),
        ("model", "pixels", "3", "pixels must be a number"),
        ("model", "pixels", True, "pixels must be a number"),
        ("model", "pixels", -1.0, "pixels must be a number from 0 on"),
        ("model", "pixels", 10**400, "pixels is too large"),
        ("model", "pixel", 1.0, "unknown: 'pixel'"),
        ("model", "strides", [], "strides must be from 1 on"),
        ("model", "strides", [8.0], "strides must be a list of whole numbers"),
        ("model", "anchors", 1.5, "anchors must be a whole number"),
        ("provenance", "observations", "27", "observations must be of type int"),
    ],
)
def test_the_message_names_what_is_wrong(
    part: str | None, key: str, value: Any, words: str, plain: dict[str, Any]
) -> None:
    changed = json.loads(json.dumps(plain))
    (changed if part is None else changed[part])[key] = value
    with pytest.raises(DataError, match=words):
        read(changed)


@pytest.mark.parametrize("key", ["schema", "model", "provenance"])
def test_a_missing_part_is_refused(key: str, plain: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=key):
        read({name: value for name, value in plain.items() if name != key})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"schema": NaN}', "NaN is not a number"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b" " * (1 << 20) + b"{}", "longer than"),
        (b"[]", "not 'list'"),
    ],
)
def test_what_is_not_such_a_file_at_all_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        parse_model(data, "x.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.json.*cannot be read"):
        load_model(tmp_path / "nothing.json")


@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_standard_models_come_from_measurements_and_say_so(name: str) -> None:
    found = standard_file(name)
    assert standard_model(name) == found.model
    assert found.provenance.observations >= 10
    assert "Not in it" in found.provenance.notes
    # A network of some 40 million parameters, their gradients and optimizer state, in float32.
    assert 100e6 < found.model.fixed < 2e9
    # Between a small part and ten times what its activations can be: 500 to 10 000 bytes a pixel.
    assert 500 < found.model.pixels < 10_000


def test_an_unknown_standard_model_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(PlanError, match=r"no standard cost model 'yolo'; there are detr, rcnn"):
        standard_model("yolo")
