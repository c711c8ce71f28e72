"""Result files: append-only JSON lines with a schema version, readable on any machine.

A file is one run. Each line is one JSON object with a ``kind``; lines are only ever appended, but
for a last one that was cut off, which is replaced when the run goes on. Readers drop it, and pass
over kinds and fields that they do not know. Nothing in a file is a path of the machine, its name or
that of a person. What follows holds for the form without a name, in which workloads are run at
thread counts; the other forms say below in what they differ.

``header`` (first line, once)
    ``schema``: "MAJOR.MINOR".
    ``experiment``: {name, title, question, workloads: [{name, title, about, unit}],
    controls: [{name, about}]}.
    ``run``: {started (UTC, ISO 8601), seed, blocks, threads (counts within the cores),
    oversubscribed (count), mode "quick" or "full", command, commit of the experiment (empty if not
    known; with "+changes" if its tracked files differ)}. Since 1.3 also {settings (how long things
    were measured, by name), source_digest (of ftloader's code), experiment_digest (of the
    experiment's)}.
    ``arms``: [{name, version, free_threaded, gil, flags {optimisation, pgo, lto, shared_library},
    workers (since 1.3: "threads", or "processes" of a pool)}].
    ``environments`` (since 1.3): by arm {distribution: version} of all that is installed.
    ``machine``: {cpu, cores (logical CPUs in the set that processes stay on; before 1.3 those that
    they might use), budget (cores), memory_bytes, kernel, machine, libc}. Since 1.3 also {cpus (the
    set; empty where processes cannot be pinned), cpus_how (how it was chosen), available (logical
    CPUs to choose from), physical_cores (among these; null if not known), quota (cores that the
    container may keep busy; null for no limit), smt ("on", "off"), governor, turbo ("on", "off"),
    huge_pages; empty where the kernel does not say}.
    ``data``: {about, images, digest, jpeg_bytes, annotations}.

``process`` (one per worker process)
    ``role``: "reference" (serial engine, not timed) or "measure"; ``arm``; ``threads``;
    ``block`` (-1 for a reference) and ``position`` in it; ``order`` of what it ran; ``seconds``.
    ``before``, ``after``: {version, free_threaded, gil, flags, load, steal_seconds, collections}.
    ``provenance``: {python, config_args, switch_interval, gc_threshold, packages, affinity,
    source_digest, malloc_arena_max, extension_modules}, and since 1.3 variables (those of the
    environment that change speed, where set). ``affinity`` is the header's ``cpus``.
    ``workloads``: by name {digest, sample} and, when measured, {throughput (units/s),
    cpu_seconds_per_item (both null where refused), windows: [{seconds, items, cpu_seconds, steal,
    others (shares of the CPU set), accepted}], warmup_windows, settled, refused (windows),
    peak_bytes, base_bytes; of a pool of processes also per_task (items)}.
    ``controls``: by name {ratio, one, many (units/s; null where refused), refused (pairs)}.
    A cell with a refused sample may come a second time in its block; the later line counts.

``resume`` (since 1.3; where an interrupted run goes on)
    ``moment`` (UTC); ``after`` (why it had ended); ``commit``; ``load``; ``repeated``: blocks that
    had been cut in two and are measured again as a whole; ``superseded``: how many processes of
    theirs stand above this line. Those count nowhere, and neither does an ``end`` above.

``end`` (last line; missing if the machine went down)
    ``status``: "complete", "interrupted" or "failed"; ``reason``; ``finished`` (UTC).

A file whose header has ``form`` "costs" (since 1.1) differs in what it measured:

``header``
    ``experiment``: {name, title, question, cells: [{name, title, about, unit, better, baseline,
    contenders: [{name, title}]}], claims: [{text, cell, contender, better, limit, against, per,
    across}], limits, controls, one_thread (since 1.2: contenders use the calling thread alone)}.
    ``run`` has neither thread counts nor ``oversubscribed``. Parts of a contender (since 1.2) stand
    among the contenders.
``process``
    In place of ``threads`` (2, those of the controls) and ``workloads`` counts ``cells``: by name
    {digest (of the outputs, or empty), seconds, contenders: by name {amount, windows: [{value (in
    the cell's unit), seconds, steal, others, accepted}]}}. Window n of each contender is of the
    same round; a part's windows are its contender's. Since 1.2, one that could not be imported
    has ``missing`` (the reason) instead of ``amount``, and no windows; ``peers`` has the versions
    of the experiment's own packages. There are no references: outputs are checked in every window.

A file whose header has ``form`` "trials" (since 1.3) has one line for each trial, which is one
contender doing one cell's job in a process of its own, and two or more for one that was refused:

``header``
    ``experiment``: {name, title, question, metrics: [{name, title, unit, better ("lower", "higher"
    or empty), about}], contenders: [{name, title, needs (modules), gil ("any", "on" or "off": the
    arms it makes sense in)}], cells: [{name, title, about, settings, contenders (names), baseline
    (empty for none), group (of cells that are points of one plot, or empty), x, x_title}],
    hypotheses: [{text, cell, contender, metric, limit, better, against, against_cell,
    across_gil, arms}], unasked (hypotheses left out with the cells and contenders they speak of),
    limits, controls, deadline (seconds)}. ``run`` has neither thread counts nor
    ``oversubscribed``.
``process``
    ``cell`` and ``contender``: what was tried; both empty in the processes, one per arm and block,
    that measured the two ``controls``, whose ``threads`` is 2. Of a trial ``threads`` is 0 and
    ``controls`` is empty, and in place of ``workloads`` it has ``trial``: {values (by metric),
    digest (of the outputs, or empty), points (distributions by metric), notes, seconds,
    cpu_seconds (of the process and all that it started), steal, others, accepted}. A refused trial
    is tried once more in its block, and the accepted line counts. Where a contender
    cannot be imported ``trial`` is {missing (the reason)}, and the arm has no more lines of it.
    ``peers``: versions of the experiment's own packages.
    With ``role`` "failed": the process gave no answer. ``trial``: {failed (how it ended), words
    (its last lines)}; nothing is known of ``before``, ``after`` and ``provenance``.

A minor version adds fields, a major one changes meanings; readers refuse other majors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import DataError
from . import lines

SCHEMA = "1.3"
#: The ``form`` of a file that compares costs; files of other experiments have none.
COSTS = "costs"
#: The ``form`` of a file of trials, one contender on one cell in each process.
TRIALS = "trials"
FILE_NAME = "results.jsonl"


class Writer:
    """Appends records to a result file; each line reaches the disk before the call returns.

    Args:
        path: the file.
        resume: whether to go on with one that is there, rather than with a new one.

    Raises:
        FileExistsError: it is there and ``resume`` is false.
        DataError: it cannot be written to, or another process is doing so.
    """

    def __init__(self, path: Path, resume: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lines = lines.Appender(path, again=resume)

    def header(self, record: Mapping[str, Any]) -> None:
        """Write the first line; the schema version is added."""
        self._lines.append({"kind": "header", "schema": SCHEMA, **record})

    def process(self, record: Mapping[str, Any]) -> None:
        """Append what one worker process returned."""
        self._lines.append({"kind": "process", **record})

    def resume(self, record: Mapping[str, Any]) -> None:
        """Append that the run goes on here."""
        self._lines.append({"kind": "resume", **record})

    def end(self, status: str, reason: str, finished: str) -> None:
        """Append the last line."""
        self._lines.append(
            {"kind": "end", "status": status, "reason": reason, "finished": finished}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()


@dataclass(frozen=True)
class ResultFile:
    """A result file as read.

    Attributes:
        header: the first line.
        processes: the measuring processes, in file order.
        references: the serial reference processes, one per arm.
        failures: trials whose process gave no answer, in file order.
        end: the last line; ``None`` where the run was cut off without one.
        resumes: the moments at which the run was continued.
        superseded: processes of blocks that were interrupted and then repeated; they count nowhere.
    """

    header: Mapping[str, Any]
    processes: tuple[Mapping[str, Any], ...]
    references: tuple[Mapping[str, Any], ...]
    end: Mapping[str, Any] | None
    failures: tuple[Mapping[str, Any], ...] = ()
    resumes: tuple[Mapping[str, Any], ...] = ()
    superseded: tuple[Mapping[str, Any], ...] = ()

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
    return arrange(path, lines.read(path))


def arrange(path: Path, records: Sequence[Mapping[str, Any]]) -> ResultFile:
    """Return records as the result file that they are.

    Args:
        path: where they are from, for messages.
        records: in the order of the file's lines.

    Raises:
        DataError: the first is no header, or of another major version.
    """
    if not records or records[0]["kind"] != "header":
        raise DataError(f"{path}: the first line is not a header; this is not a result file")
    major = str(records[0].get("schema", "?")).partition(".")[0]
    mine = SCHEMA.partition(".")[0]
    if major != mine:
        raise DataError(
            f"{path}: schema version {records[0].get('schema')} cannot be read by this ftloader, "
            f"which reads {mine}.x; use the version that wrote it"
        )
    processes: list[Mapping[str, Any]] = []
    superseded: list[Mapping[str, Any]] = []
    end = None
    for record in records:
        if record["kind"] == "process":
            processes.append(record)
        elif record["kind"] == "end":
            end = record
        elif record["kind"] == "resume":
            end, repeated = None, set(record["repeated"])
            superseded += [one for one in processes if one.get("block") in repeated]
            processes = [one for one in processes if one.get("block") not in repeated]
    return ResultFile(
        header=records[0],
        processes=tuple(record for record in processes if record["role"] == "measure"),
        references=tuple(record for record in processes if record["role"] == "reference"),
        end=end,
        failures=tuple(record for record in processes if record["role"] == "failed"),
        resumes=tuple(record for record in records if record["kind"] == "resume"),
        superseded=tuple(superseded),
    )
