"""A run's trace in the trace event format, which Perfetto and Chrome's tracing page read.

A track per worker, named after its stage; operations of an asynchronous stage overlap, so they
are laid on as many tracks as were needed at once. A counter track per stage shows items per
second, computed from the same spans, so tracing costs a run nothing but the spans themselves.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

#: Stage, worker, begin and end in seconds of ``time.perf_counter``, items.
Span = tuple[str, int, float, float, int]
#: Points of a counter track.
POINTS: Final = 200


def save_trace(path: str | Path, spans: Sequence[Span], stages: Sequence[str]) -> None:
    """Write spans as a trace file (JSON).

    Args:
        path: the file to write.
        spans: what was worked on when.
        stages: names of the stages in the order of the pipeline, which is that of the tracks.

    Raises:
        OSError: the file cannot be written.
    """
    document = {"displayTimeUnit": "ms", "traceEvents": trace_events(spans, stages)}
    Path(path).write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def trace_events(spans: Sequence[Span], stages: Sequence[str]) -> list[dict[str, Any]]:
    """Return the events of a trace; times in microseconds since the first span began.

    Args:
        spans: what was worked on when.
        stages: names of the stages, in the order of the tracks.

    Determinism: depends on the arguments and the process's id alone.
    """
    process = os.getpid()
    start = min((begin for _, _, begin, _, _ in spans), default=0.0)
    events = [_named("process_name", process, 0, name="ftloader")]
    track = 0
    for stage in stages:
        workers: dict[int, list[Span]] = {}
        for span in spans:
            if span[0] == stage:
                workers.setdefault(span[1], []).append(span)
        number = 0
        for worker in sorted(workers):
            for lane in lanes(workers[worker]):
                track, number = track + 1, number + 1
                events.append(_named("thread_name", process, track, name=f"{stage} {number}"))
                events.append(_named("thread_sort_index", process, track, sort_index=track))
                events += [_complete(span, process, track, start) for span in lane]
        everything = [span for worker in workers.values() for span in worker]
        events += _rates(stage, everything, process, start)
    return events


def lanes(spans: Iterable[Span]) -> list[list[Span]]:
    """Lay spans on as few tracks as leave no two of one track overlapping."""
    tracks: list[list[Span]] = []
    free: list[tuple[float, int]] = []  # when a track is free again, and which
    for span in sorted(spans, key=lambda span: span[2]):
        if free and free[0][0] <= span[2]:
            _, place = heapq.heappop(free)
        else:
            place = len(tracks)
            tracks.append([])
        tracks[place].append(span)
        heapq.heappush(free, (span[3], place))
    return tracks


def _complete(span: Span, process: int, track: int, start: float) -> dict[str, Any]:
    stage, _, begin, end, items = span
    return {
        "ph": "X",
        "name": stage,
        "cat": "stage",
        "pid": process,
        "tid": track,
        "ts": _micro(begin - start),
        "dur": _micro(end - begin),
        "args": {"items": items},
    }


def _rates(stage: str, spans: list[Span], process: int, start: float) -> list[dict[str, Any]]:
    if not spans:
        return []
    begin, end = min(span[2] for span in spans), max(span[3] for span in spans)
    step = (end - begin) / POINTS
    if step <= 0:
        return []
    counts = [0] * POINTS
    for span in spans:
        counts[min(int((span[3] - begin) / step), POINTS - 1)] += span[4]
    values = [*(count / step for count in counts), 0.0]
    return [
        {
            "ph": "C",
            "name": f"{stage} items/s",
            "pid": process,
            "tid": 0,
            "ts": _micro(begin - start + place * step),
            "args": {"items/s": round(value, 1)},
        }
        for place, value in enumerate(values)
    ]


def _named(what: str, process: int, track: int, **args: object) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": track, "args": args}


def _micro(seconds: float) -> float:
    return round(1e6 * seconds, 3)
