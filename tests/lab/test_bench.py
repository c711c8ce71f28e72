"""The bench as a command: what it writes, and how it ends when it must not be believed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ftloader.errors import MeasurementError
from ftloader.lab import arms, experiment, inputs
from ftloader.lab.cells import Cell
from ftloader.lab.measure import QUICK
from ftloader.lab.orchestrate import Bench, run
from ftloader.lab.results import Writer

TINY = Path(__file__).with_name("tiny.py")


def end_of(folder):
    return json.loads((folder / "results.jsonl").read_text(encoding="utf-8").splitlines()[-1])


def kinds(folder):
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line).get("role") for line in lines]


def test_a_run_leaves_results_a_page_and_its_markdown_twin(finished):
    names = {path.name for path in finished.iterdir()}
    assert {"results.jsonl", "index.html", "report.md", "sums-throughput.svg"} <= names
    assert (finished.parent / "latest").resolve() == finished.resolve()
    assert end_of(finished)["status"] == "complete"


def test_every_process_is_recorded_with_its_arm_and_provenance(records):
    processes = [record for record in records if record["kind"] == "process"]
    assert [record["role"] for record in processes][:1] == ["reference"]
    assert {1, 2} < {record["threads"] for record in processes[1:]}
    for record in processes:
        assert record["before"]["gil"] is True
        assert record["after"]["gil"] is True
        assert "numpy._core._multiarray_umath" in record["provenance"]["extension_modules"]
        assert record["workloads"]["sums"]["digest"] == processes[0]["workloads"]["sums"]["digest"]


def test_no_path_of_this_machine_is_in_a_result_file(finished):
    text = (finished / "results.jsonl").read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert str(Path(__file__).parent) not in text
    assert sys.prefix not in text


def test_an_output_that_differs_from_the_serial_one_fails_the_run(bench, tmp_path):
    done = bench.run(*bench.data, "--out", str(tmp_path / "run"), fault="differs in threads")
    assert done.returncode == 1
    assert "output of workload 'sums' differs from the serial engine's" in done.stderr
    assert end_of(tmp_path / "run")["status"] == "failed"
    assert not (tmp_path / "run" / "index.html").exists()


@pytest.mark.parametrize("missing", ["contention", "ceiling"])
def test_a_removed_control_fails_before_anything_is_measured(bench, tmp_path, missing):
    out = tmp_path / "run"
    done = bench.run(*bench.data, "--out", str(out), fault=f"no {missing} control")
    assert done.returncode == 1
    assert f"has no {missing} control" in done.stderr
    assert not out.exists()


def test_a_worker_that_is_killed_ends_the_run_with_its_signal(bench, tmp_path):
    done = bench.run(*bench.data, "--out", str(tmp_path / "run"), fault="crashes")
    assert done.returncode == 1
    assert "the worker died of signal 9" in done.stderr
    assert end_of(tmp_path / "run")["status"] == "failed"


def test_a_worker_that_hangs_is_ended_and_shows_where(bench, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_FAULT", "hangs in threads")
    (folder,) = (bench.folder / "cache" / "ftloader" / "synthetic").iterdir()
    chosen, _ = inputs.choose(folder, 2, seed=1)
    inputs.save(chosen, tmp_path / "inputs")
    arm = arms.probe(Path(sys.executable))[-1]
    described = experiment.load(TINY)
    where = {arm.name: Path(sys.executable)}
    hanging = Bench(TINY, described, tmp_path / "inputs", where, QUICK, deadline=5.0)
    with Writer(tmp_path / "results.jsonl") as writer:
        writer.header({})
        with pytest.raises(
            MeasurementError, match=r"(?s)1 thread, block 1: the worker hung .*tiny\.py"
        ):
            run(hanging, [arm], [Cell(arm, 1, 0, 0, ("sums",))], writer)


def test_ctrl_c_ends_the_workers_keeps_the_results_and_says_what_to_do(bench, finished, tmp_path):
    out = tmp_path / "run"
    with subprocess.Popen(
        bench.command(*bench.data, "--out", str(out)),
        env=bench.environment("hangs in threads"),
        cwd=bench.folder,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        # The reference is measured; the process after it hangs until it is ended.
        while not (out / "results.jsonl").is_file() or "reference" not in kinds(out):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
        workers = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"python -m ftloader report {out}" in said
    assert end_of(out)["status"] == "interrupted"
    # One that was just being started when Ctrl-C came finds its input closed and ends by itself.
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--blocks", "0"], "must be at least 1"),
        (["--blocks", "many"], "invalid"),
        (["--threads", "1,x"], "invalid"),
        (["--seed", "-1"], "--seed must be 0 or more"),
        (["--nonsense"], "unrecognized arguments"),
        (["--data", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_bad_arguments_and_unreadable_data_are_one_line_and_exit_2(bench, arguments, said):
    done = bench.run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_interpreter_that_is_not_there_is_one_line_and_exit_2(bench):
    done = bench.run("--interpreter", "nowhere/python")
    assert done.returncode == 2
    assert "nowhere/python cannot be run" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_existing_result_is_never_written_over(bench, finished):
    before = (finished / "results.jsonl").read_bytes()
    done = bench.run(*bench.data, "--out", str(finished))
    assert done.returncode == 2
    assert "already holds a result file" in done.stderr
    assert (finished / "results.jsonl").read_bytes() == before
