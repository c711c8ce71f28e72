"""Every committed result file is read, and what files hold is what the documentation says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ftloader.lab import check, results
from ftloader.lab.costs import check as costs_check
from ftloader.lab.trials import check as trials_check

ROOT = Path(__file__).parents[2] / "experiments"
COMMITTED = sorted(ROOT.glob("*/results/*/results.jsonl"))
OTHERS = sorted(set(ROOT.glob("*/results/*/*.jsonl")) - set(COMMITTED))
CHECKS = {None: check, "costs": costs_check, "trials": trials_check}
WORDS = set(re.findall(r"[a-z_]+", results.__doc__ or ""))

#: Fields of a header that are the same in all forms, by the version that brought them.
RUN = {"started", "seed", "blocks", "mode", "command", "commit"}
RUN_13 = {"settings", "source_digest", "experiment_digest"}
MACHINE = {"cpu", "cores", "budget", "memory_bytes", "kernel", "machine", "libc"}
MACHINE_13 = {
    "cpus",
    "cpus_how",
    "available",
    "physical_cores",
    "quota",
    "smt",
    "governor",
    "turbo",
    "huge_pages",
}
ARM = {"name", "version", "free_threaded", "gil", "flags"}
DATA = {"about", "images", "digest", "jpeg_bytes", "annotations"}
EXPERIMENT = {
    None: {"name", "title", "question", "workloads", "controls"},
    "costs": {"name", "title", "question", "cells", "claims", "limits", "controls"},
    "trials": {
        *("name", "title", "question", "metrics", "contenders", "cells", "hypotheses"),
        *("unasked", "limits", "controls", "deadline"),
    },
}
PROCESS = {
    *("kind", "role", "arm", "threads", "block", "position", "order", "seconds", "before", "after"),
    *("provenance", "controls"),
}
MEASURED = {None: {"workloads"}, "costs": {"cells"}, "trials": {"cell", "contender"}}
MOMENT = {"version", "free_threaded", "gil", "flags", "load", "steal_seconds", "collections"}
PROVENANCE = {
    *("python", "config_args", "switch_interval", "gc_threshold", "packages", "affinity"),
    *("source_digest", "malloc_arena_max", "extension_modules"),
}
# Their keys are names of things, not of fields.
NAMED = {
    *("workloads", "controls", "cells", "contenders", "environments", "packages", "peers"),
    *("variables", "settings", "flags", "values", "points"),
}


def version(file):
    return tuple(int(part) for part in str(file.header["schema"]).split("."))


def missing(file):
    """Name the fields that a file should have and has not."""
    new = version(file) >= (1, 3)
    form = file.header.get("form")
    header = file.header
    wanted = [
        (header["run"], RUN | (RUN_13 if new else set())),
        (header["machine"], MACHINE | (MACHINE_13 if new else set())),
        (header["data"], DATA),
        (header["experiment"], EXPERIMENT[form]),
    ]
    if form is None:
        wanted.append((header["run"], {"threads", "oversubscribed"}))
    if new:
        wanted.append((header["environments"], {arm["name"] for arm in header["arms"]}))
    wanted += [(arm, ARM | ({"workers"} if new else set())) for arm in header["arms"]]
    for record in (*file.processes, *file.references):
        wanted.append((record, PROCESS | MEASURED[form]))
        wanted += [(record[moment], MOMENT) for moment in ("before", "after")]
        wanted.append((record["provenance"], PROVENANCE | ({"variables"} if new else set())))
    return sorted({name for found, names in wanted for name in names - found.keys()})


def undocumented(value):
    """Name the fields in a record that the documentation does not name."""
    if isinstance(value, list):
        return set().union(*map(undocumented, value))
    if not isinstance(value, dict):
        return set()
    found = {name for name in value if not set(re.findall(r"[a-z_]+", name)) <= WORDS}
    for name, inner in value.items():
        if name == "environments":  # names below names
            continue
        parts = inner.values() if name in NAMED and isinstance(inner, dict) else [inner]
        for part in parts:
            found |= undocumented(part)
    return found


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: str(path.relative_to(ROOT).parent))
def test_a_committed_file_is_read_has_its_fields_and_can_be_believed(path):
    file = results.read(path)
    assert file.status == "complete"
    assert missing(file) == []
    CHECKS[file.header.get("form")].result(file)


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_committed_file_of_another_kind_is_json_with_a_schema(path):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines[0]["record"] == "header"
    assert lines[0]["schema"] == 1
    assert all("record" in line for line in lines)


@pytest.mark.skipif(not ROOT.is_dir(), reason="needs the repository's experiments")
def test_there_are_committed_files_to_read():
    assert COMMITTED
    assert OTHERS


def test_a_new_file_has_every_field_and_none_that_is_not_documented(finished, records):
    assert missing(results.read(finished)) == []
    assert set().union(*map(undocumented, records)) == set()


def test_a_field_that_is_not_documented_would_be_found():
    assert undocumented({"workloads": {"mine": {"no_such_field": 1}}}) == {"no_such_field"}


def test_a_new_file_says_what_was_installed_and_what_ran(records):
    header = records[0]
    (arm,) = header["arms"]
    installed = header["environments"][arm["name"]]
    assert installed["numpy"] == records[1]["provenance"]["packages"]["numpy"]
    assert installed["ftloader"]
    digests = {one["provenance"]["source_digest"] for one in records if one["kind"] == "process"}
    assert digests == {header["run"]["source_digest"]}
    assert header["run"]["settings"]["windows"] == 3
