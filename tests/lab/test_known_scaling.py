"""Scaling runs with known numbers: the fits, crossings and sentences that they must give."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ftloader.errors import ControlError
from ftloader.lab import plots, prose, report, results
from ftloader.lab.analyse import summarise
from ftloader.lab.findings import at_a_glance, findings, further
from ftloader.lab.statistics import holm

from . import simulated
from .simulated import FLAGS, POOL, SHARED, A, B, C, D, E, amdahl

COMMITTED = Path(__file__).parents[2] / "experiments" / "scaling" / "results"
LARGE = simulated.Machine(16, (1, 2, 3, 4, 6, 8, 12, 16))
SMALL = simulated.Machine(2, (1, 2))
SERIAL = 0.05


def native(arm, threads):
    """Work outside the GIL: everybody scales, those without the GIL better."""
    one = {"3.12": 100.0, "3.13": 110.0, "3.13t": 80.0, "3.14t": 95.0}[arm.interpreter]
    if not arm.threaded:
        return amdahl(0.8 * one, 0.1)(min(threads, 16))
    # More threads than cores must never matter, whatever they show.
    boost = 10.0 if threads == 32 else 1.0
    return boost * amdahl(one, 0.2 if arm.gil else SERIAL)(threads)


def held(arm, threads):
    """Work that holds the GIL: threads bring nothing with it and what Amdahl allows without."""
    one = {"3.12": 100.0, "3.13": 110.0, "3.13t": 80.0, "3.14t": 95.0}[arm.interpreter]
    return amdahl(one, SERIAL)(threads) if not arm.gil else one * 0.98 ** (threads - 1)


def written(tmp_path, records):
    (tmp_path / results.FILE_NAME).write_text(
        "".join(json.dumps(record) + "\n" for record in records), encoding="utf-8"
    )
    return tmp_path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return the folder of a run on 16 cores with all kinds of arms, and its report."""
    records = simulated.run(
        LARGE, [A, B, D, C, E, POOL], {"native": native, "held": held}, only_threads=["held"]
    )
    folder = written(tmp_path_factory.mktemp("large"), records)
    assert report.main([str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def summary(large):
    return summarise(results.read(large))


@pytest.fixture(scope="module")
def texts(large):
    return [(large / name).read_text(encoding="utf-8") for name in ("report.md", "index.html")]


def subject(summary, name):
    return next(one for one in summary.subjects if one.name == name)


def test_sixteen_cores_give_the_serial_fraction_back(summary, texts):
    for name in ("native", "held"):
        laws = subject(summary, name).of(D).laws
        assert [fit.law for fit in laws.fits] == ["amdahl", "usl"]
        assert laws.fits[0].identified
        assert laws.fits[0].alpha.low - 0.002 <= SERIAL <= laws.fits[0].alpha.high + 0.002
        assert laws.fits[0].counts == LARGE.threads
        for text in texts:
            assert f"{D.name}: {laws.said}" in text.replace("&#39;", "'")


def test_a_fitted_law_is_drawn_with_its_parameters_beside_ideal_and_ceiling(summary):
    drawn = plots.speedup(subject(summary, "held"), summary)
    assert "Amdahl: \u03b1 0.05" in drawn
    assert "ideal" in drawn
    assert "ceiling" in drawn


def test_the_smallest_thread_count_that_beats_the_best_of_the_baseline_is_found(summary):
    # The best of 3.12 is 400 at 16 threads; 3.13t does 80 N / (1 + 0.05 (N - 1)).
    crossings = {
        (one.arm, one.rival.name, one.count): one for one in subject(summary, "native").crossings
    }
    assert crossings[D.name, A.name, 1].threads == 2
    assert crossings[D.name, A.name, 16].threads == 8
    assert crossings[D.name, A.name, 16].best
    assert crossings[D.name, A.name, 16].ratio.value == pytest.approx(
        native(D, 8) / native(A, 16), rel=0.03
    )
    # The pool's best is 80 * 16 / 2.5 = 512.
    assert crossings[D.name, POOL.name, 16].threads == 12
    held_by = {(one.arm, one.rival.name): one for one in subject(summary, "held").crossings}
    assert held_by[D.name, A.name].threads == 2
    assert held_by[D.name, A.name].count == 1


def test_what_is_never_beaten_is_said_to_be_not_shown(tmp_path):
    def slow(arm, threads):
        return 100.0 if arm.gil else 20.0 + threads

    folder = written(tmp_path, simulated.run(SMALL, [A, D], {"slow": slow}))
    found = summarise(results.read(folder))
    (crossing,) = found.subjects[0].crossings
    assert (crossing.threads, crossing.last) == (None, 2)
    ((_, text),) = findings(found)
    assert f"{D.name} is not shown to beat one thread of 3.12: 0.2" in text
    assert at_a_glance(found)[0].best is crossing or at_a_glance(found)[0].best == crossing


EXPECTED = {
    "B/A": 1.1,
    "C/B": 80 / 110,
    "D/C": native(D, 16) / native(C, 16),
    "D/A": native(D, 16) / native(A, 16),
    "E/D": 95 / 80,
    "D/P": native(D, 16) / native(POOL, 16),
}


@pytest.mark.parametrize("pair", EXPECTED)
def test_every_comparison_has_its_letters_and_its_ratio(summary, pair):
    (found,) = [one for one in subject(summary, "native").comparisons if one.pair == pair]
    assert found.ratio.value == pytest.approx(EXPECTED[pair], rel=0.03)
    assert found.verdict == ("slower" if EXPECTED[pair] < 1 else "faster")
    assert found.caveat == ""


def test_the_price_of_the_build_is_not_taken_across_versions_where_the_same_source_is_there(
    summary, tmp_path
):
    pairs = [one.pair for one in subject(summary, "native").comparisons]
    assert "C/B" in pairs
    assert "C/A" not in pairs
    folder = written(tmp_path, simulated.run(SMALL, [A, D, C], {"held": held}))
    without = summarise(results.read(folder)).subjects[0].comparisons
    assert [one.pair for one in without] == ["D/A", "D/C", "C/A"]
    assert "other version and build" in without[-1].about


def test_p_values_are_corrected_for_the_number_of_comparisons_of_a_workload(summary):
    for one in summary.subjects:
        raw = [found.p_value for found in one.comparisons]
        assert [found.adjusted for found in one.comparisons] == holm(raw)
        assert max(found.adjusted for found in one.comparisons) > max(raw)


def test_sentences_name_what_a_ratio_isolates(summary):
    said = " ".join(further(subject(summary, "native"), summary))
    assert "As for the free-threaded build itself, one thread of 3.13t GIL on did 0.73" in said
    assert "As for a newer version without free threading, one thread of 3.13 did 1.1" in said
    assert "16 threads of 3.14t GIL off did 1.1" in said
    assert "first beats the best of 3.12 processes (16 processes) at 12 threads" in said


def test_nothing_rests_on_more_threads_than_cores(summary, texts):
    one = subject(summary, "native").of(A)
    assert one.best().threads == 16
    assert one.at(32).oversubscribed
    claims = " ".join(text for _, text in findings(summary)) + prose.lead(summary)
    assert "32 threads" not in claims


def test_a_pool_that_cannot_do_a_workload_is_not_among_its_arms(summary):
    assert subject(summary, "held").of(POOL) is None
    assert subject(summary, "native").of(POOL) is not None


def test_a_pool_has_the_colour_of_its_threads_and_its_method_is_told(summary, texts):
    assert summary.colour(POOL) == summary.colour(A)
    assert len({summary.colour(arm) for arm in (A, B, C, D, E)}) == 5
    for text in texts:
        assert "pickled" in text


def test_two_cores_give_no_fit_and_say_so(tmp_path):
    folder = written(tmp_path, simulated.run(SMALL, [A, D, C], {"held": held, "native": native}))
    assert report.main([str(folder)]) == 0
    found = summarise(results.read(folder))
    assert not any(one.fitted() for one in found.subjects)
    for name in ("report.md", "index.html", "held-speedup.svg"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "\u03b1" not in text
        assert "Amdahl" not in text or "held-speedup" not in name
    assert "nothing is said about more than two cores" in (folder / "report.md").read_text("utf-8")


def test_two_logical_cpus_of_one_core_are_one_core(tmp_path):
    records = simulated.run(LARGE, [A, D], {"held": held})
    records[0]["machine"]["physical_cores"] = 2
    found = summarise(results.read(written(tmp_path, records)))
    assert found.cores == 2
    assert not found.subjects[0].fitted()


def rows_of(text, arm):
    """Return the cells of the rows that a Markdown report has of an arm's measurements."""
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(f"| {arm} | ")]
    return [row for row in rows if re.fullmatch(r"\d+(\u2009\*)?", row[1])]


def test_every_cell_that_compares_arms_of_other_flags_says_so_and_why(tmp_path):
    other = [simulated.arm(one.name, one.version, SHARED) for one in (D, C)]
    folder = written(tmp_path, simulated.run(LARGE, [A, B, *other], {"native": native}))
    assert report.main([str(folder)]) == 0
    text = (folder / "report.md").read_text(encoding="utf-8")
    why = "\u2020 not comparable: shared libpython"
    for one in other:
        rows = rows_of(text, one.name)
        assert len(rows) == len(LARGE.threads) + 1
        for row in rows:
            assert [why in cell for cell in row] == [place in (4, 5) for place in range(len(row))]
    for row in rows_of(text, A.name) + rows_of(text, B.name):
        assert not any("\u2020" in cell for cell in row)
    found = summarise(results.read(folder))
    for one in found.subjects[0].comparisons:
        like = one.pair in ("D/C", "B/A")
        assert bool(one.caveat) != like
    for crossing in found.subjects[0].crossings:
        assert crossing.caveat == "not comparable: shared libpython"
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("not comparable: shared libpython") >= 4 * len(LARGE.threads)


def test_arms_of_the_same_flags_carry_no_mark(texts):
    assert not any("not comparable" in text for text in texts)
    assert A.flags == FLAGS


def test_native_work_that_does_not_scale_is_no_run_to_believe(tmp_path):
    records = simulated.run(SMALL, [A, D], {"held": held})
    for record in records:
        if record.get("controls"):
            record["controls"]["native"]["ratio"] = 1.1
    with pytest.raises(ControlError, match=r"native control ran at 1\.10"):
        summarise(results.read(written(tmp_path, records)))


def test_a_file_without_the_native_control_is_read_as_before(tmp_path):
    records = simulated.run(SMALL, [A, D], {"held": held})
    for record in records:
        if "controls" in record:
            record["controls"].pop("native", None)
    found = summarise(results.read(written(tmp_path, records)))
    assert {one.name for one in found.controls} == {"ceiling", "contention"}


@pytest.mark.parametrize("folder", sorted(COMMITTED.iterdir()), ids=lambda path: path.name)
def test_committed_results_still_give_a_report(folder, tmp_path):
    assert report.main([str(folder), "--out", str(tmp_path)]) == 0
    found = summarise(results.read(folder))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for one in found.subjects:
        for series in one.series:
            for point in series.points:
                assert prose.interval(point.throughput) in text
