"""CPU sets: one logical CPU per physical core, held by every process of a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.errors import DataError, MeasurementError
from ftloader.lab import arms, cpus, inputs
from ftloader.lab.experiment import Inputs
from ftloader.lab.measure import QUICK
from ftloader.lab.orchestrate import ask
from ftloader.lab.worker import Job

TINY = Path(__file__).with_name("tiny.py")
SETS = st.frozensets(st.integers(0, 200), min_size=1)
PINS = hasattr(os, "sched_setaffinity")


def machine(root, siblings, name="core_cpus_list"):
    """Write the part of /sys that says which CPUs share a core."""
    for group in siblings:
        for cpu in group:
            folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(cpus.listed(group) + "\n", encoding="ascii")
    return str(root)


PAIRED = [(cpu, cpu + 8) for cpu in range(8)]


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_one_cpu_of_each_core_is_taken_and_the_first_core_left_to_the_system(tmp_path, name):
    root = machine(tmp_path, PAIRED, name)
    assert cpus.choose(range(16), root=root) == (1, 2, 3, 4, 5, 6, 7)
    assert cpus.choose(range(16), leave_one_over=8, root=root) == tuple(range(8))


def test_up_to_four_cores_are_all_used(tmp_path):
    root = machine(tmp_path, PAIRED[:4])
    assert cpus.choose([0, 1, 2, 3, 8, 9, 10, 11], root=root) == (0, 1, 2, 3)


def test_only_cpus_that_may_be_used_are_chosen(tmp_path):
    root = machine(tmp_path, PAIRED)
    assert cpus.choose([9, 2, 10], root=root) == (2, 9)


def test_without_topology_all_are_taken_and_the_words_say_so(tmp_path, monkeypatch):
    assert cpus.choose([3, 1], root=str(tmp_path)) == (1, 3)
    monkeypatch.setattr(cpus, "available", lambda: (0, 1, 2))
    found = cpus.of_run(root=str(tmp_path))
    assert found.cpus == (0, 1, 2)
    assert "which of them share a core is not known" in found.how


def test_the_words_say_how_the_set_was_chosen(tmp_path, monkeypatch):
    root = machine(tmp_path, PAIRED)
    monkeypatch.setattr(cpus, "available", lambda: tuple(range(16)))
    found = cpus.of_run(root=root)
    assert (found.size, found.how) == (
        7,
        "one per physical core, the first core left to the system",
    )
    assert cpus.of_run("all", root).cpus == tuple(range(16))
    assert cpus.of_run("9,1-2", root).cpus == (1, 2, 9)


@pytest.mark.parametrize(
    ("asked", "said"), [("x", "give a list"), ("3-1", "give a list"), ("0-16", "may not use 16")]
)
def test_a_set_that_cannot_be_had_is_refused(monkeypatch, asked, said):
    monkeypatch.setattr(cpus, "available", lambda: tuple(range(16)))
    with pytest.raises(DataError, match=said):
        cpus.of_run(asked)


def test_where_processes_cannot_be_pinned_nothing_is_refused_but_an_explicit_set(monkeypatch):
    monkeypatch.setattr(cpus, "available", lambda: ())
    assert cpus.of_run().cpus == ()
    assert "cannot be pinned" in cpus.of_run().describe()
    with pytest.raises(DataError, match="cannot be pinned"):
        cpus.of_run("0")


def test_a_quota_below_the_set_is_said_aloud_and_recorded(monkeypatch):
    monkeypatch.setattr(cpus.runtime, "cgroup_cpu_quota", lambda: 1.5)
    chosen = cpus.CpuSet((0, 1, 2), "as asked")
    assert "quota of 1.5 cores is less" in chosen.describe()
    found = cpus.facts(chosen)
    assert (found["quota"], found["budget"] <= 1.5) == (1.5, True)
    assert "quota of 1.5 cores" in cpus.shown(found)
    assert "quota" not in cpus.CpuSet((0,), "as asked").describe()


def test_reports_of_files_without_a_set_say_nothing_of_one():
    assert cpus.shown({"cores": 2, "budget": 2.0}) == ""
    assert "quota of 1 cores" in cpus.shown({"cores": 2, "budget": 1.0})


def test_governor_and_turbo_are_read_where_the_kernel_shows_them(tmp_path):
    system = tmp_path / "sys/devices/system/cpu"
    for path, text in [
        ("cpu0/cpufreq/scaling_governor", "powersave"),
        ("cpu1/cpufreq/scaling_governor", "performance"),
        ("intel_pstate/no_turbo", "1"),
        ("smt/active", "1"),
    ]:
        (system / path).parent.mkdir(parents=True, exist_ok=True)
        (system / path).write_text(text + "\n", encoding="ascii")
    found = cpus.facts(cpus.CpuSet((0, 1), "as asked"), str(tmp_path))
    assert (found["governor"], found["turbo"], found["smt"]) == (
        "performance, powersave",
        "off",
        "on",
    )
    nothing = cpus.facts(cpus.CpuSet((0, 1), "as asked"), str(tmp_path / "none"))
    assert (nothing["governor"], nothing["turbo"], nothing["physical_cores"]) == ("", "", None)


@given(SETS)
def test_what_is_listed_can_be_read_again(chosen):
    assert cpus.parse(cpus.listed(chosen)) == sorted(chosen)


def work(tmp_path, monkeypatch, fault, *pinned):
    """Run one real worker process on some CPUs and return its record."""
    monkeypatch.setenv("TINY_FAULT", fault)
    inputs.save(Inputs((), (), 0), tmp_path / "inputs")
    (arm, *_) = arms.probe(Path(sys.executable))
    job = Job(str(TINY), str(tmp_path / "inputs"), arm, "reference", 1, (), QUICK, 60.0, pinned)
    return ask(Path(sys.executable), "ftloader.lab.worker", arm, job.to_json(), 60.0, "here")


@pytest.mark.skipif(not PINS, reason="processes cannot be pinned here")
def test_a_process_is_on_its_cpus_and_records_them(tmp_path, monkeypatch):
    last = cpus.available()[-1]
    assert work(tmp_path, monkeypatch, "", last)["provenance"]["affinity"] == [last]


@pytest.mark.skipif(len(cpus.available()) < 2, reason="with one CPU there is nowhere to go")
def test_a_process_that_leaves_its_cpus_is_refused(tmp_path, monkeypatch):
    with pytest.raises(MeasurementError, match=r"pinned to CPUs 0 but on 0-?.*before timing"):
        work(tmp_path, monkeypatch, "leaves its CPUs", cpus.available()[0])


@pytest.mark.skipif(not PINS, reason="processes cannot be pinned here")
def test_cpus_that_are_not_there_are_refused(tmp_path, monkeypatch):
    with pytest.raises(MeasurementError, match="cannot pin to CPUs 9999"):
        work(tmp_path, monkeypatch, "", 9999)


def test_every_process_of_a_run_was_on_the_set_of_its_header(records):
    chosen = records[0]["machine"]["cpus"]
    assert records[0]["machine"]["cores"] == len(chosen)
    found = [one["provenance"]["affinity"] for one in records if one["kind"] == "process"]
    assert found
    assert all(one == chosen for one in found)
