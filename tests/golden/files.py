"""Reads and writes ``transforms.npz``: arrays called ``case/sample/field``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.golden.outcome import Outcome, pack, unpack

FOLDER = Path(__file__).parent
TRANSFORMS = FOLDER / "transforms.npz"
MASKS = FOLDER / "masks.npz"


def write_outcomes(outcomes: dict[str, Outcome]) -> None:
    """Write results by ``case/sample``."""
    arrays = {
        f"{name}/{field}": array
        for name, outcome in outcomes.items()
        for field, array in pack(outcome).items()
    }
    np.savez_compressed(TRANSFORMS, **arrays)


def read_outcomes() -> dict[str, Outcome]:
    """Return results by ``case/sample``."""
    grouped: dict[str, dict[str, np.ndarray]] = {}
    with np.load(TRANSFORMS) as file:
        for key in file.files:
            name, _, field = key.rpartition("/")
            grouped.setdefault(name, {})[field] = file[key]
    return {name: unpack(arrays) for name, arrays in grouped.items()}
