"""Reports: made from result files alone, the same anywhere, and refused where they would lie."""

from __future__ import annotations

import re

import pytest

from ftloader.lab import report, results
from ftloader.lab.analyse import summarise
from ftloader.lab.prose import number
from ftloader.lab.statistics import block_ratios


def measured(records):
    return [record for record in records if record.get("role") == "measure"]


def with_rates(records, rates):
    """Return the run with more blocks and given throughputs (threads -> one rate per block)."""
    kept = [record for record in records if record.get("role") != "measure"]
    for record in measured(records):
        for block, rate in enumerate(rates[record["threads"]]):
            found = {**record["workloads"]["sums"], "throughput": rate}
            kept.insert(-1, {**record, "block": block, "workloads": {"sums": found}})
    return kept


def test_the_same_file_gives_the_same_report(finished, tmp_path):
    for out in ("one", "two"):
        assert report.main([str(finished), "--out", str(tmp_path / out)]) == 0
    for name in ("index.html", "report.md", "sums-throughput.svg", "sums-speedup.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_page_asks_the_network_for_nothing(finished):
    page = (finished / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert not re.search(r"@import|url\((?!#)", page)
    assert "<script" not in page


def test_ids_are_unique_and_text_is_escaped(finished):
    page = (finished / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "Running sums &amp; &lt;more&gt;" in page
    assert "<more>" not in page


def test_page_and_markdown_show_the_numbers_of_the_file(records, rewrite):
    over = max(record["threads"] for record in measured(records))
    rates = {1: [100.0, 110.0, 90.0], 2: [180.0, 200.0, 165.0], over: [170.0, 190.0, 160.0]}
    folder = rewrite(with_rates(records, rates))
    assert report.main([str(folder)]) == 0
    ratios = block_ratios(dict(enumerate(rates[2])), dict(enumerate(rates[1])))
    wanted = ["100", "180", number(sorted(ratios)[1])]
    for name in ("index.html", "report.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert all(value in text for value in wanted)
        assert "nothing is said about more than two cores" in text or "cores:" in text
        assert "too small" in text


def test_a_run_of_few_blocks_is_marked_as_smoke(finished):
    for name in ("index.html", "report.md"):
        assert "Smoke run." in (finished / name).read_text(encoding="utf-8")


def test_refused_samples_are_counted_and_shown_and_leave_no_number(records, rewrite):
    for record in measured(records):
        record["workloads"]["sums"]["throughput"] = None
    folder = rewrite(records)
    summary = summarise(results.read(folder))
    samples = len(measured(records))
    assert summary.refused == (samples, samples)
    assert report.main([str(folder)]) == 0
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert f"{samples} of {samples} samples" in text
    assert "nothing is said about scaling" in text


def test_a_cell_that_was_tried_again_counts_once_with_its_later_sample(records, rewrite):
    place = max(i for i, record in enumerate(records) if record.get("role") == "measure")
    first = records[place]
    busy = {**first["workloads"]["sums"], "throughput": None}
    records.insert(place, {**first, "workloads": {"sums": busy}})
    first["workloads"]["sums"]["throughput"] = 123.0
    summary = summarise(results.read(rewrite(records)))
    point = summary.subjects[0].series[0].at(first["threads"])
    assert point.throughput.value == 123.0
    assert (point.refused, summary.refused[1]) == (0, len(measured(records)))


def test_oversubscribed_points_carry_no_claim(records, rewrite):
    over = max(record["threads"] for record in measured(records))
    rates = {1: [100.0] * 3, 2: [100.0] * 3, over: [900.0] * 3}
    summary = summarise(results.read(rewrite(with_rates(records, rates))))
    series = summary.subjects[0].series[0]
    assert series.best().threads in (1, 2)
    assert series.at(over).oversubscribed
    assert series.at(over).serial is None


def break_digest(records):
    measured(records)[0]["workloads"]["sums"]["digest"] = "0" * 32


def turn_gil_off(records):
    measured(records)[0]["after"]["gil"] = False


def remove_negative_control(records):
    for record in measured(records):
        record["controls"].pop("contention", None)


def scale_under_the_gil(records):
    for record in measured(records):
        if record["controls"]:
            record["controls"]["ceiling"]["ratio"] = 1.98


def change_source(records):
    measured(records)[0]["provenance"]["source_digest"] = "0" * 16


def mark_failed(records):
    records[-1].update(status="failed", reason="planted")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (break_digest, "differs from the serial engine's"),
        (turn_gil_off, "the GIL is off after timing, must be on"),
        (remove_negative_control, "no contention control"),
        (scale_under_the_gil, "no number of this run can be believed"),
        (change_source, "source changed"),
        (mark_failed, "failed and has no report: planted"),
    ],
)
def test_a_file_that_must_not_be_believed_is_not_plotted(records, rewrite, capsys, fault, said):
    fault(records)
    folder = rewrite(records)
    assert report.main([str(folder)]) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["results.jsonl"]


def test_an_interrupted_run_says_so(records, rewrite):
    folder = rewrite(records[:-1])
    assert report.main([str(folder)]) == 0
    assert "Interrupted." in (folder / "index.html").read_text(encoding="utf-8")


def test_a_path_without_results_is_one_line_and_exit_2(tmp_path, capsys):
    assert report.main([str(tmp_path)]) == 2
    assert "no result file there" in capsys.readouterr().err


def test_several_files_go_to_folders_of_their_own(finished, records, rewrite, tmp_path):
    other = rewrite(records)
    assert report.main([str(finished), str(other), "--out", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").glob("*/index.html"))) == 2
