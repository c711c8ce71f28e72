"""The five traps of measuring threads: a naive harness falls into each, the laboratory does not.

Each naive harness is what one writes first, in a few lines. Each test says whether its clocks are
real, recorded or simulated; recorded and simulated timings go through the laboratory's real
functions, in place of clocks that a busy machine would spoil. No test is skipped on a build that
does not have the trap: there it shows that the trap is not there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import ftloader
from ftloader import Pipeline
from ftloader.errors import ControlError
from ftloader.lab import controls, measure, provenance, statistics
from ftloader.lab.arms import Arm
from ftloader.lab.cells import plan
from ftloader.lab.experiment import CEILING, CONTENTION, Control
from ftloader.runtime import gil_enabled, usable_cores

from .tiny import EXPERIMENT

SOURCE = str(Path(ftloader.__file__).resolve().parents[1])

# --- 1. Per-thread durations under the GIL -----------------------------------------------------

UNDER_THE_GIL = """
import json, threading, time
from statistics import median
from ftloader.lab import controls
from ftloader.runtime import gil_enabled

def work():
    x = 0.5
    for _ in range(10_000):
        x = x * 0.999 + 0.25

def each_times_itself(threads):
    barrier, took = threading.Barrier(threads), []
    def body():
        barrier.wait()
        begin = time.perf_counter()
        work()
        took.append(time.perf_counter() - begin)
    every = [threading.Thread(target=body) for _ in range(threads)]
    for one in every: one.start()
    for one in every: one.join()
    return median(took)

def naive():
    alone = median(each_times_itself(1) for _ in range(31))
    return 2 * alone / median(each_times_itself(2) for _ in range(31))

def ours():
    return controls.measure(controls.CEILING_CONTROL, 2, 3, gil_enabled())["ratio"]

def undisturbed(look, good):
    for _ in range(8):
        found = look()
        if good(found):
            break
    return found

