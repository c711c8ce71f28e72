"""What tuning says, from measurements that were made up."""

from __future__ import annotations

import pytest

from ftloader import Pipeline
from ftloader.tuning.findings import (
    StageFinding,
    Tuning,
    duration,
    limit_sentences,
    rate,
    size,
    stage_finding,
    without_gil,
)
from ftloader.tuning.gil import Scaling
from ftloader.tuning.model import Model

from .simulated import stage


def test_a_stage_that_holds_the_gil_is_named_with_what_a_second_thread_brought() -> None:
    step = stage("augment", 0.005, gil_bound=True)
    scaling = Scaling(ratio=0.97, cores=1.02, control=1.95)
    finding = stage_finding(step, 1, Model((step,), 2), scaling, 1.0)
    assert finding.gil_bound is True
    assert finding.sentence == (
        "one at a time; it holds the GIL (or a lock of its own): two threads did 0.97 × the work "
        "of one, with 1.0 cores in use"
    )


def test_without_the_gil_the_cores_are_the_bound_and_it_is_called_one() -> None:
    model = Model((stage("augment", 0.005, gil_bound=True),), cores=4)
    limit, without = limit_sentences(model, (1,), 1.0, 195.0)
    assert limit == "It is bound by the GIL: at most 200 results/s, from the cost of single calls."
    assert "augment holds the GIL, so more threads do not help here" in without
    assert "at most 4.0 × this rate" in without
    assert "upper bound and no forecast" in without
    assert "the smaller of 4 (cores) and 4.1 (what the cores would allow, 800 results/s)" in without


def test_without_the_gil_another_stage_may_be_the_bound() -> None:
    steps = (stage("read", 0.010, 0.0, concurrency=3), stage("augment", 0.005, gil_bound=True))
    model = Model(steps, cores=16)
    assert without_gil(model, 1.0) == pytest.approx(300)
    *_, without = limit_sentences(model, (3, 1), 1.0, 200.0)
    assert "at most 1.5 × this rate" in without
    assert "stage 'read' would allow" in without


def test_nothing_is_promised_where_the_gil_is_not_the_limit() -> None:
    steps = (stage("augment", 0.005, gil_bound=True), stage("mask", 0.005, gil_bound=True))
    model = Model(steps, cores=8, source_rate=50.0)
    *_, without = limit_sentences(model, (1, 1), 1.0, 50.0)
    assert without == (
        "augment and mask hold the GIL, but something else is the limit: without the GIL, it "
        "would be no faster."
    )


def test_nothing_is_said_of_the_gil_where_no_stage_holds_it() -> None:
    model = Model((stage("decode", 0.010),), cores=2)
    assert without_gil(model, 1.0) is None
    assert len(list(limit_sentences(model, (2,), 1.0, 190.0))) == 1


@pytest.mark.parametrize(
    ("step", "number", "busy", "words"),
    [
        (stage("given", 0.1, concurrency=3), 3, 1.0, "3 at once, as given"),
        (stage("waits", 0.1, 0.1), 8, 0.8, "waits for 90% of its time, and of its 8 places 80%"),
        (stage("waits", 0.1, 0.0), 64, 1.0, "the most that is tried"),
        (stage("blocks", 0.1, kind="coroutine"), 2, 1.0, "make it a plain function"),
        (stage("cheap", 1e-6), 1, 0.001, "it is cheap"),
        (stage("computes", 0.1), 2, 1.0, "it computes"),
    ],
)
def test_a_sentence_says_what_a_stage_does(
    step: object, number: int, busy: float, words: str
) -> None:
    model = Model((step,), cores=2)  # type: ignore[arg-type]
    assert words in stage_finding(step, number, model, None, busy).sentence  # type: ignore[arg-type]


def test_a_busy_machine_is_no_evidence() -> None:
    step = stage("augment", 0.005)
    scaling = Scaling(ratio=1.0, cores=1.0, control=1.1)
    sentence = stage_finding(step, 1, Model((step,), 2), scaling, 1.0).sentence
    assert "GIL-bound" not in sentence
    assert "holds the GIL:" not in sentence


def test_a_tuning_prints_as_a_table_with_a_sentence_for_each_stage() -> None:
    stages = (
        StageFinding("fetch", "coroutine", 24, True, 0.0204, 0.01, 2048, None, "24 at once; …"),
        StageFinding("decode", "function", 2, False, 1.1e-3, 0.98, 3 << 20, True, "2, as given"),
    )
    tuning = Tuning(Pipeline([1]), stages, 261.0, 9.0, (), True, None, ("261 results/s.",))
    assert str(tuning).splitlines() == [
        "stage   kind       concurrency  per call  computing  result  GIL-bound",
        "fetch   coroutine           24   20.4 ms         1%   2 KiB          –",
        "decode  function     2 (given)    1.1 ms        98%   3 MiB        yes",
        "",
        "- fetch: 24 at once; …",
        "- decode: 2, as given",
        "",
        "261 results/s.",
    ]


def test_numbers_have_three_digits_and_a_unit() -> None:
    assert [duration(x) for x in (2.0, 0.0204, 3.5e-6, 4e-9)] == [
        "2 s",
        "20.4 ms",
        "3.5 µs",
        "4 ns",
    ]
    assert [size(x) for x in (12, 2048, 3 << 20, 5 << 30)] == ["12 B", "2 KiB", "3 MiB", "5 GiB"]
    assert [rate(x) for x in (0.5, 261.4, 15237, float("inf"))] == [
        "0.5 results/s",
        "261 results/s",
        "15,200 results/s",
        "any rate",
    ]
