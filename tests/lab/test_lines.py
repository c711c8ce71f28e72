"""Files of JSON lines: whole after any interruption, written by one process at a time."""

from __future__ import annotations

import os

import pytest

from ftloader.errors import DataError
from ftloader.lab import lines

ONE, TWO = {"kind": "one", "text": "µ \u2028 line"}, {"kind": "two"}


def written(path, *records, again=False):
    appender = lines.Appender(path, again=again)
    for record in records:
        appender.append(record)
    appender.close()
    return path


def test_what_was_appended_is_read_in_order(tmp_path):
    path = written(tmp_path / "a", ONE)
    written(path, TWO, again=True)
    assert lines.read(path) == [ONE, TWO]


@pytest.mark.parametrize(
    "torn", [b'{"kind": "th', b'{"kind": "\xc3', b"\0\0\0\0", b'{"kind": "three"\n', b"\n"]
)
def test_a_line_that_was_cut_off_is_dropped_and_then_replaced(tmp_path, torn):
    path = written(tmp_path / "a", ONE)
    with path.open("ab") as file:
        file.write(torn)
    assert lines.read(path) == [ONE]
    written(path, TWO, again=True)
    assert lines.read(path) == [ONE, TWO]
    assert path.read_bytes().count(b"\n") == 2


def test_a_whole_line_that_only_lost_its_end_is_kept(tmp_path):
    path = written(tmp_path / "a", ONE)
    os.truncate(path, path.stat().st_size - 1)
    written(path, TWO, again=True)
    assert lines.read(path) == [ONE, TWO]


def test_opening_a_file_changes_nothing_in_it(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b'{"kind": "one"}\n{"ki')
    lines.Appender(path, again=True).close()
    assert path.read_bytes() == b'{"kind": "one"}\n{"ki'


def test_a_file_that_is_there_is_not_made_anew_and_one_that_is_not_is_not_continued(tmp_path):
    path = written(tmp_path / "a", ONE)
    with pytest.raises(FileExistsError):
        lines.Appender(path)
    with pytest.raises(DataError, match="cannot be written"):
        lines.Appender(tmp_path / "none", again=True)


def test_damage_in_the_middle_is_refused_with_its_line(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b'{"kind": "one"}\n\xc3\n{"kind": "two"}\n')
    with pytest.raises(DataError, match=r"line 2: not JSON \(not UTF-8\)"):
        lines.read(path)


def test_a_number_that_json_does_not_have_leaves_the_file_as_it_was(tmp_path):
    appender = lines.Appender(tmp_path / "a")
    appender.append(ONE)
    with pytest.raises(ValueError, match="JSON"):
        appender.append({"kind": "bad", "value": float("nan")})
    appender.append(TWO)
    appender.close()
    assert lines.read(tmp_path / "a") == [ONE, TWO]
