"""The thread-safety experiment runs, and its reports are what its result files say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "thread_safety"
RESULTS = sorted((EXPERIMENT / "results").glob("*/verdicts.jsonl"))


def run(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, str(EXPERIMENT / "run.py"), *arguments], check=True, timeout=110
    )


@pytest.mark.parametrize("results", RESULTS, ids=lambda path: path.parent.name)
def test_a_committed_report_is_made_of_its_result_file(results: Path, tmp_path: Path) -> None:
    shutil.copy(results, tmp_path)
    run("--report", str(tmp_path))
    made = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert made == (results.parent / "report.md").read_text(encoding="utf-8")


def test_a_smoke_run_audits_ours_and_says_what_is_absent(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run("--quick", "--only", "RandomFlip", "--interpreter", sys.executable, "--out", str(out))
    lines = (out / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    verdicts = {record["case"]: record["verdict"] for record in records if "verdict" in record}
    assert verdicts["RandomFlip"]["safety"] == "stateless"
    assert {record["group"] for record in records if "group" in record} >= {"ours", "mmcv"}
    assert (out / "report.html").read_text(encoding="utf-8").count("RandomFlip") >= 1


def test_every_figure_of_the_page_stands_in_a_committed_report() -> None:
    page = (EXPERIMENT.parents[1] / "docs" / "thread_safety.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- results.*?-->(.*?)<!-- end of results", page, re.DOTALL)
    reports = [path.with_name("report.md").read_text(encoding="utf-8") for path in RESULTS]
    rows = [line for line in block.splitlines() if re.match(r"\|.*\d", line)]
    assert len(rows) > 10
    for row in rows:
        assert any(row in report for report in reports), row
