"""What is made of recorded trials: ratios inside blocks, verdicts, counts, and the report."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest

from ftloader.errors import ArmError, DigestError
from ftloader.lab import report, results
from ftloader.lab.trials import analyse, describe, lookup, prose
from ftloader.lab.trials.main import described

TINY = Path(__file__).with_name("tiny_trials.py")
ON, OFF = "3.13t GIL on", "3.13t GIL off"
HOST = {"load": [0.1], "steal_seconds": 0.0, "collections": [0]}


def arm(name, gil):
    flags = {"optimisation": "-O2", "pgo": "true", "lto": "true", "shared_library": "false"}
    return {"name": name, "version": "3.13.15", "free_threaded": True, "gil": gil, "flags": flags}


ARMS = {ON: arm(ON, True), OFF: arm(OFF, False)}


def header(blocks):
    experiment = describe.load(TINY)
    cells = {
        cell.name: tuple(one.name for one in experiment.taking_part(cell))
        for cell in experiment.cells
    }
    machine = {"cpu": "a processor", "cores": 2, "budget": 2.0, "memory_bytes": None}
    data = {"about": "none", "images": 0, "digest": "0", "jpeg_bytes": 0, "annotations": 0}
    return {
        "form": "trials",
        "experiment": described(experiment, cells),
        "run": {"started": "2026-11-22T00:00:00+00:00", "seed": 3, "blocks": blocks,
                "mode": "full", "command": "python run.py", "commit": ""},
        "arms": list(ARMS.values()),
        "machine": {**machine, "kernel": "Linux", "machine": "x86_64", "libc": ""},
        "data": data,
    }  # fmt: skip


def process(block, name, cell="", contender="", **fields):
    """A process that was measured; of an arm."""
    identity = {key: ARMS[name][key] for key in ("version", "free_threaded", "gil", "flags")}
    found = {
        "role": "measure",
        "arm": name,
        "threads": 0 if cell else 2,
        "order": [],
        "block": block,
        "position": 0,
        "cell": cell,
        "contender": contender,
        "controls": {},
        "before": {**identity, **HOST},
        "after": {**identity, **HOST},
        "seconds": 1.0,
        "provenance": {"packages": {"numpy": "2"}, "source_digest": "5", "affinity": []},
    }
    return {**found, **fields}


def controls(block, name):
    ceiling, contention = (1.0, 1.0) if ARMS[name]["gil"] else (1.95, 0.3)
    ratios = {"ceiling": ceiling, "contention": contention}
    return process(block, name, controls={key: {"ratio": ratio, "one": 1.0, "many": ratio,
                   "refused": 0} for key, ratio in ratios.items()})  # fmt: skip


def trial(block, name, contender, steps, cell="count_1", **fields):
    found = {"values": {"steps": steps}, "digest": "", "points": {}, "notes": [], "seconds": 1.0,
             "cpu_seconds": 1.0, "steal": 0.0, "others": 0.0, "accepted": True}  # fmt: skip
    return process(block, name, cell, contender, trial={**found, **fields})


def failed(block, name, contender, cell="count_1"):
    words = ["Fatal Python error: Segmentation fault", "Thread 0x1 (most recent call first):",
             '  File "a.py", line 1 in b']  # fmt: skip
    trial = {"failed": "died of signal 11", "words": words}
    return {**process(block, name, cell, contender, trial=trial), "role": "failed"}


def written(folder, trials, status="complete"):
    """Write trials, with their controls, as a finished run; return its folder."""
    seen = dict.fromkeys((one["block"], one["arm"]) for one in trials)
    with results.Writer(folder / "results.jsonl") as writer:
        writer.header(header(len({block for block, _ in seen})))
        for one in (*(controls(*place) for place in seen), *trials):
            writer.process(one)
        writer.end(status, "", "2026-11-22T01:00:00+00:00")
    return folder


@pytest.fixture
def write(tmp_path):
    return lambda *trials, **fields: written(tmp_path / "run", trials, **fields)


@pytest.fixture
def summarised(write):
    return lambda *trials: analyse.summarise(results.read(write(*trials)))


def rows(summary, cell="count_1", metric="steps"):
    (job,) = (one for one in summary.jobs if one.name == cell)
    (table,) = (one for one in job.tables if one.metric["name"] == metric)
    return {row.name: row for row in table.rows}


def hypothesis(summary, text):
    (found,) = (one for one in summary.hypotheses if one.text == text)
    return {one.where: one for one in found.results}


def test_values_are_medians_over_blocks_and_ratios_are_taken_inside_them(summarised):
    # Pooled, the ratio of the medians would be 40 / 20; inside blocks it is 3.
    single, double = (10.0, 20.0, 30.0), (30.0, 40.0, 120.0)
    found = rows(
        summarised(
            *(trial(block, ON, "single", value) for block, value in enumerate(single)),
            *(trial(block, ON, "double", value) for block, value in enumerate(double)),
        )
    )
    assert found["single"].entries[0].value.value == 20.0
    assert found["double"].entries[0].value.value == 40.0
    assert found["double"].entries[0].ratio.value == 3.0
    assert found["single"].entries[0].ratio is None
    assert found["double"].entries[0].by_block == dict(enumerate(double))


def test_a_block_whose_baseline_is_0_has_no_ratio():
    assert lookup.ratios({0: 1.0, 1: 2.0, 2: 3.0}, {0: 0.0, 1: 4.0}) == {1: 0.5}


def test_a_refused_trial_counts_nowhere_and_its_second_try_does(summarised):
    summary = summarised(
        trial(0, ON, "single", 99.0, accepted=False),
        trial(0, ON, "single", 10.0),
        trial(1, ON, "single", 99.0, accepted=False),
        trial(1, ON, "single", 98.0, accepted=False),
        trial(2, ON, "single", 12.0),
    )
    found = rows(summary)["single"]
    assert found.entries[0].by_block == {0: 10.0, 2: 12.0}
    fate = found.fates[0]
    assert (fate.blocks, fate.busy, fate.refused, fate.failed) == (3, 1, 3, 0)
    assert summary.refused == (3, 5)
    assert prose.tally(fate) == "2 of 3, 1 refused"


def test_failed_trials_are_counted_and_shown_with_what_happened(summarised, write):
    trials = [trial(block, ON, "peer", 10.0) for block in range(3)]
    trials += [failed(block, ON, "peer") for block in (3, 4)]
    summary = analyse.summarise(results.read(write(*trials)))
    found = rows(summary)["peer"]
    assert (found.fates[0].blocks, found.fates[0].failed) == (5, 2)
    (failure,) = summary.failures
    assert (failure.count, failure.tried, failure.how) == (2, 5, "died of signal 11")
    assert failure.words == "Fatal Python error: Segmentation fault"
    assert any("2 trials failed" in line for line in prose.shows_not(summary))


def test_a_hypothesis_is_judged_by_its_interval_in_every_arm(summarised):
    text = "twice the steps of once"  # at most 1.5
    trials = []
    for block in range(6):
        for name, factor in ((ON, 1.2), (OFF, 2.0)):
            trials.append(trial(block, name, "single", 10.0 + block))
            trials.append(trial(block, name, "double", factor * (10.0 + block)))
    found = hypothesis(summarised(*trials), text)
    assert (found[ON].verdict, found[ON].estimate.value) == ("confirmed", pytest.approx(1.2))
    assert (found[OFF].verdict, found[OFF].estimate.value) == ("refuted", pytest.approx(2.0))


def test_a_hypothesis_is_undecided_where_the_interval_includes_the_limit(summarised):
    factors = (1.0, 1.1, 1.2, 1.8, 1.9, 2.0)
    trials = [trial(block, ON, "single", 10.0) for block in range(6)]
    trials += [trial(block, ON, "double", 10.0 * factor) for block, factor in enumerate(factors)]
    found = hypothesis(summarised(*trials), "twice the steps of once")
    assert found[ON].verdict == "undecided"


def test_a_hypothesis_may_speak_of_two_cells(summarised):
    trials = [trial(block, ON, "single", 10.0) for block in range(5)]
    trials += [trial(block, ON, "single", 30.0, cell="count_2") for block in range(5)]
    found = hypothesis(summarised(*trials), "twice the steps of the small cell")
    assert (found[ON].estimate.value, found[ON].verdict) == (3.0, "refuted")


def test_arms_that_differ_in_the_gil_alone_are_compared_block_by_block(summarised):
    trials = [trial(block, ON, "single", 10.0 * (block + 1)) for block in range(5)]
    trials += [trial(block, OFF, "single", 5.0 * (block + 1)) for block in range(5)]
    found = hypothesis(summarised(*trials), "without the GIL")
    assert list(found) == [f"{OFF} over on"]
    assert found[f"{OFF} over on"].estimate.value == 0.5
    assert found[f"{OFF} over on"].verdict == "confirmed"


def test_what_was_not_measured_is_not_judged_and_the_reason_is_told(summarised):
    absent = process(0, ON, "count_1", "absent", trial={"missing": "ImportError: not here"})
    trials = [trial(block, ON, "single", 1000.0) for block in range(4)]
    summary = summarised(*trials, *(failed(block, ON, "double") for block in range(4)), absent)
    assert hypothesis(summary, "a thousand steps")[ON].verdict == "too few blocks"
    assert hypothesis(summary, "an absent one")[ON].verdict == "left out"
    found = hypothesis(summary, "twice the steps of once")[ON]
    assert (found.verdict, found.failed) == ("not measured", 4)
    assert summary.left_out == (("an absent one", "ImportError: not here", (ON,)),)
    assert prose.fate(rows(summary)["free"].fates[0]) == "not in this arm"


def test_cells_of_a_group_are_points_of_curves(summarised):
    trials = [trial(0, ON, "single", 10.0, cell=cell) for cell in ("count_2", "count_1")]
    (group,) = summarised(*trials).groups
    assert (group.name, group.x_title) == ("counting", "thousands")
    assert [(job.name, job.x) for job in group.jobs] == [("count_1", 1.0), ("count_2", 2.0)]
    assert [metric["name"] for metric in group.metrics] == ["steps"]


def test_a_distribution_is_that_of_all_accepted_trials(summarised):
    found = rows(
        summarised(
            trial(0, ON, "single", 1.0, points={"steps": [1.0, 4.0]}),
            trial(1, ON, "single", 1.0, points={"steps": [2.0, 3.0]}),
            trial(2, ON, "single", 1.0, points={"steps": [9.0]}, accepted=False),
        )
    )
    assert found["single"].entries[0].points == (1.0, 2.0, 3.0, 4.0)


def test_outputs_that_differ_between_contenders_of_a_cell_are_refused(write):
    made = write(trial(0, ON, "single", 1.0, digest="a"), trial(0, ON, "double", 1.0, digest="b"))
    with pytest.raises(DigestError, match="cell 'count_1': the outputs of 'double'"):
        analyse.summarise(results.read(made))


def test_outputs_of_other_package_versions_are_not_compared(summarised):
    other = trial(0, OFF, "single", 1.0, digest="b")
    other["provenance"] = {**other["provenance"], "packages": {"numpy": "3"}}
    assert summarised(trial(0, ON, "single", 1.0, digest="a"), other).blocks == 1


def test_a_process_in_the_wrong_arm_is_refused(write):
    wrong = copy.deepcopy(trial(0, OFF, "single", 1.0))
    wrong["after"]["gil"] = True
    with pytest.raises(ArmError, match="the GIL is on after timing, must be off"):
        analyse.summarise(results.read(write(wrong)))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Return the folder of a run with a bit of everything, and with its report."""
    trials = []
    for block in range(6):
        for name, factor in ((ON, 1.25), (OFF, 2.5)):
            for cell in ("count_1", "count_2"):
                points = {"steps": [0.5, 1.0, 2.0]}
                trials.append(trial(block, name, "single", 800.0, cell=cell, points=points))
                trials.append(trial(block, name, "double", factor * 800.0, cell=cell))
            trials.append(failed(block, name, "peer", cell="count_2"))
        trials.append(trial(block, ON, "alone", 0.0421, cell="alone"))
        trials.append(trial(block, ON, "crash", 1.0, cell="faults", accepted=False))
    folder = written(tmp_path_factory.mktemp("full"), trials, "interrupted")
    assert report.main([str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "report.md",
            (
                "Interrupted.",
                "1.25 (1.25 to 1.25) confirmed",
                "2.50 (2.50 to 2.50) **refuted**",
                "| counting twice | 1\u202f000 (1\u202f000 to 1\u202f000) | 1.25 (1.25 to 1.25) |",
                "0.042 (0.042 to 0.042)",
                "| somebody else's | Counting 2 thousand | 3.13t GIL on | 6 of 6 | died of signal",
                "No trial of it gave a number that counts",
                "| a crash | 0 of 6, 6 refused |",
                "](group-counting-steps-3.13t-GIL-off.svg)",
                "](alone-steps.svg)",
                "](count_1-steps-spread-3.13t-GIL-on.svg)",
            ),
        ),
        (
            "index.html",
            ("Interrupted.", "refuted", "6 of 6 failed", "It is tiny.", "as it must be"),
        ),
    ],
)
def test_page_and_markdown_show_verdicts_numbers_curves_and_failures(full, name, wanted):
    text = (full / name).read_text(encoding="utf-8")
    for one in wanted:
        assert one in text


