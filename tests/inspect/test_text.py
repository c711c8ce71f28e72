from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.inspect import Problem, statistics
from ftloader.inspect.layout import Style, bar, bars, number, percent, table
from ftloader.inspect.problems import Example
from ftloader.inspect.text import as_text

from .made import entry, index

ENTRIES = [entry(n, 10 + n % 3, [n, n, 5 + 7 * n, 9 + n], category_id=1 + n % 2) for n in range(9)]
FIGURES = statistics(index(ENTRIES, [(640, 480), (480, 640), (333, 500), (20, 20)]))
PLACE = Example(2, "a/rather/long/name/of/an/image.jpg", 12345678, "box 1.0, 2.0 to 3.0, 4.0")
PROBLEMS = [
    Problem("box_outside_frame", "wrong", 12345, "boxes that reach out of the image", (PLACE,) * 9),
    Problem("skipped_ignore", "skipped", 3, "annotations marked 'ignore'"),
    Problem("unused_class", "unusual", 1, "classes without any annotation",
            (Example(None, "hair drier", None, ""),)),
]  # fmt: skip


@pytest.mark.parametrize("width", [60, 79, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = as_text("data", FIGURES, PROBLEMS, Style(width))
    assert max(map(len, text.splitlines())) <= width


def test_the_text_says_what_there_is() -> None:
    text = as_text("data", FIGURES, PROBLEMS, Style(80))
    assert text.startswith("data: 4 images, 9 objects of 3 classes, 0 crowd regions\n")
    expected = [
        "box width, px",
        "640 x 480 (25 %)",
        "small  (area < 32²)",
        "hair drier",
        "12,345  boxes that reach out",
        "annotation 12345678",
        "… 12,342 more",
    ]
    for words in expected:
        assert words in text
    assert text.index("reach out") < text.index("'ignore'") < text.index("without any annotation")


def test_without_problems_it_says_so() -> None:
    assert as_text("data", FIGURES, [], Style()).endswith("Problems\n  none found")


@pytest.mark.parametrize("sizes", [[], [(10, 10)]])
def test_empty_data_are_described_too(sizes: list[tuple[int, int]]) -> None:
    text = as_text("data", statistics(index([], sizes)), [], Style())
    assert "0 objects" in text
    assert "nan" not in text


def test_colour_is_added_only_when_asked_for() -> None:
    plain = as_text("data", FIGURES, PROBLEMS, Style(80))
    coloured = as_text("data", FIGURES, PROBLEMS, Style(80, colour=True))
    assert "\x1b" not in plain
    for code in ("\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[0m"):
        assert code in coloured
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_many_classes_are_shown_by_the_frequent_and_the_rare() -> None:
    names = [f"class {n}" for n in range(60)]
    categories = [{"id": n, "name": name} for n, name in enumerate(names)]
    entries = [
        entry(100 * n + k, 10, [1, 1, 5, 5], category_id=n)
        for n in range(60)
        for k in range(60 - n)
    ]
    images = [{"id": 10, "file_name": "0.png", "width": 9, "height": 9}]
    made = index([], []).from_document(
        {"images": images, "annotations": entries, "categories": categories}
    )
    text = as_text("data", statistics(made), [], Style())
    assert "class 0 " in text
    assert "class 59 " in text
    assert "class 30 " not in text
    assert "… 43 more" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (3.0, "3"), (0.5, "0.50"), (0.0123, "0.012"), (12.34, "12.3"), (1234.5, "1,234"),
     (250_000, "250k"), (12_300_000, "12M")],
)  # fmt: skip
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 7, "0 %"), (1, 100_000, "< 0.1 %"), (1, 100, "1.0 %"), (1, 3, "33 %"), (1, 0, "–")],
)
def test_shares_are_never_rounded_to_nothing(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_tables_align_names_left_and_numbers_right() -> None:
    assert table([["a", "1"], ["bcd", "23"]]) == ["a     1", "bcd  23"]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**9), max_size=9), st.integers(30, 120))
def test_bars_fit_and_grow_with_their_counts(counts: list[int], width: int) -> None:
    lines = bars([(f"row {n}", count) for n, count in enumerate(counts)], sum(counts), width)
    assert len(lines) == len(counts)
    assert all(len(line) <= max(width, 30) for line in lines)
    filled = [sum(line.count(c) for c in "▏▎▍▌▋▊▉█") for line in lines]
    for count, cells in zip(counts, filled, strict=True):
        assert cells <= filled[counts.index(max(counts))]
        assert not (cells and not count)


def test_what_is_there_has_a_bar() -> None:
    assert bar(1e-9, 10) == "▏"
    assert bar(0, 10) == ""
    assert bar(1, 10) == "█" * 10
