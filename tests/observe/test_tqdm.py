"""With tqdm itself: it draws our bars, and understands a pipeline that has no length."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import tqdm

from ftloader import Pipeline
from ftloader.observe.progress import default_bar, progress


@pytest.fixture(autouse=True)
def no_monitor_thread(no_thread_left: None) -> Iterator[None]:
    before, tqdm.tqdm.monitor_interval = tqdm.tqdm.monitor_interval, 0
    yield
    tqdm.tqdm.monitor_interval = before


def double(x: int) -> int:
    return 2 * x


def test_it_is_used_where_it_is_installed() -> None:
    assert default_bar() is tqdm.tqdm
    out = io.StringIO()
    items = list(progress(Pipeline(range(100)).pipe(double), file=out, description="train"))
    assert items == list(range(0, 200, 2))
    last = out.getvalue().split("\r")[-1]
    assert last.startswith("train: 100%|")
    assert "100/100" in last
    assert "bottleneck" in last


def test_tqdm_around_a_pipeline_yields_its_items() -> None:
    out = io.StringIO()
    pipeline: Any = Pipeline(range(100)).pipe(double)
    assert list(tqdm.tqdm(pipeline, file=out)) == list(range(0, 200, 2))
    endless: Any = Pipeline(itertools.count)
    bar = tqdm.tqdm(endless, file=out)
    assert bar.total is None
    assert list(itertools.islice(bar, 3)) == [0, 1, 2]
    bar.close()
