"""Result files: written once, read anywhere, refused when they cannot be understood."""

from __future__ import annotations

import json

import pytest

from ftloader.errors import DataError
from ftloader.lab import results


def test_what_was_written_is_what_is_read(tmp_path):
    path = tmp_path / "run" / results.FILE_NAME
    with results.Writer(path) as writer:
        writer.header({"experiment": {"name": "µ-test"}})
        writer.process({"role": "reference", "arm": "3.12"})
        writer.process({"role": "measure", "arm": "3.12", "seconds": 0.1})
        writer.end("complete", "", "2026-01-01T00:00:00+00:00")
    found = results.read(path.parent)
    assert found.header["experiment"] == {"name": "µ-test"}
    assert found.header["schema"] == results.SCHEMA
    assert [record["role"] for record in found.processes] == ["measure"]
    assert [record["role"] for record in found.references] == ["reference"]
    assert found.status == "complete"


def test_every_line_is_on_disk_before_the_next_is_measured(tmp_path):
    path = tmp_path / results.FILE_NAME
    with results.Writer(path) as writer:
        writer.header({})
        writer.process({"role": "measure"})
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_a_result_file_is_never_written_over(tmp_path):
    path = tmp_path / results.FILE_NAME
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(FileExistsError):
        results.Writer(path)
    assert path.read_text(encoding="utf-8") == "precious"


def test_a_run_that_was_cut_off_is_read_as_interrupted_without_its_torn_line(tmp_path):
    path = tmp_path / results.FILE_NAME
    header = json.dumps({"kind": "header", "schema": results.SCHEMA})
    whole = json.dumps({"kind": "process", "role": "measure"})
    path.write_text(f"{header}\n{whole}\n{whole[:20]}", encoding="utf-8")
    found = results.read(path)
    assert (len(found.processes), found.status) == (1, "interrupted")


@pytest.mark.parametrize("schema", ["2.0", "0.9", "?"])
def test_another_major_version_is_refused_by_name(tmp_path, schema):
    path = tmp_path / results.FILE_NAME
    path.write_text(json.dumps({"kind": "header", "schema": schema}), encoding="utf-8")
    with pytest.raises(DataError, match=r"schema version .* cannot be read"):
        results.read(path)


def test_a_later_minor_version_is_read(tmp_path):
    path = tmp_path / results.FILE_NAME
    record = {"kind": "header", "schema": "1.7", "new": True}
    path.write_text(json.dumps(record), encoding="utf-8")
    assert results.read(path).header["new"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a header"),
        ("not json", "line 1: not JSON"),
        ("[1, 2]", "line 1: not a record"),
        ('{"kind": "process", "role": "measure"}', "not a header"),
        ('{"kind": "header", "schema": "1.0"}\n{torn\n{"kind": "end"}', "line 2: not JSON"),
    ],
)
def test_damage_is_refused_with_the_line(tmp_path, text, said):
    path = tmp_path / results.FILE_NAME
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        results.read(path)


def test_a_folder_without_a_result_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="no result file"):
        results.read(tmp_path)