def test_the_markdown_shows_every_plot(full):
    markdown = (full / "report.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+\.svg)\)", markdown)
    assert sorted(linked) == sorted(path.name for path in full.glob("*.svg"))


def test_ids_of_a_page_with_curves_are_unique_and_its_links_lead_somewhere(full):
    page = (full / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


@pytest.mark.parametrize(
    ("asked", "spoken_of"),
    [("all", [ON, OFF]), ("gil on", [ON]), ("gil off", [OFF]), ("gil build", []),
     ("free-threaded build", [ON, OFF])],
)  # fmt: skip
def test_a_hypothesis_is_judged_only_in_the_arms_it_speaks_of(tmp_path, asked, spoken_of):
    trials = [trial(block, name, "single", 900) for block in range(6) for name in (ON, OFF)]
    folder = written(tmp_path / "run", trials)
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    (one,) = (one for one in first["experiment"]["hypotheses"] if one["text"] == "a thousand steps")
    one["arms"] = asked
    text = "\n".join([json.dumps(first), *lines[1:]]) + "\n"
    (folder / "results.jsonl").write_text(text, encoding="utf-8")
    found = hypothesis(analyse.summarise(results.read(folder)), "a thousand steps")
    words = {name: analyse.REFUTED if name in spoken_of else analyse.NOT_MEANT for name in found}
    assert {name: one.verdict for name, one in found.items()} == words
    # The number is shown all the same.
    assert all(one.estimate.value == 900 for one in found.values())


def test_the_lead_counts_the_judgements_and_the_findings_say_where(full):
    summary = analyse.summarise(results.read(full))
    lead = prose.lead(summary)
    assert lead == (
        "Of 11 judgements (6 hypotheses, each in every arm it speaks of): 4 confirmed, 3 refuted "
        "and 4 without enough accepted trials."
    )
    findings = dict(prose.findings(summary))
    assert findings["twice the steps of once: ≤ 1.5"] == (
        f"Confirmed on {ON}: 1.25 (1.25 to 1.25); refuted on {OFF}: 2.50 (2.50 to 2.50)."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0421, "0.042"),
        (-0.0021, "\u22120.0021"),
        (0.5, "0.50"),
        (1234.5, "1\u202f234"),
    ],
)
def test_small_numbers_keep_two_digits(value, text):
    assert prose.number(value) == text


def test_headers_are_plain_json():
    assert json.loads(json.dumps(header(1))) == header(1)
