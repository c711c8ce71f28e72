"""Pools of processes in place of threads: the same outputs, honest arms, nobody left behind."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ftloader import runtime
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.errors import ArmError, DigestError, MeasurementError
from ftloader.lab import arms, check, inputs, measure, orchestrate, processes, results
from ftloader.lab.cells import Cell
from ftloader.lab.worker import Job

from .tiny import EXPERIMENT

TINY = Path(__file__).with_name("tiny.py")
SETTINGS = measure.Settings(window=0.05, windows=1, most=2, warmup=2, pairs=1)


@pytest.fixture(scope="module")
def pool():
    arm = arms.probe(Path(sys.executable))[-1]
    return arms.process_arms([arm], "all")[0][1]


@pytest.fixture(scope="module")
def own():
    """Return a pool of the arm that this process is."""
    (arm,) = (one for one in arms.probe(Path(sys.executable)) if one.gil == runtime.gil_enabled())
    return arms.process_arms([arm], "all")[0][1]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Return the path of pickled inputs of four images."""
    folder = tmp_path_factory.mktemp("pool")
    write_synthetic_coco(SyntheticSpec(images=4, seed=3), folder / "data", progress=False)
    inputs.save(inputs.choose(folder / "data", 4, seed=1)[0], folder / "inputs")
    return folder / "inputs"


def start(bench, given, arm, fault="", role="measure"):
    """Start a worker process with a pool of two; it leads a group of its own."""
    job = Job(str(TINY), str(given), arm, role, 2, ("sums",), SETTINGS, 60.0)
    worker = subprocess.Popen(
        [sys.executable, "-m", "ftloader.lab.worker"],
        env={**arms.environment(arm), **bench.environment(fault), **gil(arm)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    worker.stdin.write(job.to_json())
    worker.stdin.close()
    worker.stdin = None
    return worker


def gil(arm):
    return {"PYTHON_GIL": "1" if arm.gil else "0"} if arm.free_threaded else {}


def answer(bench, given, arm, fault="", role="measure"):
    worker = start(bench, given, arm, fault, role)
    with worker:
        out, _ = worker.communicate(timeout=90)
    _, alive = psutil.wait_procs(group(worker.pid), timeout=20)
    assert not alive
    return json.loads(out)


def group(leader):
    """Return the living processes of a group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader:
                found.append(process)
        except ProcessLookupError:
            continue
    return found


@pytest.fixture(scope="module")
def reference(bench, given, pool):
    return answer(bench, given, pool, role="reference")["record"]


def test_a_pool_gives_the_serial_output_and_is_measured_by_the_same_windows(
    bench, given, pool, reference
):
    record = {**answer(bench, given, pool)["record"], "block": 0}
    check.process(record, pool, reference)
    found = record["workloads"]["sums"]
    assert found["per_task"] >= 1
    assert found["windows"]
    for window in found["windows"]:
        # A window is a number of whole passes; its CPU time is that of the pool's processes too.
        assert window["items"] % 4 == 0
        assert window["cpu_seconds"] > 0
    assert found["peak_bytes"] is None or found["peak_bytes"] > found["base_bytes"] > 0


def test_a_pool_whose_output_differs_is_refused(bench, given, pool, reference):
    record = {**answer(bench, given, pool, "differs in processes")["record"], "block": 0}
    with pytest.raises(DigestError, match="differs from the serial engine's"):
        check.process(record, pool, reference)


def test_a_process_of_a_pool_that_dies_is_said(bench, given, pool):
    error = answer(bench, given, pool, "crashes in processes")["error"]
    assert error["type"] == "MeasurementError"
    assert "workload 'sums': a process of the pool died" in error["message"]


def test_no_process_outlives_a_worker_that_was_killed(bench, given, pool):
    with start(bench, given, pool, "hangs in processes") as worker:
        # The fork server, the resource tracker and two processes of the pool.
        while len(group(worker.pid)) < 5:
            with pytest.raises(subprocess.TimeoutExpired):
                worker.wait(timeout=0.05)
        left = [process for process in group(worker.pid) if process.pid != worker.pid]
        worker.send_signal(signal.SIGKILL)
        worker.wait(timeout=20)
        _, alive = psutil.wait_procs(left, timeout=30)
        assert not alive


def test_every_process_of_a_pool_must_be_its_arm(given, own):
    other = dataclasses.replace(own, gil=not own.gil)
    asked = processes.Asked(str(TINY), str(given), "sums", other)
    with pytest.raises(ArmError, match="in a process of the pool, must be"):
        processes.measure(asked, 1, SETTINGS)


def test_a_workload_without_a_function_to_call_is_refused(given, own, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(TINY.read_text(encoding="utf-8").replace("call=work,", ""), encoding="utf-8")
    asked = processes.Asked(str(script), str(given), "sums", own)
    with pytest.raises(MeasurementError, match="'sums' has nothing for processes to call"):
        processes.measure(asked, 1, SETTINGS)


@pytest.mark.parametrize(
    ("seconds", "items"), [(0.0, 16), (1e-6, 16), (0.0009, 3), (0.002, 1), (0.5, 1)]
)
def test_a_task_is_as_many_items_as_are_worth_handing_over(seconds, items):
    assert processes.per_task(seconds) == items


def test_the_tiny_experiment_can_run_in_processes():
    assert EXPERIMENT.names_for(threaded=False) == ["sums"]


def test_a_run_measures_a_pool_beside_the_threads(given, tmp_path):
    arm = arms.probe(Path(sys.executable))[-1]
    both = [arm, *(pool for _, pool in arms.process_arms([arm], "all"))]
    where = {one.name: Path(sys.executable) for one in both}
    bench = orchestrate.Bench(TINY, EXPERIMENT, given, where, SETTINGS, 60.0)
    cells = [Cell(one, 2, 0, place, ("sums",)) for place, one in enumerate(both)]
    with results.Writer(tmp_path / results.FILE_NAME) as writer:
        writer.header({})
        orchestrate.run(bench, both, cells, writer)
    # A sample that was refused on a busy machine comes again.
    measured = results.read(tmp_path).processes
    assert {record["arm"] for record in measured} == {arm.name, f"{arm.name} processes"}
    for record in measured:
        assert ("per_task" in record["workloads"]["sums"]) == record["arm"].endswith("processes")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--processes", "2.7"], "no interpreter is called '2.7'; there are"),
        (["--workloads", "sums,others"], "has no workload 'others'; it has sums"),
    ],
)
def test_what_is_not_there_cannot_be_asked_for(bench, arguments, said):
    done = bench.run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
