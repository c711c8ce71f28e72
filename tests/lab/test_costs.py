"""Cost experiments: contenders in rounds, ratios inside rounds, targets judged by intervals."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from ftloader.errors import MeasurementError
from ftloader.lab import report, results
from ftloader.lab.costs import describe, measure
from ftloader.lab.costs.analyse import summarise, verdict
from ftloader.lab.statistics import Estimate

from .calling import called

TINY = Path(__file__).with_name("tiny_costs.py")


def run(folder, *arguments, fault=""):
    return called(TINY, folder, "--images", "2", "--gil", "on", *arguments, fault=fault)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("costs")


@pytest.fixture(scope="module")
def finished_costs(folder):
    done = run(folder, "--blocks", "2", "--out", "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def lines(finished_costs):
    text = (finished_costs / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def written(lines, folder):
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "results.jsonl").write_text(text, encoding="utf-8")
    return folder


def with_values(lines, blocks):
    """Return the run with the given rounds of (all, tenth) in each block; None is refused."""
    pattern = next(line for line in lines if line["kind"] == "process")
    made = [lines[0]]
    for block, rounds in enumerate(blocks):
        record = copy.deepcopy(pattern) | {"block": block}
        for place, name in enumerate(("all", "tenth")):
            found = record["cells"]["sums"]["contenders"][name]
            window = found["windows"][0]
            found["windows"] = [
                window | {"value": one[place] or 1.0, "accepted": one[place] is not None}
                for one in rounds
            ]
        record["cells"]["once"]["contenders"]["only"]["windows"][0]["accepted"] = True
        made.append(record)
    return [*made, lines[-1]]


def test_a_run_leaves_results_a_page_and_its_markdown_twin(finished_costs, lines):
    names = {path.name for path in finished_costs.iterdir()}
    assert names == {
        "results.jsonl",
        "index.html",
        "report.md",
        "sums.svg",
        "once.svg",
        "parts.svg",
    }
    processes = [line for line in lines if line["kind"] == "process"]
    assert [line["block"] for line in processes] == [0, 1]
    assert lines[0]["form"] == "costs"
    assert lines[-1]["status"] == "complete"


def test_the_amount_of_work_found_in_the_first_process_is_kept(lines):
    amounts = [
        {name: one["amount"] for name, one in line["cells"]["sums"]["contenders"].items()}
        for line in lines
        if line["kind"] == "process"
    ]
    assert amounts[0] == amounts[1]
    assert amounts[0]["tenth"] > amounts[0]["all"] > 1


def test_the_same_file_gives_the_same_report_which_asks_the_network_for_nothing(
    finished_costs, tmp_path
):
    assert report.main([str(finished_costs), "--out", str(tmp_path / "again")]) == 0
    for name in ("index.html", "report.md", "sums.svg"):
        assert (tmp_path / "again" / name).read_bytes() == (finished_costs / name).read_bytes()
    page = (finished_costs / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "tiny comparison &amp; &lt;more&gt;" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_no_path_of_this_machine_is_in_a_result_file(finished_costs):
    text = (finished_costs / "results.jsonl").read_text(encoding="utf-8")
    assert str(TINY.parent) not in text
    assert sys.prefix not in text


def test_ratios_are_taken_inside_rounds_and_summarised_over_blocks(lines, tmp_path):
    blocks = [[(100.0, 10.0), (1000.0, 300.0), (1.0, 0.2)], [(10.0, 4.0)], [(10.0, 5.0)]]
    summary = summarise(results.read(written(with_values(lines, blocks), tmp_path)))
    (ratio,) = summary.tables[0].rows[1].ratios
    assert ratio.value == pytest.approx(0.4)
    assert (ratio.low, ratio.high, ratio.blocks) == (pytest.approx(0.2), pytest.approx(0.5), 3)


def test_refused_windows_count_nowhere_but_are_counted(lines, tmp_path):
    blocks = [[(10.0, None), (20.0, 2.0)], [(None, 3.0)]]
    summary = summarise(results.read(written(with_values(lines, blocks), tmp_path)))
    every, tenth = summary.tables[0].rows
    assert (every.values[0].value, every.values[0].blocks) == (15.0, 1)
    assert tenth.values[0].value == 2.5
    assert (tenth.ratios[0].value, tenth.ratios[0].blocks) == (pytest.approx(0.1), 1)
    assert summary.refused_windows[0] >= 2


def test_a_claim_is_judged_by_its_whole_interval():
    def judged(low, high, better):
        return verdict(Estimate((low + high) / 2, low, high, 5), better, 2.0)

    assert judged(1.0, 2.0, "lower") == "met"
    assert judged(1.9, 2.1, "lower") == "undecided"
    assert judged(2.1, 2.2, "lower") == "missed"
    assert judged(2.0, 3.0, "higher") == "met"
    assert judged(1.0, 1.9, "higher") == "missed"
    assert verdict(None, "lower", 2.0) == "not measured"
    assert verdict(Estimate(1.0, 1.0, 1.0, 4), "lower", 2.0) == "too few blocks"


def test_targets_are_shown_as_met_and_missed(lines, tmp_path):
    folder = written(with_values(lines, [[(10.0, 8.0)]] * 5), tmp_path)
    assert report.main([str(folder)]) == 0
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "1 met, 1 missed" in text
    assert "0.80 (0.80 to 0.80) **missed**" in text
    assert "1.00 (1.00 to 1.00) met" in text


def test_arms_that_differ_in_the_gil_alone_are_compared_block_by_block(lines, tmp_path):
    made = with_values(lines, [[(10.0, 1.0)]] * 5)
    on = made[0]["arms"][0] | {"name": "x GIL on", "free_threaded": True, "gil": True}
    made[0]["arms"] = [on, on | {"name": "x GIL off", "gil": False}]
    for record in made[1:-1]:
        record["arm"] = "x GIL on"
        for moment in ("before", "after"):
            record[moment]["free_threaded"] = True
        other = copy.deepcopy(record) | {"arm": "x GIL off"}
        other["before"]["gil"] = other["after"]["gil"] = False
        other["controls"]["ceiling"]["ratio"] = 1.9
        other["controls"]["contention"]["ratio"] = 0.3
        other["cells"]["sums"]["contenders"]["all"]["windows"][0]["value"] = 20.0
        made.insert(-1, other)
    targets = {one.text: one for one in summarise(results.read(written(made, tmp_path))).targets}
    (found,) = targets["without the GIL"].results
    assert (found.estimate.value, found.verdict) == (2.0, "missed")


@pytest.mark.parametrize(
    ("fault", "said"),
    [("differs", "outputs of 'tenth' differ"), ("no contention control", "no contention control")],
)
def test_a_run_that_must_not_be_believed_has_no_report(folder, tmp_path, fault, said):
    done = run(folder, "--blocks", "1", "--out", str(tmp_path / "run"), fault=fault)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "run" / "index.html").exists()


def test_a_cell_that_is_not_there_is_one_line_and_exit_2(folder):
    done = run(folder, "--cells", "sums,nothing")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: there is no cell 'nothing'; choose from sums, once, parts"


def test_a_part_has_its_value_in_the_windows_of_its_contender(finished_costs, lines):
    found = lines[1]["cells"]["parts"]["contenders"]
    (whole,), (half,) = found["whole"]["windows"], found["half"]["windows"]
    assert half == whole | {"value": 2.0}
    rows = {row.title: row for row in summarise(results.read(finished_costs)).tables[-1].rows}
    accepted = [line["cells"]["parts"]["contenders"]["whole"] for line in lines[1:-1]]
    if any(one["windows"][0]["accepted"] for one in accepted):  # this machine may be busy
        assert rows["half of it"].ratios[0].value == 0.5


def test_what_cannot_be_imported_is_left_out_with_the_reason(finished_costs, lines):
    found = lines[1]["cells"]["parts"]["contenders"]
    why = "ModuleNotFoundError: No module named 'no_such_module'"
    assert found["absent"] == found["none"] == {"missing": why, "windows": []}
    target = summarise(results.read(finished_costs)).targets[-1]
    assert [one.verdict for one in target.results] == ["left out"]
    text = (finished_costs / "report.md").read_text(encoding="utf-8")
    assert f"({why}): an absent one, of absent." in text
    assert "**left out**" in text


def test_the_experiments_own_packages_are_recorded_where_they_are(finished_costs, lines):
    assert set(lines[1]["peers"]) == {"numpy"}


def test_a_part_of_nobody_is_refused():
    described = describe.load(TINY)
    (cell,) = (one for one in described.cells if one.name == "parts")
    wrong = dataclasses.replace(cell, parts=(describe.Part("x", "x", "nobody"),))
    with pytest.raises(MeasurementError, match="no contender 'nobody' in a cell 'parts'"):
        dataclasses.replace(described, cells=(wrong,), claims=()).require_sound()


def test_a_claim_about_nothing_is_refused():
    described = describe.load(TINY)
    wrong = dataclasses.replace(described.claims[0], against="nobody")
    with pytest.raises(MeasurementError, match="no contender 'nobody' in a cell 'sums'"):
        dataclasses.replace(described, claims=(wrong,)).require_sound()


def test_a_mostly_refused_round_is_repeated_and_no_more_than_asked(monkeypatch):
    described = describe.load(TINY)
    monkeypatch.setattr(measure, "disturbance", lambda *_: (0.0, 0.9, False))
    settings = measure.Settings(window=0.0, rounds=1, multiples=True, most=3, pairs=1)
    cell = dataclasses.replace(described.cells[1], rounds=2)
    rng = np.random.default_rng(0)
    found = measure.measure(cell, None, settings, False, {}, rng)
    assert len(found["contenders"]["only"]["windows"]) == 6
