"""Which station is named, and that the advice claims no more than the counters show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.engine.stats import RunStats, StageStats
from ftloader.observe.advice import Machine
from ftloader.observe.bottleneck import LIMITING, Bottleneck, bottleneck, stations
from ftloader.observe.table import table

from .made import run_of, source, station

FREE = Machine(cores=8, gil=False, cpu=2.0)


def verdict(
    *stages: StageStats, waited: float = 0.95, machine: Machine = FREE, budget: int | None = None
) -> Bottleneck:
    return bottleneck(run_of(*stages, waited=waited, memory_budget=budget), machine)


def test_the_busiest_stage_is_named_and_its_neighbours_confirm_it() -> None:
    found = verdict(
        source(),
        station("read", 2, busy=0.1, blocked=0.88),
        station("decode", 4, busy=0.98, starved=0.01),
        station("collate", busy=0.04, starved=0.95),
    )
    assert (found.stage, found.load) == ("decode", pytest.approx(0.98))
    assert found.sentence == (
        "The bottleneck is 'decode': its 4 workers were busy 99 % of the time ('read' before it "
        "was blocked 90 % and 'collate' behind it waited 96 %)."
    )


def test_sentences_quote_the_per_cents_of_the_table() -> None:
    stages = (source(), station("decode", 4, busy=0.90, starved=0.02), station("b", starved=0.6))
    assert "busy 98 %" in verdict(*stages).sentence
    assert "'b' behind it waited 100 %" in verdict(*stages).sentence
    assert "98 %      2 %      0 %" in table(run_of(*stages))


def test_load_is_per_slot_so_a_wide_stage_is_not_busier_for_being_wide() -> None:
    found = verdict(
        source(),
        station("wide", 8, busy=0.3, blocked=0.6),  # 24 seconds in all
        station("narrow", 1, busy=0.9, starved=0.1),  # 9 seconds
    )
    assert found.stage == "narrow"


def test_a_source_that_ended_early_was_not_at_work_since() -> None:
    # All of its own short time it was busy, but that was a hundredth of the run.
    found = verdict(source(busy=0.01, blocked=0.0), station("decode", busy=0.9, starved=0.05))
    assert found.stage == "decode"


def test_the_next_in_line_limits_the_gain() -> None:
    found = verdict(
        source(), station("a", busy=0.9, starved=0.1), station("b", busy=0.6, starved=0.4)
    )
    assert "Next comes 'b' (60 %)" in found.sentence
    assert "at most 1.7 times the throughput" in found.sentence


def test_the_source_is_named_and_told_to_hand_its_work_to_a_stage() -> None:
    found = verdict(source(busy=0.97, blocked=0.01), station("decode", busy=0.2, starved=0.8))
    assert found.stage == "the source"
    assert "'decode' behind it waited 80 %" in found.sentence
    assert "names its items" in found.advice[0]


def test_the_reader_is_named_when_the_pipeline_keeps_up() -> None:
    found = verdict(source(), station("decode", busy=0.3, blocked=0.6), waited=0.02)
    assert found.stage == "the reader"
    assert "it was at work 98 % of the time ('decode' before it was blocked 67 %)" in found.sentence
    assert "the pipeline keeps up" in found.advice[0]


def test_nothing_is_named_when_nothing_is_busy() -> None:
    found = verdict(source(), station("decode", busy=0.3, starved=0.4, blocked=0.3), waited=0.8)
    assert found.stage is None
    assert "the busiest is 'decode', its one worker was busy 30 %" in found.sentence


def test_advice_where_nothing_is_busy_follows_from_what_was_seen() -> None:
    idle = station("decode", 2, busy=0.3, starved=0.4, blocked=0.3, p50=0.01)
    cheap = replace(idle, p50=1e-6)
    (bursts,) = verdict(source(), idle, waited=0.8).advice
    assert bursts.startswith("a prefetch")
    (overhead,) = verdict(source(), cheap, waited=0.8).advice
    assert overhead.startswith("more work in fewer stages")
    found = verdict(source(), cheap, waited=0.8, machine=Machine(8, gil=True, cpu=1.0))
    assert found.advice[0].startswith("a free-threaded interpreter: 1.0 of 8 cores are in use")
    short = replace(run_of(source(), idle, waited=0.8), delivered=3)
    assert bottleneck(short, FREE).advice[0] == "a longer measurement"


def test_between_half_and_four_fifths_it_is_only_most_likely() -> None:
    found = verdict(source(), station("decode", busy=0.6, starved=0.4))
    assert found.sentence.startswith("The bottleneck is most likely 'decode'")


def test_results_that_wait_for_an_earlier_one_are_told_from_a_full_buffer() -> None:
    found = verdict(
        source(),
        station("decode", 4, busy=0.4, blocked=0.6, p50=0.004, p99=0.2),
        station("collate", busy=0.05, starved=0.95),
    )
    assert found.stage == "decode"
    assert "wait for an earlier item that takes longer" in found.sentence
    assert "(half take up to 4.0 ms, one in a hundred 200 ms)" in found.sentence
    assert found.advice[0].startswith("output_order='completion'")


@pytest.mark.parametrize(
    ("machine", "reason", "advice"),
    [
        (Machine(8, gil=True, cpu=1.0), "take turns with the GIL", "a free-threaded interpreter"),
        (Machine(4, gil=False, cpu=3.9), "wait for a core", "a cheaper operation"),
        (Machine(8, gil=True), "do not tell why", "output_order='completion'"),
    ],
)
def test_results_of_even_items_are_not_said_to_wait_for_a_slow_one(
    machine: Machine, reason: str, advice: str
) -> None:
    found = verdict(
        source(),
        station("decode", 4, busy=0.25, blocked=0.75, p50=0.004, p99=0.005),
        waited=0.99,
        machine=machine,
    )
    assert reason in found.sentence
    assert found.advice[0].startswith(advice)


def test_a_single_worker_has_no_earlier_result_to_wait_for() -> None:
    one = station("read", 1, busy=0.1, blocked=0.9, p50=0.004, p99=0.2)
    assert verdict(source(), one, station("b", busy=0.3, starved=0.7)).stage is None


def test_a_stage_that_works_more_than_it_is_held_up_is_told_that_it_works() -> None:
    found = verdict(
        source(),
        station("decode", 4, busy=0.7, blocked=0.3, p50=0.004, p99=0.2),
        station("collate", busy=0.02, starved=0.98),
    )
    assert "busy 70 %" in found.sentence


def test_waiting_in_turns_is_no_hold_up() -> None:
    # Blocked 50 % and starved 50 % can be one after the other.
    found = verdict(
        source(), station("a", busy=0.5, blocked=0.5), station("b", busy=0.5, starved=0.5)
    )
    assert "earlier item" not in str(found)


def test_a_hold_up_behind_a_used_up_budget_is_blamed_on_the_budget() -> None:
    found = verdict(
        source(),
        station("decode", 4, busy=0.4, blocked=0.6, bytes_held=95, bytes_peak=100),
        station("collate", busy=0.05, starved=0.95),
        budget=100,
    )
    assert "the memory budget is used up" in found.sentence
    assert found.advice[0] == "a larger memory_budget"


def test_waits_of_both_sides_are_no_hold_up_while_another_stage_is_saturated() -> None:
    # Both may have been waiting for the GIL that 'python' holds.
    found = verdict(
        source(),
        station("decode", 4, busy=0.2, blocked=0.8),
        station("light", busy=0.05, starved=0.95),
        station("python", busy=0.9, starved=0.1),
    )
    assert found.stage == "python"


@pytest.mark.parametrize(
    ("machine", "first", "never"),
    [
        (Machine(8, gil=False, cpu=3.9), "concurrency=8 (now 4): 3.9 of 8 cores", "interpreter"),
        (Machine(8, gil=True, cpu=3.9), "this helps where it releases the GIL", "interpreter"),
        (Machine(8, gil=True, cpu=1.0), "a free-threaded interpreter, if it is", "concurrency="),
        (
            Machine(8, gil=False, cpu=1.0),
            "concurrency=8 (now 4) or an async operation, if it waits for I/O: ",
            "interpreter",
        ),
        (
            Machine(8, gil=True, cpu=0.3),
            "concurrency=8 (now 4) or an async operation, if it waits for I/O: ",
            "interpreter",
        ),
        (Machine(4, gil=False, cpu=3.8), "a cheaper operation: 3.8 of 4 cores", "concurrency="),
        (Machine(8, gil=True), "more concurrency (now 4, and 8 cores may be", "interpreter"),
        (Machine(4, gil=True), "a cheaper operation, if it computes", "interpreter"),
    ],
)
def test_advice_for_a_stage_on_threads_follows_from_the_cores_in_use(
    machine: Machine, first: str, never: str
) -> None:
    found = verdict(source(), station("decode", 4, busy=0.98, starved=0.02), machine=machine)
    assert found.advice[0].startswith(first) or first in found.advice[0]
    assert never not in str(found)


def test_an_async_stage_gets_more_slots_and_a_blocking_call_is_told_first() -> None:
    fetch = station("fetch", 16, kind="coroutine", busy=0.97, starved=0.03)
    found = verdict(source(), fetch)
    assert "its 16 slots were taken 97 %" in found.sentence
    assert found.advice == ("a higher concurrency (now 16): a slot on the event loop is cheap",)
    found = verdict(source(), replace(fetch, blocking_calls=12, blocking_longest=0.31))
    assert "held up the event loop 12 times, at most for 310 ms" in found.advice[0]


def test_a_regrouping_stage_is_told_that_it_has_one_thread() -> None:
    found = verdict(source(), station("buckets", kind="aggregate", busy=0.9, starved=0.1))
    assert "it runs on one thread" in found.advice[0]


def test_retries_are_told_first_because_their_waits_count_as_work() -> None:
    found = verdict(source(), station("fetch", 4, busy=0.97, starved=0.03, retries=7))
    assert "its 7 repeated calls" in found.advice[0]


def test_where_nothing_was_blocked_only_the_work_is_compared() -> None:
    found = verdict(
        source(busy=0.02, blocked=0.0),
        station("a", busy=0.2, starved=0.8),
        station("b", busy=0.7, starved=0.3),
    )
    assert found.stage == "b"
    assert found.sentence == (
        "Most of the time went to 'b': its one worker was busy 70 % of the time."
    )
    assert "engine='threads'" in found.advice[0]


def test_a_run_that_has_hardly_begun_gives_no_verdict() -> None:
    assert bottleneck(RunStats((source(0.0, 0.0),), 0.0), FREE).stage is None


def test_it_prints_as_the_sentence_and_what_to_try() -> None:
    found = Bottleneck("a", 1.0, "The bottleneck is 'a'.", ("this", "that"))
    assert str(found) == "The bottleneck is 'a'. Try this; or that."


SHARE = st.floats(0, 1.5, allow_nan=False)
STAGES = st.builds(
    station,
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 64),
    kind=st.sampled_from(["function", "generator", "coroutine", "aggregate", "disaggregate"]),
    busy=SHARE,
    starved=SHARE,
    blocked=SHARE,
    retries=st.integers(0, 2),
    blocking_calls=st.integers(0, 2),
)


@given(
    st.lists(STAGES, min_size=0, max_size=5),
    st.floats(0, 1),
    st.builds(Machine, st.floats(0.5, 64), st.booleans(), st.none() | st.floats(0, 64)),
)
def test_any_counters_get_one_verdict_and_it_names_a_station(
    stages: list[StageStats], waited: float, machine: Machine
) -> None:
    stats = run_of(source(), *stages, waited=waited)
    found = bottleneck(stats, machine)
    line = stations(stats)
    assert 0 <= found.load <= 1
    assert "\n" not in str(found)
    assert found.stage is None or found.stage in {s.name for s in line}
    if found.stage is not None and "kept from leaving" not in found.sentence:
        assert found.load == max(s.load for s in line) >= LIMITING
