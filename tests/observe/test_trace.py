"""The trace is what Perfetto reads: complete events on named tracks, none overlapping on one."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ftloader.observe.trace import POINTS, Span, lanes, save_trace, trace_events

SPANS: list[Span] = [
    ("decode", 0, 100.0, 100.5, 3),
    ("decode", 1, 100.25, 100.75, 2),
    ("decode", 0, 100.5, 101.0, 4),
    ("source", 0, 99.9, 100.0, 16),
]


def test_each_worker_has_a_named_track_in_the_order_of_the_pipeline() -> None:
    events = trace_events(SPANS, ["source", "decode"])
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    order = {e["tid"]: e["args"]["sort_index"] for e in events if e["name"] == "thread_sort_index"}
    assert [names[track] for track in sorted(order, key=lambda track: order[track])] == [
        "source 1",
        "decode 1",
        "decode 2",
    ]


def test_work_is_a_complete_event_in_microseconds_since_the_first() -> None:
    events = [e for e in trace_events(SPANS, ["source", "decode"]) if e["ph"] == "X"]
    assert len(events) == len(SPANS)
    first = next(e for e in events if e["name"] == "decode" and e["args"]["items"] == 3)
    assert (first["ts"], first["dur"]) == (100_000, 500_000)
    assert min(e["ts"] for e in events) == 0


def test_the_counter_track_gives_back_the_number_of_items() -> None:
    events = [e for e in trace_events(SPANS, ["decode"]) if e["ph"] == "C"]
    assert len(events) == POINTS + 1
    step = (events[1]["ts"] - events[0]["ts"]) / 1e6
    assert round(sum(e["args"]["items/s"] for e in events) * step) == 9


@given(
    st.lists(
        st.builds(
            lambda worker, begin, length, items: ("s", worker, begin, begin + length, items),
            st.integers(0, 2),
            st.floats(0, 100),
            st.floats(0, 10),
            st.integers(0, 64),
        ),
        max_size=40,
    )
)
def test_no_two_spans_of_a_lane_overlap_and_there_are_no_more_lanes_than_needed(
    spans: list[Span],
) -> None:
    found = lanes(spans)
    assert sorted(span for lane in found for span in lane) == sorted(spans)
    for lane in found:
        assert all(first[3] <= second[2] for first, second in pairwise(lane))
    most = max((sum(s[2] <= t[2] < s[3] or s is t for s in spans) for t in spans), default=0)
    assert len(found) <= max(most, len(spans) and 1)


def test_a_file_is_json_that_holds_the_events(tmp_path: Path) -> None:
    save_trace(tmp_path / "trace.json", SPANS, ["source", "decode"])
    document = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    assert document["traceEvents"] == trace_events(SPANS, ["source", "decode"])


def test_no_spans_make_an_empty_trace() -> None:
    assert [e["ph"] for e in trace_events([], ["source"])] == ["M"]
