"""Controls: a run without them, or with one out of bounds, is worth nothing."""

from __future__ import annotations

import time

import pytest

from ftloader.errors import ControlError
from ftloader.lab import controls
from ftloader.lab.experiment import CEILING, CONTENTION


def process(ceiling, contention, arm="3.13t GIL off", threads=2):
    found = {"ceiling": ceiling, "contention": contention}
    return {
        "arm": arm,
        "threads": threads,
        "controls": {name: {"ratio": ratio} for name, ratio in found.items()},
    }


OFF = [("3.13t GIL off", False)]
ON = [("3.13t GIL on", True)]


def test_a_quiet_machine_passes():
    controls.judge_run(OFF, [process(1.99, 0.17), process(1.95, 0.2), process(2.01, 0.16)])
    controls.judge_run(ON, [process(0.98, 0.95, "3.13t GIL on")])


def test_one_disturbed_block_does_not_decide():
    controls.judge_run(OFF, [process(1.0, 1.4), process(1.95, 0.2), process(2.01, 0.16)])


@pytest.mark.parametrize(
    ("ceiling", "contention", "said"),
    [
        (1.05, 0.2, "ceiling control ran at 1.05"),
        (2.9, 0.2, "ceiling control ran at 2.90"),
        (1.97, 1.0, "contention control ran at 1.00"),
        (1.97, 1.9, "contention control ran at 1.90"),
        (None, 0.2, "ceiling control has no accepted sample"),
        (1.97, None, "contention control has no accepted sample"),
    ],
)
def test_a_control_out_of_bounds_fails_the_run(ceiling, contention, said):
    with pytest.raises(ControlError, match=said):
        controls.judge_run(OFF, [process(ceiling, contention)] * 3)


def test_scaling_under_the_gil_is_a_broken_clock_and_fails_the_run():
    with pytest.raises(ControlError, match=r"ran at 1\.97 times one thread"):
        controls.judge_run(ON, [process(1.97, 1.0, "3.13t GIL on")])


def test_a_run_that_never_measured_two_threads_fails():
    with pytest.raises(ControlError, match="no ceiling control"):
        controls.judge_run(OFF, [process(1.99, 0.17, threads=4)])


def test_a_run_without_the_negative_control_fails():
    bare = process(1.99, 0.17)
    del bare["controls"]["contention"]
    with pytest.raises(ControlError, match="no contention control"):
        controls.judge_run(OFF, [bare])


@pytest.mark.parametrize("name", [CEILING, CONTENTION])
def test_bounds_tell_the_two_outcomes_of_a_control_apart(name):
    on, off = controls.bounds(name, True), controls.bounds(name, False)
    assert on.low <= 1.0 <= on.high < 2.0
    expected, forbidden = (2.0, 1.0) if name == CEILING else (0.17, 2.0)
    assert off.low <= expected <= off.high
    assert not off.low <= forbidden <= off.high


def with_native(ratio, ceiling, arm):
    found = process(ceiling, 0.2 if "off" in arm else 0.95, arm)
    found["controls"]["native"] = {"ratio": ratio}
    return found


def test_native_work_must_scale_whether_the_gil_is_on_or_off():
    controls.judge_run(OFF, [with_native(1.97, 1.98, "3.13t GIL off")])
    controls.judge_run(ON, [with_native(1.97, 1.0, "3.13t GIL on")])
    for arms, ceiling in ((OFF, 1.98), (ON, 1.0)):
        with pytest.raises(ControlError, match=r"native control ran at 1\.02 times"):
            controls.judge_run(arms, [with_native(1.02, ceiling, arms[0][0])])
        with pytest.raises(ControlError, match="native control has no accepted sample"):
            controls.judge_run(arms, [with_native(None, ceiling, arms[0][0])])


def test_native_work_shares_nothing_and_is_long_enough_to_be_timed():
    control = controls.NATIVE_CONTROL
    assert control.make() is None
    begin = time.thread_time()
    control.work(None, controls.STEPS)
    assert time.thread_time() - begin > 1e-4


def test_controls_measure_pairs_of_both_rates():
    for control in (controls.CEILING_CONTROL, controls.CONTENTION_CONTROL):
        found = controls.measure(control, threads=2, pairs=1, gil=True)
        assert found["refused"] == 0
        assert found["ratio"] == pytest.approx(found["many"] / found["one"])
