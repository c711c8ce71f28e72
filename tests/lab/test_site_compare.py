"""Comparing runs: what is planted is found, what is noise is not, and times are never compared."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftloader.lab import report
from ftloader.lab.site import between, compare, find, ratios
from ftloader.lab.site.compare import MARGIN, judge
from ftloader.lab.site.ratios import Ratio

ROOT = Path(__file__).parents[2] / "experiments"
ENGINE = sorted((ROOT / "engine_overhead" / "results").iterdir())[:2]


def ratio(values: Sequence[float], better: str = "higher") -> Ratio:
    return Ratio(("x",), "panel", "line", better, dict(enumerate(values)))


def noisy(rng: np.random.Generator, middle: float, spread: float, blocks: int = 10) -> Ratio:
    return ratio(list(middle * np.exp(rng.normal(0, spread, blocks))))


def verdicts(pairs: Sequence[tuple[Ratio, Ratio]]) -> list[str]:
    return [change.verdict for change in judge(pairs, seed=0)]


@pytest.mark.parametrize(
    ("better", "factor", "said"),
    [
        ("higher", 0.9, "regressed"),
        ("higher", 1.1, "improved"),
        ("lower", 0.9, "improved"),
        ("lower", 1.1, "regressed"),
        ("", 0.9, "changed"),
    ],
)
def test_a_planted_difference_of_a_tenth_is_found_and_called_by_its_direction(
    better: str, factor: float, said: str
) -> None:
    rng = np.random.default_rng(1)
    before = [1.5 * math.exp(x) for x in rng.normal(0, 0.01, 10)]
    after = [1.5 * factor * math.exp(x) for x in rng.normal(0, 0.01, 10)]
    assert verdicts([(ratio(before, better), ratio(after, better))]) == [said]


def test_runs_without_a_difference_are_hardly_ever_told_apart() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(
        bool({"regressed", "improved"} & set(verdicts(pairs)))
        for _ in range(30)
        for pairs in [[(noisy(rng, 1.2, 0.05), noisy(rng, 1.2, 0.05)) for _ in range(4)]]
    )
    assert alarms <= 4  # at most 5 % of tables; more than 4 of 30 then has odds of 2 %


def test_no_difference_is_claimed_only_where_the_interval_lies_within_the_margin() -> None:
    rng = np.random.default_rng(3)
    quiet, loud = ((noisy(rng, 2.0, s), noisy(rng, 2.0, s)) for s in (0.002, 0.2))
    assert verdicts([quiet, loud]) == ["no difference", "not resolved"]


def test_a_difference_smaller_than_the_margin_is_no_regression() -> None:
    rng = np.random.default_rng(4)
    pair = noisy(rng, 1.0, 0.001), noisy(rng, 1.0 - 0.9 * MARGIN, 0.001)
    assert verdicts([pair]) == ["no difference"]


def test_too_few_blocks_resolve_nothing_however_far_apart() -> None:
    (change,) = judge([(ratio([1.0] * 4), ratio([9.0] * 4))], seed=0)
    assert (change.verdict, change.p_value) == ("not resolved", None)


def test_the_more_is_compared_the_more_it_takes() -> None:
    rng = np.random.default_rng(5)
    planted = ratio([1.0, 1.01, 0.99, 1.02, 0.98]), ratio([0.7, 0.71, 0.69, 0.72, 0.68])
    noise = [(noisy(rng, 1.0, 0.1, 5), noisy(rng, 1.0, 0.1, 5)) for _ in range(20)]
    assert verdicts([planted]) == ["regressed"]
    assert verdicts([planted, *noise])[0] == "not resolved"


@pytest.mark.parametrize("sizes", [(5, 5), (3, 6), (1, 4)])
def test_the_test_is_exact(sizes: tuple[int, int]) -> None:
    m, n = sizes
    values = list(range(m + n))
    for mine in itertools.islice(itertools.combinations(values, m), 0, None, 7):
        others = [value for value in values if value not in mine]
        below = sum(a > b for a in mine for b in others)
        extreme = min(below, m * n - below)
        as_far = 0
        for dealt in itertools.combinations(values, m):
            rest = [value for value in values if value not in dealt]
            u = sum(a > b for a in dealt for b in rest)
            as_far += min(u, m * n - u) <= extreme
        exact = as_far / math.comb(m + n, m)
        assert between.mann_whitney_p(list(mine), others) == pytest.approx(exact)


def test_only_ratios_paired_within_a_run_are_compared(tmp_path: Path) -> None:
    """A machine half as fast changes every time and no ratio."""
    source = ENGINE[0]
    lines = (source / "results.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "slow").mkdir()
    with (tmp_path / "slow" / "results.jsonl").open("w", encoding="utf-8") as file:
        for record in map(json.loads, lines):
            if record["kind"] == "process":
                slow_down(record)
            file.write(json.dumps(record) + "\n")
    found = compare.compare(find.result_set(source), find.result_set(tmp_path / "slow"))
    assert len(found.changes) > 100
    assert all(one.change.value == pytest.approx(1) for one in found.changes)
    assert {one.verdict for one in found.changes} <= {"no difference", "not resolved"}


def slow_down(record: dict[str, Any]) -> None:
    for cell in record["cells"].values():
        for contender in cell["contenders"].values():
            for window in contender["windows"]:
                window["value"] *= 2


def test_a_planted_regression_in_a_result_file_is_shown_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ENGINE[0]
    header, *lines = (source / "results.jsonl").read_text(encoding="utf-8").splitlines()
    claim = next(one for one in json.loads(header)["experiment"]["claims"] if one["against"])
    (tmp_path / "worse").mkdir()
    with (tmp_path / "worse" / "results.jsonl").open("w", encoding="utf-8") as file:
        file.write(header + "\n")
        for record in map(json.loads, lines):
            if record["kind"] == "process":
                for window in record["cells"][claim["cell"]]["contenders"][claim["contender"]][
                    "windows"
                ]:
                    window["value"] *= 4 if claim["better"] == "lower" else 0.25
            file.write(json.dumps(record) + "\n")
    asked = ["--compare", str(source), str(tmp_path / "worse"), "--out", str(tmp_path / "out")]
    assert report.main(asked) == 0
    assert f"regressed: {claim['text']}" in capsys.readouterr().out
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    twin = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert 'regressed">regressed</td>' in page
    assert "**regressed**" in twin


def test_only_a_ratio_with_a_direction_can_regress() -> None:
    for one in ratios.of(find.result_set(ENGINE[0])).values():
        assert bool(one.better) is one.matters  # claims, and nothing else of this form


def test_sets_of_different_experiments_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scaling,) = sorted((ROOT / "scaling" / "results").iterdir())[:1]
    out = tmp_path / "out"
    assert report.main(["--compare", str(ENGINE[0]), str(scaling), "--out", str(out)]) == 2
    assert "give two result sets of one experiment" in capsys.readouterr().err
    assert not out.exists()


def trial(block: int, contender: str, steps: float, accepted: bool = True) -> dict[str, Any]:
    return {
        "kind": "process",
        "role": "measure",
        "arm": "3.12",
        "block": block,
        "cell": "count",
        "contender": contender,
        "trial": {"values": {"steps": steps}, "accepted": accepted},
    }


def test_trials_give_the_ratios_of_their_baselines_and_hypotheses(tmp_path: Path) -> None:
    names = ("once", "twice", "thrice")
    hypothesis = {
        "text": "thrice over twice",
        "cell": "count",
        "contender": "thrice",
        "metric": "steps",
        "limit": 2,
        "better": "lower",
        "against": "twice",
        "against_cell": "",
        "across_gil": False,
        "arms": "all",
    }
    header = {
        "kind": "header",
        "schema": "1.3",
        "form": "trials",
        "machine": {"cpu": "x", "cores": 2},
        "run": {"seed": 1},
        "arms": [
            {"name": "3.12", "version": "3.12.1", "free_threaded": False, "gil": True, "flags": {}}
        ],
        "experiment": {
            "name": "counting",
            "metrics": [{"name": "steps", "title": "Steps", "better": "lower"}],
            "contenders": [{"name": name, "title": name} for name in names],
            "cells": [{"name": "count", "title": "Count", "baseline": "once", "contenders": names}],
            "hypotheses": [hypothesis],
        },
    }
    records = [header]
    for block in range(5):
        records += [trial(block, name, n + block) for n, name in enumerate(names, 1)]
    records += [trial(5, "once", 1.0), trial(5, "twice", 9.0, accepted=False)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "results.jsonl").write_text(text, encoding="utf-8")
    found = ratios.of(find.result_set(tmp_path))
    baseline, other, tested = found.values()
    assert (baseline.line, baseline.better, baseline.matters) == ("twice, 3.12", "", False)
    assert baseline.by_block == {block: (2 + block) / (1 + block) for block in range(5)}
    assert other.by_block == {block: (3 + block) / (1 + block) for block in range(5)}
    assert (tested.panel, tested.better, tested.matters) == ("thrice over twice", "lower", True)
    assert tested.by_block == {block: (3 + block) / (2 + block) for block in range(5)}
