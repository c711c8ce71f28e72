"""Sentences that can be traced: each says from which rows of which result files it was computed.

A rule is a pure function from rows to a sentence that names the rows it used. Given those rows
alone it says the same again; :func:`again` does that, and a test does it for every sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError


@dataclass(frozen=True)
class Row:
    """One line of a result file: its number, counted from 1, and what it holds."""

    line: int
    record: Mapping[str, Any]


#: Rows by the path of their file below the experiments folder.
Files = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Source:
    """Rows of one file: its path below the experiments folder, and the lines."""

    file: str
    lines: tuple[int, ...]

    def __str__(self) -> str:
        noun = "line" if len(self.lines) == 1 else "lines"
        return f"{self.file}, {noun} {spans(self.lines)}"


@dataclass(frozen=True)
class Sentence:
    """What is said, where from, and how.

    Attributes:
        text: plain sentences; ``**`` marks what matters most, as in Markdown.
        sources: the rows it was computed from.
        rule: gives the same sentence again from these rows.
    """

    text: str
    sources: tuple[Source, ...]
    rule: Rule


Rule = Callable[[Files], Sentence]


def sentence(rule: Rule, text: str, used: Mapping[str, Iterable[Row]]) -> Sentence:
    """Return a sentence of a rule with the rows it used, each once and in order."""
    sources = tuple(
        Source(file, tuple(sorted({row.line for row in rows}))) for file, rows in used.items()
    )
    return Sentence(text, tuple(one for one in sources if one.lines), rule)


def again(said: Sentence, root: Path) -> Sentence:
    """Make a sentence again from the rows that it names, and from nothing else.

    Args:
        said: the sentence.
        root: the experiments folder.

    Raises:
        DataError: a file is not there any more, or not as it was.
    """
    files = {}
    for source in said.sources:
        wanted = set(source.lines)
        files[source.file] = [row for row in read(root / source.file) if row.line in wanted]
    return said.rule(files)


def read(path: Path) -> tuple[Row, ...]:
    """Read a file of JSON lines.

    Raises:
        DataError: it cannot be read, or a line is no JSON object.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: not a record of a result file")
        found.append(Row(number, record))
    return tuple(found)


def spans(numbers: Sequence[int]) -> str:
    """Write ascending numbers with runs drawn together: ``1, 3–5``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(
        str(part[0]) if len(part) == 1 else f"{part[0]}\u2013{part[-1]}" for part in parts
    )


def of_kind(rows: Sequence[Row], kind: str) -> list[Row]:
    """Return the rows of one kind, whichever of the two names its file gives the field."""
    return [row for row in rows if row.record.get("kind", row.record.get("record")) == kind]


def measured(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of processes that count: not those of a block that was run again."""
    kept: list[Row] = []
    for row in rows:
        kind = row.record.get("kind")
        if kind == "process" and row.record["role"] == "measure":
            kept.append(row)
        elif kind == "resume":
            repeated = set(row.record["repeated"])
            kept = [one for one in kept if one.record.get("block") not in repeated]
    return kept
