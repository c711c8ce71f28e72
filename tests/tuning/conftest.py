"""Guards for tests of tuning: nothing that was measured for one test serves another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ftloader.tuning import auto


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    auto._cache.forget()
    yield
    auto._cache.forget()
