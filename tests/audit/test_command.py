"""``python -m ftloader audit``, run as its user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ftloader
from ftloader.audit.command import SCHEMA, main
from ftloader.audit.options import parse
from ftloader.audit.verdict import DETECTORS, Verdict
from ftloader.errors import AuditError

OWN = """
import numpy as np
def samples():
    return [{"img": np.full((8, 8, 3), value, np.uint8)} for value in range(4)]
class Good:
    def __init__(self, gain=2): self.gain = gain
    def __call__(self, sample, rng): return {**sample, "img": sample["img"] * self.gain}
class Counts:
    def __init__(self): self.calls = 0
    def __call__(self, sample, rng):
        self.calls += 1
        return {**sample, "calls": self.calls}
class Ordered(Counts):
    thread_safety = "order-dependent"
class Fails:
    def __init__(self): raise OSError("no such file")
"""
QUICK = ("--samples", "own:samples", "--style", "sample-rng", "--only", "scan,call,permutation")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(ftloader.__file__).parents[1])
    fixed = {"PYTHONPATH": source, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "ftloader", "audit", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=110,
        check=False,
        cwd=folder,
        env={**os.environ, **fixed, **environment},
    )


def test_a_safe_transform_of_the_current_folder_exits_with_0(folder: Path) -> None:
    done = run(folder, "own:Good", "--args", '{"gain": 3}', *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("own:Good: stateless\n  threads may share one instance\n")
    assert done.stderr == ""  # progress is for terminals
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b[" not in done.stdout


def test_an_unsafe_one_exits_with_1_and_says_where(folder: Path) -> None:
    done = run(folder, "own:Counts", *QUICK, "--color", "always", PYTHONIOENCODING="ascii")
    assert done.returncode == 1, done.stderr
    assert "changes self.calls in __call__()" in done.stdout
    assert "own.py:11" in done.stdout
    assert "\x1b[" in done.stdout
    assert done.stdout.isascii()


def test_a_class_can_be_allowed(folder: Path) -> None:
    assert run(folder, "own:Ordered", *QUICK).returncode == 1
    done = run(folder, "own:Ordered", *QUICK, "--allow", "order-dependent")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("own:Ordered: order-dependent\n")


def test_json_goes_to_a_file_besides_the_table_or_to_stdout_alone(folder: Path) -> None:
    done = run(folder, "own:Counts", *QUICK, "--json", "verdict.json")
    document = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert (document.pop("schema"), document.pop("version")) == SCHEMA
    assert [part["detector"] for part in document["evidence"]] == ["scan", "call", "permutation"]
    assert Verdict.from_json(document).target in done.stdout.splitlines()[0]
    alone = run(folder, "own:Counts", *QUICK, "--json", "-")
    assert json.loads(alone.stdout)["safety"] == document["safety"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("own:Missing",), "own has no Missing"),
        (("nowhere:Good",), "nowhere cannot be imported"),
        (("own:Fails",), "own:Fails cannot be made: OSError: no such file"),
        (("own",), "'own' names nothing; write package.module:name"),
        (("own:Good", "--args", "{"), "is no JSON"),
        (("own:Good", "--only", "scans"), "there is no detector 'scans'; choose from scan, call"),
        (("own:Good", "--style", "strange"), "strange"),
        (("own:Good", "--json", "no/where.json"), "there is no folder 'no'"),
    ],
)
def test_what_cannot_be_audited_exits_with_2_and_one_line(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run(folder, *arguments)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.startswith("ftloader: ")
    assert done.stderr.count("\n") == 1


def test_help_names_every_detector(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text and about in text for name, about in DETECTORS.items())


def test_options_say_which_detectors_run_and_what_the_transform_is_made_with() -> None:
    options = parse(["a:b", "--skip", "hammer,park", "--args", "[1, 2]", "--threads", "2,3"])
    assert options.detectors == tuple(n for n in DETECTORS if n not in ("hammer", "park"))
    assert (options.args, options.kwargs, options.threads) == ((1, 2), {}, (2, 3))
    assert parse(["a:b", "--only", "park,scan"]).detectors == ("scan", "park")
    assert parse(["a:b", "--args", "{'size': (1, 2)}"]).kwargs == {"size": (1, 2)}
    plain = parse(["a:b"])
    assert (plain.args, plain.kwargs, plain.detectors) == ((), None, None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["a:b", "--threads", "1"],
        ["a:b", "--threads", "two"],
        ["a:b", "--seconds", "0"],
        ["a:b", "--seconds", "nan"],
        ["a:b", "--only", "scan", "--skip", "park"],
        ["a:b", "--allow", "anything"],
        ["a:b", "--args", "3"],
        ["a:b", "--args", "{1: 2}"],
        ["a:b", "--args", "open('x')"],
        ["a:b", "--only", ","],
        ["a:b", "--skip", ",".join(DETECTORS)],
        [],
    ],
)
def test_bad_options_are_refused_before_anything_runs(arguments: list[str]) -> None:
    with pytest.raises(AuditError, match=r"^audit: "):
        parse(arguments)
