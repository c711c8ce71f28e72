"""Arms: what was asked for is what runs, or the run is refused."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ftloader import runtime
from ftloader.errors import ArmError
from ftloader.lab import arms
from ftloader.lab.measure import QUICK
from ftloader.lab.worker import Job

FLAGS = {"optimisation": "-O3", "pgo": "false", "lto": "false", "shared_library": "false"}


@pytest.fixture(scope="module")
def own_arms():
    return arms.probe(Path(sys.executable))


def test_an_interpreter_gives_one_arm_with_the_gil_and_two_without(own_arms):
    name = runtime.interpreter_name()
    expected = [f"{name} GIL off", f"{name} GIL on"] if runtime.free_threaded_build() else [name]
    assert [arm.name for arm in own_arms] == expected


def test_every_arm_runs_in_its_own_gil_mode(own_arms):
    for arm in own_arms:
        code = "from ftloader.runtime import gil_enabled; print(gil_enabled())"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=arms.environment(arm),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str(arm.gil)


def test_a_worker_whose_gil_is_on_refuses_to_be_the_arm_without_it(own_arms, finished, tmp_path):
    asked = dataclasses.replace(own_arms[0], gil=False)
    forced = dataclasses.replace(own_arms[0], gil=True)
    tiny = Path(__file__).with_name("tiny.py")
    inputs = tmp_path / "inputs"
    inputs.write_bytes(b"\x80\x04N.")  # pickled None: no workload gets as far as reading it
    job = Job(str(tiny), str(inputs), asked, "measure", 1, ("sums",), QUICK, 60.0)
    done = subprocess.run(
        [sys.executable, "-m", "ftloader.lab.worker"],
        env=arms.environment(forced),
        input=job.to_json(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["error"]["type"] == "ArmError"
    assert "the GIL is on before timing, must be off" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gil": True}, "the GIL is on after timing, must be off"),
        ({"version": "3.13.1"}, "version is 3.13.1"),
        ({"free_threaded": False}, "free_threaded is False"),
    ],
)
def test_an_identity_that_differs_is_refused_with_what_differs(change, said):
    arm = arms.Arm("3.13t GIL off", "3.13.15", True, False, FLAGS)
    now = {"version": "3.13.15", "free_threaded": True, "gil": False, "flags": FLAGS, **change}
    with pytest.raises(ArmError, match=said):
        arms.assert_arm(arm, "after timing", now)


def test_an_interpreter_that_cannot_be_run_is_one_clear_line(tmp_path):
    with pytest.raises(ArmError, match="cannot be run"):
        arms.probe(tmp_path / "python")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'ModuleNotFoundError: ftloader' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(ArmError, match="cannot run ftloader: ModuleNotFoundError"):
        arms.probe(broken)


def test_an_arm_survives_json(own_arms):
    for arm in own_arms:
        assert arms.Arm.from_json(json.loads(json.dumps(arm.to_json()))) == arm


def test_an_arm_of_a_file_before_1_3_has_threads(own_arms):
    record = own_arms[0].to_json()
    del record["workers"]
    assert arms.Arm.from_json(record).workers == "threads"


def four():
    """Return the arms of 3.12, 3.13 and 3.13t, as the command line finds them."""
    plain = [arms.Arm(name, f"{name}.1", False, True, FLAGS) for name in ("3.13", "3.12")]
    both = [arms.Arm(f"3.13t GIL {g}", "3.13.1", True, g == "on", FLAGS) for g in ("off", "on")]
    return plain + both


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("none", []),
        ("usual", ["3.12 processes", "3.13t GIL off processes"]),
        ("all", ["3.13 processes", "3.12 processes", "3.13t GIL off processes"]),
        ("3.13", ["3.13 processes"]),
        ("3.13t,3.12", ["3.12 processes", "3.13t GIL off processes"]),
    ],
)
def test_the_interpreters_asked_for_get_a_pool_too_without_the_gil_where_that_can_be(
    asked, expected
):
    made = arms.process_arms(four(), asked)
    assert [pool.name for _, pool in made] == expected
    for arm, pool in made:
        assert (pool.workers, pool.interpreter, pool.gil) == ("processes", arm.interpreter, arm.gil)


def test_a_pool_of_an_interpreter_that_is_not_there_is_one_line_with_those_that_are():
    with pytest.raises(ArmError, match=r"no interpreter is called '3\.11'; there are 3"):
        arms.process_arms(four(), "3.12,3.11")


def test_workers_are_counted_with_their_noun():
    (_, pool), *_ = arms.process_arms(four(), "all")
    assert [four()[0].counted(1), four()[0].counted(3)] == ["1 thread", "3 threads"]
    assert [pool.counted(1), pool.counted(3)] == ["1 process", "3 processes"]


def test_why_arms_do_not_compare_fits_into_a_cell():
    one = arms.Arm("a", "3.12.1", False, True, FLAGS)
    other = arms.Arm("b", "3.13.15", True, False, {**FLAGS, "pgo": "true", "lto": "true"})
    assert arms.not_comparable(one, other) == "not comparable: LTO, PGO"
    assert arms.not_comparable(one, one) == ""


def test_differing_build_flags_are_named():
    one = arms.Arm("a", "3.12.1", False, True, FLAGS)
    other = arms.Arm("b", "3.13.15", True, False, {**FLAGS, "pgo": "true"})
    assert arms.flag_differences(one, other) == "PGO: no / yes"
    assert arms.flag_differences(one, one) == ""