print(json.dumps({
    "gil": gil_enabled(),
    "naive": undisturbed(naive, lambda found: found > 1.5),
    "ours": undisturbed(ours, lambda found: found < 1.5),
}))
"""


def test_trap_1_threads_that_time_themselves_scale_under_the_gil():
    """Real clocks, in a process that has the GIL, which both builds can have.

    Work that fits inside one switch interval runs undisturbed in either thread, so each finds that
    it took as long as alone: "twice the rate". The laboratory times from the common start to the
    last finish, over 20 switch intervals. Each has eight attempts, since a crowd of other processes
    can spoil a number; a harness that is in the trap finds two in all of them.
    """
    environment = {**os.environ, "PYTHON_GIL": "1", "PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, "-c", UNDER_THE_GIL],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["gil"]
    assert found["naive"] > 1.5
    assert found["ours"] < 1.5
    controls.judge(CEILING, True, [found["ours"]], "GIL on")
    # And had ours been as wrong as the naive one, no report would have come of it.
    with pytest.raises(ControlError, match="expected about 1"):
        controls.judge(CEILING, True, [found["naive"]], "GIL on")


# --- 2. The minimum of contended work ----------------------------------------------------------


class Recorded:
    """Gives a control recorded spans (begin, end, CPU seconds of each thread) for its runs."""

    def __init__(self, one, many):
        self.one, self.many, self.calls = one, many, 0

    def __call__(self, control, shared, units, threads):
        if threads == 1:
            return [self.one]
        self.calls += 1
        return self.many[self.calls % len(self.many)]

    def naive(self, summary):
        """Return twice the ratio of whole times, each summarised over eleven runs."""
        whole = [
            max(span[1] for span in run) - min(span[0] for span in run)
            for run in (self.many[k % len(self.many)] for k in range(11))
        ]
        return 2 * (self.one[1] - self.one[0]) / summary(whole)


def ours(recorded, control, monkeypatch, pairs=5):
    monkeypatch.setattr(controls, "_run", recorded)
    return controls.measure(control, 2, pairs, gil=False)


ALONE = (0.0, 0.05, 0.05)
# Together each takes six times as long; one run in four the second thread came late and did not.
CONTENDED = [(0.0, 0.30, 0.299), (0.001, 0.29, 0.288)]
APART = [(0.0, 0.05, 0.05), (0.02, 0.07, 0.05)]


def test_trap_2_the_minimum_picks_the_runs_that_did_not_overlap(monkeypatch):
    """Recorded spans, on both builds: by itself contended work does not say when it overlaps.

    Only work without the GIL contends like this; with it the runs take turns, and no test on real
    clocks could show the trap there.
    """
    recorded = Recorded(ALONE, [CONTENDED, CONTENDED, CONTENDED, APART])
    assert recorded.naive(min) > 1.3
    found = ours(recorded, controls.CONTENTION_CONTROL, monkeypatch)
    assert found["ratio"] == pytest.approx(2 * 0.05 / 0.30)
    assert found["refused"] >= 1  # the runs that were apart count nowhere
    controls.judge(CONTENTION, False, [found["ratio"]], "GIL off")
    with pytest.raises(ControlError, match="contention control"):
        controls.judge(CONTENTION, False, [recorded.naive(min)], "GIL off")


# --- 3. A busy box -----------------------------------------------------------------------------


def test_trap_3_a_busy_machine_makes_up_contention(monkeypatch):
    """Recorded spans of work that shares nothing, at load 3 on two cores."""
    crowded = [[(0.0, 0.094, 0.05), (0.0, 0.090, 0.049)], [(0.0, 0.096, 0.05), (0.03, 0.095, 0.05)]]
    recorded = Recorded(ALONE, crowded)
    assert recorded.naive(median) == pytest.approx(1.06, abs=0.03)  # "it does not scale"
    found = ours(recorded, controls.CEILING_CONTROL, monkeypatch)
    assert found["ratio"] is None
    assert found["refused"] == 50  # all that were tried, and the report says so
    with pytest.raises(ControlError, match="the machine was too busy"):
        controls.judge(CEILING, False, [], "GIL off")


def test_trap_3_a_busy_machine_hides_contention(monkeypatch):
    """Recorded spans: threads that waited for a core, and so did not meet, contend less."""
    took_turns = [[(0.0, 0.08, 0.05), (0.03, 0.11, 0.05)]]
    recorded = Recorded((0.0, 0.10, 0.05), took_turns)
    assert recorded.naive(median) > 1.5
    assert ours(recorded, controls.CONTENTION_CONTROL, monkeypatch)["ratio"] is None


def test_trap_3_a_window_beside_others_is_refused():
    """Real clocks and a machine made busy: two greedy processes for each core."""
    command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    greedy = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2 * usable_cores())]
    try:
        for one in greedy:
            assert one.stdout is not None
            one.stdout.readline()  # it runs
        before, cpu, begin = provenance.cpu_times(), time.process_time(), time.perf_counter()
        while time.perf_counter() - begin < 1.0:
            pass
        seconds, used = time.perf_counter() - begin, time.process_time() - cpu
        _, others, accepted = measure.disturbance(before, provenance.cpu_times(), seconds, used)
    finally:
        for one in greedy:
            one.kill()
            one.wait()
            assert one.stdout is not None
            one.stdout.close()
    # The naive harness has a number and no doubt: nothing in its own clock says what it shared.
    assert seconds >= 1.0
    if before:  # Linux: elsewhere it cannot be known, and nothing is refused
        assert others > 0.1
        assert not accepted


# --- 4. Steal and drift that no gate on CPU time sees --------------------------------------------

SLOW = 2.2
TRUTH = 1.5
ARMS = [Arm(name, "3.13.15", True, name.endswith("on"), {}) for name in ("t off", "t on")]


def weather(processes, rng):
    """Return by how much each process in turn was slowed: spells of 2.2, and a steady drift."""
    slow, found = False, []
    for _ in range(processes):
        slow ^= rng.random() < 0.08
        found.append(SLOW if slow else 1.0)
    return np.array(found) * np.exp(np.linspace(0, rng.normal(0, 0.2), processes))


def rate(cell, slowed, rng):
    """Return the rate of a process: one arm is half as fast again; 3 % of noise."""
    faster = TRUTH if cell.arm is ARMS[0] else 1.0
    return faster * cell.threads / slowed * rng.lognormal(0, 0.03)


def rates_of(cells, rng):
    slowed = weather(len(cells), rng)
    return [(cell, rate(cell, slow, rng)) for cell, slow in zip(cells, slowed, strict=True)]


def one_arm_after_the_other(cells, rng):
    """Measure all of one arm, then all of the other, as a shell script would."""
    done = rates_of(sorted(cells, key=lambda cell: cell.arm.name), rng)
    arms = [[rate for cell, rate in done if cell.arm is arm and cell.threads == 2] for arm in ARMS]
    return median(arms[0]) / median(arms[1])


def in_blocks(cells, rng):
    """Measure in the order of the plan and divide inside blocks."""
    done = rates_of(cells, rng)
    above, below = (
        {cell.block: rate for cell, rate in done if cell.arm is arm and cell.threads == 2}
        for arm in ARMS
    )
    return statistics.estimate(statistics.block_ratios(above, below))


def test_trap_4_steal_that_looks_like_work_survives_only_in_pairs():
    """Simulated: spells in which everything takes 2.2 times as long with CPU time equal to wall."""
    rng = np.random.default_rng(4)
    campaigns = [plan(EXPERIMENT, ARMS, [1, 2], 4, 12, seed) for seed in range(200)]
    naive = [one_arm_after_the_other(cells, rng) for cells in campaigns]
    paired = [in_blocks(cells, rng) for cells in campaigns]
    assert sum(abs(found / TRUTH - 1) > 0.2 for found in naive) > 60
    assert sum(abs(found.value / TRUTH - 1) > 0.2 for found in paired) == 0
    # 95 % of 200 are 190; ten fewer leave three standard deviations.
    assert sum(found.low <= TRUTH <= found.high for found in paired) >= 180


def test_trap_4_no_gate_sees_such_steal(monkeypatch):
    """Recorded spans: slow runs pass every gate, so a ratio across spells would be wrong by 2.2."""
    fast, slow = [(0.0, 0.05, 0.05)] * 2, [(0.0, 0.11, 0.11)] * 2
    for spell in (fast, slow):
        recorded = Recorded(spell[0], [spell])
        found = ours(recorded, controls.CEILING_CONTROL, monkeypatch)
        assert found["refused"] == 0
        assert found["ratio"] == pytest.approx(2.0)  # inside a spell the pair is right
    quiet = {"busy": 10.0, "steal": 0.0}
    later = {"busy": 10.0 + 0.11, "steal": 0.0}
    assert measure.disturbance(quiet, later, 0.11, 0.11)[2]


# --- 5. A one-thread baseline on an object that another thread owns ------------------------------


def read(shared):
    """Return CPU seconds of reads of a shared list, in whichever thread this runs."""
    begin = time.thread_time()
    for _ in range(200_000):
        shared[0]
    return time.thread_time() - begin


def in_a_thread(shared):
    found = []
    reader = threading.Thread(target=lambda: found.append(read(shared)))
    reader.start()
    reader.join()
    return found[0]


def test_trap_5_one_thread_is_slower_on_what_another_thread_owns():
    """Real clocks (CPU time, in turn, medians), on the build at hand.

    Without the GIL a count is cheap for the thread that made the object and atomic for others. A
    baseline read in the main thread therefore makes one worker thread look slower than one thread.
    With the GIL all threads count alike, so there the same harness must find nothing.
    """
    shared = [object()]
    rounds = [(read(shared), in_a_thread(shared), in_a_thread(shared)) for _ in range(25)]
    naive = median(owner / worker for owner, worker, _ in rounds)
    same = median(worker / again for _, worker, again in rounds)
    assert 0.8 < same < 1.25
    if gil_enabled():
        assert 0.8 < naive < 1.25
    else:
        assert naive < 0.9


def test_trap_5_the_controls_work_in_threads_that_own_nothing_at_every_count():
    """Real threads, on both builds; who worked is judged, not how fast."""
    workers = []

    def work(shared, steps):
        workers.append((threading.get_ident(), threading.current_thread().name))

    made = []
    control = Control(
        CONTENTION,
        make=lambda: made.append(threading.get_ident()),
        work=work,
        about="who works",
    )
    controls.measure(control, 2, 1, gil_enabled(), gate="nothing", window=1e-5)
    assert made == [threading.get_ident()]
    assert {name for _, name in workers} == {"control-0", "control-1"}
    assert not {ident for ident, _ in workers} & set(made)


def test_trap_5_a_workload_on_one_thread_is_run_by_a_worker_too():
    """Real threads, on both builds: the baseline has the owner that every other count has."""
    found = set(
        Pipeline(range(8)).pipe(lambda _: threading.get_ident(), concurrency=1).run("threads")
    )
    assert len(found) == 1
    assert threading.get_ident() not in found
