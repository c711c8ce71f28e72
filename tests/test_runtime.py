"""Facts about memory, read from trees of files as kernels and containers make them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ftloader import runtime

#: What cgroup v1 writes for "no limit".
V1_NO_LIMIT = str((1 << 63) - 4096)


def group(folder: Path, limit: str, used: int, inactive: int = 0, version: int = 2) -> None:
    limit_name, used_name, stat = {
        2: ("memory.max", "memory.current", f"anon 5\ninactive_file {inactive}\n"),
        1: (
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            f"inactive_file 1\ntotal_inactive_file {inactive}\n",
        ),
    }[version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit_name).write_text(f"{limit}\n")
    (folder / used_name).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(stat)


def of_process(root: Path, text: str) -> str:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(text)
    return str(root)


def test_a_v2_group_leaves_its_limit_less_what_cannot_be_dropped(tmp_path: Path) -> None:
    root = of_process(tmp_path, "0::/job\n")
    group(tmp_path / "sys/fs/cgroup/job", "1000", used=700, inactive=200)
    assert runtime.cgroup_memory_left(root) == {"/sys/fs/cgroup/job": 500}


def test_all_groups_above_limit_a_nested_one(tmp_path: Path) -> None:
    root = of_process(tmp_path, "0::/slice/pod/job\n")
    top = tmp_path / "sys/fs/cgroup"
    group(top / "slice", "5000", used=4900)
    group(top / "slice/pod", "max", used=800)
    group(top / "slice/pod/job", "1000", used=700)
    assert runtime.cgroup_memory_left(root) == {
        "/sys/fs/cgroup/slice/pod/job": 300,
        "/sys/fs/cgroup/slice": 100,
    }


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    # The path is the host's; in the container's own mount there is only the top.
    root = of_process(tmp_path, "0::/../../pods/xyz\n")
    group(tmp_path / "sys/fs/cgroup", "1000", used=100)
    assert runtime.cgroup_memory_left(root) == {"/sys/fs/cgroup": 900}


def test_a_v1_group_is_read_too(tmp_path: Path) -> None:
    root = of_process(tmp_path, "7:cpu,cpuacct:/\n4:memory:/docker/abc\n1:name=systemd:/a:b\n")
    top = tmp_path / "sys/fs/cgroup/memory"
    group(top, V1_NO_LIMIT, used=10**9, version=1)
    group(top / "docker/abc", "2000", used=1500, inactive=100, version=1)
    assert runtime.cgroup_memory_left(root) == {"/sys/fs/cgroup/memory/docker/abc": 600}


def test_v1_and_v2_side_by_side_are_both_read(tmp_path: Path) -> None:
    root = of_process(tmp_path, "4:memory:/job\n0::/job\n")
    group(tmp_path / "sys/fs/cgroup/memory/job", "1000", used=1, version=1)
    group(tmp_path / "sys/fs/cgroup/unified/job", "1000", used=2)
    assert runtime.cgroup_memory_left(root) == {
        "/sys/fs/cgroup/memory/job": 999,
        "/sys/fs/cgroup/unified/job": 998,
    }


@pytest.mark.parametrize("limit", ["max", V1_NO_LIMIT])
def test_no_limit_is_none(limit: str, tmp_path: Path) -> None:
    root = of_process(tmp_path, "0::/\n4:memory:/\n")
    group(tmp_path / "sys/fs/cgroup", limit, used=1)
    group(tmp_path / "sys/fs/cgroup/memory", limit, used=1, version=1)
    assert runtime.cgroup_memory_left(root) == {}


def test_no_groups_at_all_are_none(tmp_path: Path) -> None:
    assert runtime.cgroup_memory_left(str(tmp_path)) == {}


def test_what_is_left_is_never_negative_nor_more_than_the_limit(tmp_path: Path) -> None:
    root = of_process(tmp_path, "0::/over/under\n")
    group(tmp_path / "sys/fs/cgroup/over", "1000", used=1200)
    group(tmp_path / "sys/fs/cgroup/over/under", "1000", used=100, inactive=300)
    assert set(runtime.cgroup_memory_left(root).values()) == {0, 1000}


def test_limits_of_the_process_leave_what_it_has_not_taken(tmp_path: Path) -> None:
    root = of_process(tmp_path, "")
    (tmp_path / "proc/self/status").write_text("Name:\tx\nVmSize:\t    300 kB\nVmData:\t  100 kB\n")
    (tmp_path / "proc/self/limits").write_text(
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max data size             unlimited            unlimited            bytes     \n"
        "Max address space         1024000              unlimited            bytes     \n"
    )
    assert runtime.process_memory_left(root) == {"RLIMIT_AS": 1024000 - 300 * 1024}


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert runtime.memory_available(str(tmp_path)) is None
    assert runtime.process_memory_left(str(tmp_path)) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_has_less_available_than_it_has() -> None:
    available, total = runtime.memory_available(), runtime.memory_total()
    assert available is not None
    assert total is not None
    assert 0 < available <= total
    assert all(left >= 0 for left in runtime.cgroup_memory_left().values())
