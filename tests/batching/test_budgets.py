"""Memory budgets: text that is read, and what a host leaves to a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ftloader.batching.budgets import Budget, host_budget, parse_budget
from ftloader.errors import PlanError

GIB = 1 << 30


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 GiB available and no limits."""
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    write(tmp_path, "proc/meminfo", f"MemTotal: 9999999 kB\nMemAvailable: {8 << 20} kB\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6GiB", (6 * GIB, "bytes")),
        ("800MB", (800_000_000, "bytes")),
        ("8.6Mpx", (8_600_000, "pixels")),
        (" 1.5 kib ", (1536, "bytes")),
        ("0.001kB", (1, "bytes")),
        ("7px", (7, "pixels")),
        ("2tb", (2 * 10**12, "bytes")),
        ("0.1GB", (100_000_000, "bytes")),  # exact, not 100000000.00000001
        ("4096", (4096, "bytes")),
        (4096, (4096, "bytes")),
        (10**30, (10**30, "bytes")),
    ],
)
def test_a_budget_is_read(text: str | int, expected: tuple[int, str]) -> None:
    assert parse_budget(text) == expected


def test_a_number_without_a_unit_counts_what_the_model_counts() -> None:
    assert parse_budget(9, unit="pixels") == (9, "pixels")
    assert parse_budget("9", unit="pixels") == (9, "pixels")
    assert parse_budget("9B", unit="pixels") == (9, "bytes")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a number and a unit such as 6GiB"),
        ("GiB", "a number and a unit"),
        ("-1GB", "a number and a unit"),
        ("1e9", "a number and a unit"),
        ("1_000", "a number and a unit"),
        ("٣GB", "a number and a unit"),
        ("1.GB", "a number and a unit"),
        ("6G", r"6G.*GB \(powers of 1000\) or GiB \(powers of 1024\)\?"),
        ("6 apples", "no unit 'apples'; known are B, kB"),
        ("0", "nothing fits into 0 bytes"),
        ("0.4px", "nothing fits into 0 pixels"),
        (-5, "a number and a unit"),
        (True, "a whole number or text"),
        (1.5, "a whole number or text"),
        (None, "a whole number or text"),
    ],
)
def test_what_is_no_budget_is_refused_with_a_hint(text: object, words: str) -> None:
    with pytest.raises(PlanError, match=words) as caught:
        parse_budget(text)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_unknown_unit_of_the_model_is_refused() -> None:
    with pytest.raises(PlanError, match="bytes or pixels, not 'tokens'"):
        parse_budget(1, unit="tokens")


def test_without_limits_the_budget_is_half_of_what_is_available(root: Path) -> None:
    found = host_budget(root=str(root))
    assert found == Budget(4 * GIB, found.source, {"MemAvailable": 8 * GIB})
    assert found.source == f"0.5 of {8 * GIB} bytes left by MemAvailable"


def test_the_tightest_limit_counts_and_all_are_told(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/job\n")
    write(root, "sys/fs/cgroup/job/memory.max", f"{3 * GIB}\n")
    write(root, "sys/fs/cgroup/job/memory.current", f"{GIB}\n")
    write(root, "proc/self/status", "VmSize: 1024 kB\nVmData: 512 kB\n")
    write(root, "proc/self/limits", f"Max address space         {6 * GIB} {6 * GIB} bytes\n")
    found = host_budget(1.0, root=str(root))
    assert found.bytes == 2 * GIB
    assert "left by /sys/fs/cgroup/job" in found.source
    assert found.candidates == {
        "MemAvailable": 8 * GIB,
        "/sys/fs/cgroup/job": 2 * GIB,
        "RLIMIT_AS": 6 * GIB - (1 << 20),
    }


def test_processes_of_one_machine_share(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host_budget(local_world_size=4, root=str(root)).bytes == GIB
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    found = host_budget(root=str(root))
    assert found.bytes == 2 * GIB
    assert "shared by 2 processes" in found.source


def test_a_reserve_is_left(root: Path) -> None:
    found = host_budget(reserve=GIB, root=str(root))
    assert found.bytes == 3 * GIB
    assert found.source.endswith(f"less {GIB}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fraction": 0.0}, "above 0 and up to 1"),
        ({"fraction": 1.1}, "above 0 and up to 1"),
        ({"fraction": float("nan")}, "above 0 and up to 1"),
        ({"local_world_size": 0}, "at least 1"),
        ({"reserve": -1}, "reserve"),
        ({"reserve": 5 * GIB}, "no memory left"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, float], words: str, root: Path
) -> None:
    with pytest.raises(PlanError, match=words):
        host_budget(**options, root=str(root))  # type: ignore[arg-type]


def test_a_broken_environment_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "two")
    with pytest.raises(PlanError, match="LOCAL_WORLD_SIZE must be a number of processes"):
        host_budget(root=str(root))


def test_where_nothing_is_known_the_user_is_asked(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="give the budget itself"):
        host_budget(local_world_size=1, root=str(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_has_a_budget() -> None:
    found = host_budget(local_world_size=1)
    assert found.candidates["MemAvailable"] > 0
    assert 0 < found.bytes <= min(found.candidates.values()) * 0.5
