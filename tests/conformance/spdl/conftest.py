"""The two that speak SPDL's vocabulary: SPDL itself, and the shim on the native engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import spdl.pipeline
import spdl.pipeline.defs

import ftloader.interop.spdl


@dataclass(frozen=True)
class Dialect:
    """One implementation of the vocabulary."""

    name: str
    PipelineBuilder: Any
    Aggregator: Any
    PipelineFailure: Any

    @property
    def is_ours(self) -> bool:
        return self.name == "shim"


SPDL = Dialect(
    "SPDL",
    spdl.pipeline.PipelineBuilder,
    spdl.pipeline.defs.Aggregator,
    spdl.pipeline.PipelineFailure,
)
SHIM = Dialect(
    "shim",
    ftloader.interop.spdl.PipelineBuilder,
    ftloader.interop.spdl.Aggregator,
    ftloader.interop.spdl.PipelineFailure,
)


#: SPDL, refused or stopped early, leaves coroutines behind that nobody awaits.
LITTER = pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(params=[pytest.param(SPDL, marks=LITTER, id="SPDL"), pytest.param(SHIM, id="shim")])
def dialect(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def shim() -> Dialect:
    return SHIM


@pytest.fixture
def real_spdl() -> Dialect:
    return SPDL
