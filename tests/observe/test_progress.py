"""The progress bar: the items unchanged, the length where it is known, a line that can be read."""

from __future__ import annotations

import io
import itertools
import sys
from typing import Any

import pytest

from ftloader import Pipeline, StageError
from ftloader.observe.progress import Line, Progress, default_bar, progress

pytestmark = pytest.mark.usefixtures("no_thread_left")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def double(x: int) -> int:
    return 2 * x


def quiet(items: Any, **options: Any) -> Progress[Any]:
    return progress(items, file=io.StringIO(), bar=Line, **options)


def test_it_yields_the_items_of_a_pipeline_or_of_a_run() -> None:
    pipeline = Pipeline(range(100)).pipe(double)
    assert list(quiet(pipeline)) == list(pipeline)
    with pipeline.run() as run:
        assert list(quiet(run)) == list(pipeline)


def test_its_length_is_the_pipelines_or_the_one_given_and_it_is_always_true() -> None:
    assert len(quiet(Pipeline(range(100)).aggregate(8))) == 13
    assert len(quiet(Pipeline(itertools.count), total=7)) == 7
    assert quiet(Pipeline([]))
    unknown = quiet(Pipeline(itertools.count))
    assert unknown
    assert unknown.total is None
    with pytest.raises(TypeError, match="cannot be known"):
        len(unknown)


def test_leaving_the_loop_ends_the_run_and_finishes_the_line() -> None:
    out = io.StringIO()
    shown = iter(progress(Pipeline(itertools.count).pipe(double), file=out, bar=Line))
    assert [next(shown) for _ in range(3)] == [0, 2, 4]
    shown.close()  # type: ignore[attr-defined]  # as a dropped generator does
    assert out.getvalue().startswith("2 items")


def test_a_run_of_somebody_elses_is_not_ended() -> None:
    with Pipeline(itertools.count).pipe(double).run() as run:
        assert list(itertools.islice(quiet(run), 3)) == [0, 2, 4]
        assert next(run) == 6


def test_an_error_passes_through() -> None:
    with pytest.raises(StageError):
        list(quiet(Pipeline([1, None]).pipe(double)))


def test_it_says_what_limited_the_run() -> None:
    out = io.StringIO()
    list(progress(Pipeline(range(100)).pipe(double), file=out, bar=Line, description="train"))
    (line,) = out.getvalue().splitlines()
    assert line.startswith("train: 100 of 100 (100 %) items, ")
    assert "bottleneck" in line


def test_without_tqdm_it_draws_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "tqdm", None
    )  # what Python does for a module that is not there
    assert default_bar() is Line


def test_on_a_terminal_one_line_is_rewritten_and_never_wraps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out, now = Terminal(), itertools.count(0, 1.0)
    line = Line(10, "train", out, lambda: next(now))
    for _ in range(3):
        line.update()
    line.set_postfix_str("bottleneck 'a stage with a very long name' (100 % busy)")
    line.set_postfix_str("")
    line.close()
    drawn = out.getvalue()
    assert drawn.endswith("\n")
    assert drawn.count("\n") == 1
    texts = drawn.rstrip("\n").split("\r")[1:]
    assert texts[0] == "train: 1 of 10 (10 %) items, 1.0/s, 1 s"
    assert all(len(text) < 40 for text in texts)


def test_elsewhere_a_line_is_printed_now_and_then() -> None:
    out, now = io.StringIO(), itertools.count(0, 4.0)
    line = Line(None, None, out, lambda: next(now))
    for _ in range(7):
        line.update()
    line.close()
    assert out.getvalue().splitlines() == [
        "3 items, 0.2/s, 12 s",
        "6 items, 0.2/s, 24 s",
        "7 items, 0.2/s, 32 s",
    ]


def test_the_time_left_is_told_where_the_length_is_known() -> None:
    out, now = io.StringIO(), itertools.count(0, 5.0)
    line = Line(4, None, out, lambda: next(now))
    line.update()
    line.update()
    assert out.getvalue() == "2 of 4 (50 %) items, 0.2/s, 10 s, 10 s left\n"
