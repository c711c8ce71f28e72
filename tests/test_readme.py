"""The README keeps its word: its example runs, its commands exist, its figures are measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ftloader.lab import report

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_as_printed(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={"XDG_CACHE_HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    assert all(line.count("3)") == 8 for line in lines)


def test_every_session_named_in_the_documentation_exists() -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    documents = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"noxw -s ([\w.-]+)", documents)):
        family = re.sub(r"-3\.\d+t?$", "", name)
        assert f'"{name}"' in noxfile or f'f"{family}-{{name}}"' in noxfile, name


@pytest.mark.parametrize("path", sorted({*re.findall(r"\]\((?!http)([^)#]+)\)", README)}))
def test_every_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("block", re.findall(r"<!-- results(.*?)<!-- end of", README, re.DOTALL))
def test_every_measured_figure_stands_in_the_report_made_from_the_result_file(block: str) -> None:
    (path,) = set(re.findall(r"\]\((experiments/\S+/report\.md)\)", block))
    text = (ROOT / path).read_text(encoding="utf-8")
    lines = [
        line
        for line in block.splitlines()
        if re.match(r"\| (?!Arm|Target)|- (\*\*|Measured|Under)", line)
    ]
    assert len(lines) > 3
    for line in lines:
        assert line in text


@pytest.mark.parametrize(
    "results", sorted((ROOT / "experiments").glob("*/results/*/results.jsonl")), ids=str
)
def test_a_committed_report_is_what_its_result_file_gives(results: Path, tmp_path: Path) -> None:
    assert report.main([str(results), "--out", str(tmp_path)]) == 0
    expected = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert results.with_name("report.md").read_text(encoding="utf-8") == expected
