"""Append-only files of JSON lines that survive Ctrl-C, a kill and a machine that goes down.

A line is on the disk before :meth:`Appender.append` returns. What an interruption leaves of a line
is cut off before the next one is written, so damage can only be at the end of a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError

try:
    import fcntl
except ImportError:  # not a Unix; nothing guards against two writers there
    fcntl = None  # type: ignore[assignment]


class Appender:
    """Appends records to a new file, or to one that is there.

    Thread safety: belongs to one thread. Two processes cannot append to one file at a time.

    Args:
        path: the file.
        again: whether it is there; otherwise it must not be.

    Raises:
        FileExistsError: it is there and should not be.
        DataError: it cannot be opened, or another process is appending to it.
    """

    def __init__(self, path: Path, again: bool = False) -> None:
        try:
            # "x": an existing file is never written over. Unbuffered: an interrupt in the middle
            # of a write leaves nothing behind that a later write would bring out.
            self._file = path.open("r+b" if again else "x+b", buffering=0)
        except FileExistsError:
            raise
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror}") from error
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._file.close()
                raise DataError(f"{path}: another process is writing to it") from None
        self._end = _whole(path.read_bytes()) if again else 0

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one line, after cutting off what there is of a line that was not finished."""
        line = json.dumps(record, allow_nan=False, ensure_ascii=False).encode() + b"\n"
        self._file.seek(self._end)
        self._file.truncate()
        if self._end and not self._ends_with_newline():
            line = b"\n" + line
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self._end += len(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _ends_with_newline(self) -> bool:
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) == b"\n"


def read(path: Path) -> list[dict[str, Any]]:
    """Read all records of a file with a ``kind``; a last line that was cut off is dropped.

    Raises:
        DataError: the file cannot be read, or is damaged anywhere else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    lines = data[: _whole(data)].removesuffix(b"\n").split(b"\n") if data else []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line.decode())
        except ValueError as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8"
            raise DataError(f"{path}, line {number}: not JSON ({why})") from error
        if not isinstance(record, dict) or "kind" not in record:
            raise DataError(f"{path}, line {number}: not a record of a result file")
        records.append(record)
    return records


def _whole(data: bytes) -> int:
    """Return where the last whole line ends; a single line counts, whole or not."""
    text = data.rstrip(b"\n")
    start = text.rfind(b"\n") + 1
    try:
        json.loads(text[start:].decode())
    except ValueError:  # not JSON, or not even text
        return start or len(data)
    return min(len(data), len(text) + 1)
