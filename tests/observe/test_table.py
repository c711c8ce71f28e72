"""The table: shares that add up, columns that fit, and nothing that need not be said."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.engine.stats import RunStats
from ftloader.observe import table as module
from ftloader.observe.table import rate, seconds, shares, size, table, wants_colour

from .made import run_of, source, station

TIMES = st.floats(0, 1e9, allow_nan=False) | st.just(0.0)


@given(st.lists(TIMES, min_size=1, max_size=6))
def test_shares_are_whole_add_up_to_100_and_are_less_than_one_off(parts: list[float]) -> None:
    total = sum(parts)
    split = shares(parts)
    if total == 0:
        assert split is None
        return
    assert split is not None
    assert sum(split) == 100
    for part, share in zip(parts, split, strict=True):
        assert abs(share - 100 * part / total) < 1 + 1e-9
        assert part > 0 or share == 0


def test_what_rounding_leaves_over_goes_to_the_largest_remainder() -> None:
    assert shares([1, 1, 1]) == [34, 33, 33]
    assert shares([2, 996, 2]) == [0, 100, 0]
    assert shares([0.006, 0.006, 0.988]) == [1, 0, 99]


def test_each_stage_has_a_row_whose_printed_shares_add_up_to_100() -> None:
    stats = run_of(
        source(),
        station("decode", 4, busy=0.333, starved=0.333, blocked=0.333, p50=4.1e-3, p99=9.8e-3),
    )
    header, first, second, reader = table(stats).splitlines()
    assert header.split() == ["stage", "×", "items/s", "busy", "starved", "blocked", "p50", "p99"]
    assert re.split("  +", first) == ["source", "1", "100", "2 %", "0 %", "98 %", "–", "–"]
    assert re.split("  +", second) == [
        "decode",
        "4",
        "100",
        "34 %",
        "33 %",
        "33 %",
        "4.1 ms",
        "9.8 ms",
    ]
    assert reader == "reader: 1,000 items in 10 s (100/s); waited 95 %, at work 5 %"


@given(
    names=st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=5),
    peak=st.integers(0, 1 << 49),
    items=st.integers(0, 10**12),
)
def test_rows_fit_80_columns_whatever_the_names_and_numbers(
    names: list[str], peak: int, items: int
) -> None:
    names = [" ".join(name.split()) or "x" for name in names]
    stages = [
        station(
            name, 999, busy=1, items_out=items, p50=0.9996, p99=123.4,
            bytes_peak=peak, bytes_held=peak,
        )
        for name in names
    ]  # fmt: skip
    lines = table(run_of(source(), *stages)).split("\n")
    assert all(len(line) <= 80 for line in lines[: 2 + len(names)])


def test_bytes_are_shown_only_where_they_are_counted() -> None:
    assert "held" not in table(run_of(source()))
    stats = run_of(
        source(),
        station("decode", bytes_held=12 << 20, bytes_peak=340 << 20),
        memory_budget=1 << 30,
    )
    text = table(stats)
    assert text.splitlines()[0].endswith("held/peak")
    assert "12/340 MiB" in text
    assert text.endswith("memory budget: 1.0 GiB")


def test_failures_and_blocking_calls_are_told_only_where_there_were_any() -> None:
    quiet = table(run_of(source(), station("decode")))
    assert len(quiet.splitlines()) == 4
    stats = run_of(
        source(),
        station("fetch", 8, kind="coroutine", retries=5, blocking_calls=2, blocking_longest=0.31),
        station("decode", failures=3, skipped=3),
    )
    assert table(stats).splitlines()[-3:] == [
        "fetch: 5 retries",
        "fetch: held up the event loop 2 times, at most for 310 ms",
        "decode: 3 failed, 3 skipped",
    ]


def test_what_was_not_measured_is_a_dash() -> None:
    stats = RunStats((station("decode"),), 0.0)
    assert table(stats).splitlines()[1].split() == ["decode", "1", *"––––––"]
    assert table(stats).splitlines()[2] == "reader: 0 items"


def test_colour_changes_nothing_but_the_colour() -> None:
    stats = run_of(source(), station("decode", busy=1))
    coloured = table(stats, colour=True, highlight="decode")
    assert coloured.splitlines()[2].startswith("\x1b[1mdecode")
    assert re.sub(r"\x1b\[\d+m", "", coloured) == table(stats)


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "–"),
        (60e-9, "60 ns"),
        (999e-9, "999 ns"),
        (0.99999e-6, "1.0 µs"),
        (0.0041, "4.1 ms"),
        (0.0099, "9.9 ms"),
        (0.00999, "10 ms"),
        (0.9996, "1.0 s"),
        (3600, "3600 s"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(value: float, text: str) -> None:
    assert seconds(value) == text


def test_rates_and_sizes_are_short() -> None:
    assert [rate(n, 1.0) for n in (0, 3, 812, 12_345, 2_345_678)] == [
        "0.0", "3.0", "812", "12,345", "2.35M",
    ]  # fmt: skip
    assert rate(1, 0.0) == module.NONE
    assert [size(n) for n in (0, 512, 2048, 3 << 30)] == ["0.0 B", "512 B", "2.0 KiB", "3.0 GiB"]


def test_the_documented_example_is_such_a_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```text\n(stage .*?)```", text, re.DOTALL)
    header, *rows = example.partition("\nreader: ")[0].splitlines()
    assert header.split() == table(run_of(source())).split("\n")[0].split()
    for row in rows:
        assert sum(int(share) for share in re.findall(r"(\d+) %", row)) == 100
    for column in [*header.split()[1:], "held/peak"]:
        assert f"| `{column}` |" in text
