"""Result files: append-only JSON lines with a schema version, readable on any machine.

A file is one run. Each line is one JSON object with a ``kind``; lines are only ever appended.

``header`` (first line, once)
    ``schema``: "MAJOR.MINOR".
    ``experiment``: {name, title, question, workloads: [{name, title, about, unit}],
    controls: [{name, about}]}.
    ``run``: {started (UTC, ISO 8601), seed, blocks, threads (counts within the cores),
    oversubscribed (count), mode "quick" or "full", command, commit (empty if not known)}.
    ``arms``: [{name, version, free_threaded, gil, flags {optimisation, pgo, lto,
    shared_library}}].
    ``machine``: {cpu, cores, budget (cores), memory_bytes, kernel, machine, libc}.
    ``data``: {about, images, digest, jpeg_bytes, annotations}.

``process`` (one per worker process)
    ``role``: "reference" (serial engine, not timed) or "measure"; ``arm``; ``threads``;
    ``block`` (-1 for a reference) and ``position`` in it; ``order`` of what it ran; ``seconds``.
    ``before``, ``after``: {version, free_threaded, gil, flags, load, steal_seconds, collections}.
    ``provenance``: {python, config_args, switch_interval, gc_threshold, packages, affinity,
    source_digest, malloc_arena_max, extension_modules}.
    ``workloads``: by name {digest, sample} and, when measured, {throughput (units/s),
    cpu_seconds_per_item (both null where refused), windows: [{seconds, items, cpu_seconds, steal,
    others (shares of the CPU set), accepted}], warmup_windows, settled, refused (windows),
    peak_bytes, base_bytes}.
    ``controls``: by name {ratio, one, many (units/s; null where refused), refused (pairs)}.
    A cell with a refused sample may come a second time in its block; the later line counts.

``end`` (last line; missing if the machine went down)
    ``status``: "complete", "interrupted" or "failed"; ``reason``; ``finished`` (UTC).

A file whose header has ``form`` "costs" (since 1.1) differs in what it measured:

``header``
    ``experiment``: {name, title, question, cells: [{name, title, about, unit, better, baseline,
    contenders: [{name, title}]}], claims: [{text, cell, contender, better, limit, against, per,
    across}], controls, one_thread (since 1.2: contenders use the calling thread alone)}. ``run``
    has neither thread counts nor ``oversubscribed``. Parts of a contender (since 1.2) stand among
    the contenders.
``process``
    In place of ``threads`` (2, those of the controls) and ``workloads`` counts ``cells``: by name
    {digest (of the outputs, or empty), seconds, contenders: by name {amount, windows: [{value (in
    the cell's unit), seconds, steal, others, accepted}]}}. Window n of each contender is of the
    same round; a part's windows are its contender's. Since 1.2, one that could not be imported
    has ``missing`` (the reason) instead of ``amount``, and no windows; ``peers`` has the versions
    of the experiment's own packages. There are no references: outputs are checked in every window.

A minor version adds fields, a major one changes meanings; readers refuse other majors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import DataError

SCHEMA = "1.2"
#: The ``form`` of a file that compares costs; files of other experiments have none.
COSTS = "costs"
FILE_NAME = "results.jsonl"


class Writer:
    """Appends records to a new result file; each line reaches the disk before the call returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        # "x": an existing result file is never written over.
        self._file = path.open("x", encoding="utf-8")

    def header(self, record: Mapping[str, Any]) -> None:
        """Write the first line; the schema version is added."""
        self._write({"kind": "header", "schema": SCHEMA, **record})

    def process(self, record: Mapping[str, Any]) -> None:
        """Append what one worker process returned."""
        self._write({"kind": "process", **record})

    def end(self, status: str, reason: str, finished: str) -> None:
        """Append the last line."""
        self._write({"kind": "end", "status": status, "reason": reason, "finished": finished})

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, allow_nan=False, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


@dataclass(frozen=True)
class ResultFile:
    """A result file as read.

    Attributes:
        header: the first line.
        processes: the measuring processes, in file order.
        references: the serial reference processes, one per arm.
        end: the last line; ``None`` where the run was cut off without one.
    """

    header: Mapping[str, Any]
    processes: tuple[Mapping[str, Any], ...]
    references: tuple[Mapping[str, Any], ...]
    end: Mapping[str, Any] | None

    @property
    def status(self) -> str:
        """How the run ended; ``"interrupted"`` where the file has no last line."""
        return str(self.end["status"]) if self.end else "interrupted"


def find(path: Path) -> Path:
    """Return the result file that a path names: itself, or the one in the folder.

    Raises:
        DataError: there is none.
    """
    candidate = path / FILE_NAME if path.is_dir() else path
    if not candidate.is_file():
        raise DataError(f"{path}: no result file there; give a {FILE_NAME} or its folder")
    return candidate


def read(path: Path) -> ResultFile:
    """Read a result file.

    A last line that was cut off while being written is dropped, as an interrupted run leaves it;
    damage anywhere else is refused.

    Raises:
        DataError: not a result file, damaged, or of another schema version.
    """
    path = find(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines) and number > 1:
                break
            raise DataError(f"{path}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(record, dict) or "kind" not in record:
            raise DataError(f"{path}, line {number}: not a record of a result file")
        records.append(record)
    return _sort(path, records)


def _sort(path: Path, records: list[dict[str, Any]]) -> ResultFile:
    if not records or records[0]["kind"] != "header":
        raise DataError(f"{path}: the first line is not a header; this is not a result file")
    major = str(records[0].get("schema", "?")).partition(".")[0]
    mine = SCHEMA.partition(".")[0]
    if major != mine:
        raise DataError(
            f"{path}: schema version {records[0].get('schema')} cannot be read by this ftloader, "
            f"which reads {mine}.x; use the version that wrote it"
        )
    processes = [record for record in records if record["kind"] == "process"]
    ends = [record for record in records if record["kind"] == "end"]
    return ResultFile(
        header=records[0],
        processes=tuple(record for record in processes if record["role"] == "measure"),
        references=tuple(record for record in processes if record["role"] == "reference"),
        end=ends[-1] if ends else None,
    )
