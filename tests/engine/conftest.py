"""Guards for tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def no_second_look() -> Iterator[None]:
    """Let waits last for minutes, so that a lost wake-up is a hang and not a short delay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ftloader.engine.state.POLL", 600)
        yield
