"""The site: every sentence traced to its rows, every link within it, nothing asked of a network."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from ftloader.lab import report, results
from ftloader.lab.analyse import summarise
from ftloader.lab.prose import interval
from ftloader.lab.site import answer_scaling, committed, find, marks, rows
from ftloader.lab.site.answer_safety import libraries
from ftloader.lab.site.history import panels
from ftloader.lab.site.overview import Overview
from ftloader.lab.site.pages import Whole
from ftloader.lab.summary import GIL_ALONE

ROOT = Path(__file__).parents[2] / "experiments"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def whole() -> Whole:
    return Whole(find.experiments(ROOT))


@pytest.fixture(scope="module")
def view(whole: Whole) -> Overview:
    return whole.view


def changed(source: Path, target: Path, change: Change) -> Path:
    """Copy a result set with every record changed."""
    target.mkdir(parents=True)
    lines = (source / "results.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:
        change(record)
    text = "".join(json.dumps(record) + "\n" for record in records)
    (target / "results.jsonl").write_text(text, encoding="utf-8")
    return target


def moved(days: int) -> Change:
    """Return a change that makes a run of a later day, and of another commit."""

    def change(record: dict[str, Any]) -> None:
        if record["kind"] == "header":
            record["run"]["started"] = f"2027-01-{days:02}T00:00:00+00:00"
            record["run"]["commit"] = f"{days:012d}"

    return change


def folder_with(tmp_path: Path, name: str) -> Path:
    """Return an experiments folder with one experiment's README, and its results folder."""
    (tmp_path / name).mkdir()
    shutil.copy(ROOT / name / "README.md", tmp_path / name)
    return tmp_path / name / "results"


def committed_set(name: str) -> Path:
    return (
        find.experiments(ROOT)[[one.name for one in find.experiments(ROOT)].index(name)]
        .sets[0]
        .folder
    )


def test_every_sentence_is_computed_again_from_the_rows_it_names_alone(view: Overview) -> None:
    assert len(view.sentences) >= 12
    for said in view.sentences:
        assert said.sources, said.text
        assert rows.again(said, ROOT) == said


def test_a_sentence_says_something_else_when_its_rows_do(view: Overview) -> None:
    (headline, *_) = view.headlines
    said = headline.said[0]
    ((name, lines),) = headline.files.items()
    off = next(arm["name"] for arm in lines[0].record["arms"] if not arm["gil"])
    faster = []
    for row in lines:
        record = json.loads(json.dumps(row.record))
        if record.get("arm") == off:
            for work in record["workloads"].values():
                if work.get("throughput"):
                    work["throughput"] *= 2
        faster.append(rows.Row(row.line, record))
    assert said.rule({name: faster}).text != said.text
    assert said.rule({name: lines}).text == said.text


def test_the_first_headline_says_what_the_experiments_own_page_says(view: Overview) -> None:
    headline = view.headlines[0]
    (path,) = headline.files
    summary = summarise(results.read(ROOT / path))
    alone = {}
    for subject in summary.subjects:
        (about,) = [one for one in subject.comparisons if one.about.startswith(GIL_ALONE)]
        alone[subject.title] = about.ratio
    said = re.findall(r"“([^”]+)” (\S+ \([^)]+\)) times", headline.said[0].text)
    assert [(title, interval(alone[title])) for title, _ in said] == said
    in_order = sorted(alone, key=lambda title: alone[title].value)
    assert {in_order[0], in_order[-1]} <= {title for title, _ in said}


def test_the_second_headlines_figures_are_those_of_plain_arithmetic(view: Overview) -> None:
    headline = next(one for one in view.headlines if one.name == "batching")
    ((path, _),) = headline.files.items()
    records = [json.loads(line) for line in (ROOT / path).read_text("utf-8").splitlines()]
    rates: dict[tuple[str, int], float] = {
        (one["policy"], one["block"]): one["images"] / one["seconds"]
        for one in records
        if one["record"] == "measured"
    }
    blocks = {block for _, block in rates}
    for rival in ("groups", "random"):
        ratio = median(rates["ours", block] / rates[rival, block] for block in blocks)
        assert f"**{ratio:.2f} (" in headline.said[1].text
    for scale in {one["scale"] for one in records if one["record"] == "planned"}:
        mine = [one for one in records if one.get("scale") == scale and one.get("policy") == "ours"]
        images = median(one["images_per_batch"] for one in mine if one["record"] == "planned")
        assert f"({images:.1f}" in headline.said[0].text


def test_the_third_headline_counts_verdicts_without_the_gil_where_there_are_any(
    view: Overview,
) -> None:
    headline = next(one for one in view.headlines if one.name == "safety")
    safe, total = 0, 0
    for path in headline.files:
        for line in (ROOT / path).read_text("utf-8").splitlines():
            one = json.loads(line)
            if one.get("group") == "ours" and one["record"] == "verdict" and not one["arm"]["gil"]:
                total += 1
                safe += one["verdict"]["safety"] in ("stateless", "read-only state")
    assert f"**{safe} of {total} of ftloader's transforms and recipes**" in headline.said[0].text
    found, _ = libraries(headline.files)
    assert all((one.arm == "") == (one.name not in ("mmdet", "albumentations")) for one in found)


def test_blocks_that_were_run_again_after_an_interruption_count_once() -> None:
    process = {"kind": "process", "role": "measure", "block": 1}
    lines = [process, {"kind": "resume", "repeated": [1]}, {**process, "second": True}]
    numbered = [rows.Row(number, record) for number, record in enumerate(lines, 1)]
    assert [row.line for row in rows.measured(numbered)] == [3]


def test_the_committed_overview_is_what_the_result_files_give(whole: Whole) -> None:
    for name, text in committed.files(whole).items():
        path = ROOT / name
        assert path.is_file(), f"{path} is missing; make it with ./noxw -s report"
        found = path.read_text(encoding="utf-8")
        if name.endswith(".svg"):  # how it is drawn differs between versions of matplotlib
            assert committed.words(found) == committed.words(text), path
        else:
            assert found == text, f"{path} is out of date; make it again with ./noxw -s report"


class Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src", "xlink:href") and value is not None:
                self.links.append(value)
            elif name == "id" and value is not None:
                self.ids.append(value)


def test_every_page_is_reached_from_the_overview_and_links_only_to_what_is_there(
    site: Path,
) -> None:
    seen, waiting = set(), [site / "index.html"]
    while waiting:
        path = waiting.pop().resolve()
        if path in seen:
            continue
        seen.add(path)
        page = Page(path)
        assert len(page.ids) == len(set(page.ids)), path
        assert "script" not in page.tags, path
        for link in page.links:
            where, _, anchor = link.partition("#")
            if where.startswith("data:"):
                continue
            assert not re.match(r"\w+:", where), f"{path} asks for {link}"
            if not where:
                assert anchor in page.ids, f"{path}: {link}"
                continue
            target = path.parent / where
            assert target.is_file(), f"{path}: {link}"
            waiting.append(target)
    assert seen == {path.resolve() for path in site.rglob("*.html")}


def test_every_page_has_a_markdown_twin_whose_own_links_lead_somewhere(site: Path) -> None:
    for path in site.rglob("index.html"):
        twin = path.with_name("report.md")
        assert twin.is_file(), path
        if "results" not in twin.read_text(encoding="utf-8").partition("\n")[0]:
            check_links(twin)


def test_links_of_the_committed_overview_lead_somewhere() -> None:
    for path in (ROOT / "REPORT.md", *(ROOT / "report").glob("*.md")):
        check_links(path)


def check_links(path: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), f"{path}: {link}"


def test_each_page_shows_when_where_and_how_it_was_measured(site: Path, whole: Whole) -> None:
    for experiment in whole.experiments:
        for one in experiment.sets:
            page = (site / experiment.name / one.name / "index.html").read_text(encoding="utf-8")
            assert "How it was made" in page
            assert one.command.split()[0] in page
            assert one.machine.partition(",")[0] in page
            assert (one.commit or "commit not recorded")[:12] in page


def test_a_second_machine_has_a_headline_of_its_own_and_a_comparison(tmp_path: Path) -> None:
    source = committed_set("scaling")
    folder = folder_with(tmp_path, "scaling")
    changed(source, folder / "2026-11-21-small", lambda record: None)

    def larger(record: dict[str, Any]) -> None:
        moved(2)(record)
        if record["kind"] == "header":
            record["machine"] = {**record["machine"], "cpu": "Another", "cores": 16}

    changed(source, folder / "2027-01-02-large", larger)
    view = Whole(find.experiments(tmp_path)).view
    first, second = (one for one in view.headlines if one.name.startswith("scaling"))
    assert ("16 cores" in first.where, "2 cores" in second.where) == (True, True)
    whole = Whole(find.experiments(tmp_path))
    (pair,) = whole.pairs["scaling"]
    assert pair.notes[0].startswith("The machines differ")
    assert not whole.panels["scaling"]  # a course is of one machine


def test_a_course_has_a_point_for_each_set_in_the_order_of_measuring(tmp_path: Path) -> None:
    source = committed_set("scaling")
    folder = folder_with(tmp_path, "scaling")
    for days in (3, 1, 2):
        changed(source, folder / f"run-{4 - days}", moved(days))
    (experiment,) = find.experiments(tmp_path)
    found = panels(experiment.sets)
    assert {panel.ticks for panel in found} == {
        tuple(f"0000000\n2027-01-{days:02}" for days in (1, 2, 3))
    }
    for panel in found:
        for line in panel.lines:
            first, *others = line.points
            assert first is not None
            assert all(one == first for one in others)  # the same rows, so the same point
    assert not panels(experiment.sets[:1])


def test_an_experiment_without_results_is_named_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "README.md").write_text("# later: what then?\n\nText.\n")
    assert report.main(["--site", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    for name in ("index.html", "report.md"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "What then?" in text
        assert "No result set is committed yet." in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--site", "{empty}"], "no experiment there"),
        (["--site", "a", "b"], "--site takes one experiments folder"),
        (["--compare", "a"], "--compare takes two result sets, not 1"),
        (["--compare", "{empty}", "{empty}"], "no result file there"),
        (["--compare", "a/b", "a/c"], "give the folder of a result set"),
        (["--site", "--compare", "a", "b"], "not both"),
        ([], "give a result file"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [word.format(empty=tmp_path) for word in words]
    assert report.main([*asked, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_run_that_must_not_be_believed_has_no_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def failed(record: dict[str, Any]) -> None:
        if record["kind"] == "end":
            record.update(status="failed", reason="planted")

    changed(committed_set("scaling"), folder_with(tmp_path, "scaling") / "2026-11-21", failed)
    assert report.main(["--site", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "planted" in capsys.readouterr().err


def test_markdown_becomes_elements_and_nothing_in_it_becomes_markup() -> None:
    text = (
        "# T <b>\n\nSome *words*, **strong** and `a*b*c`, [kept](x.md), [dropped](y.md).\n\n"
        "| a | b |\n|---|--:|\n| c \\| d | 1 |\n\n1. one\n   more\n2. two\n\n```text\n<&>\n```\n"
    )
    page = marks.page(text, lambda where: "x.html" if where == "x.md" else None)
    assert "<h1>T &lt;b&gt;</h1>" in page
    assert "<em>words</em>" in page
    assert "<code>a*b*c</code>" in page
    assert '<a href="x.html">kept</a>, dropped.' in page
    assert '<td class="t">c | d</td><td>1</td>' in page
    assert '<ol start="1"><li>one more</li><li>two</li></ol>' in page
    assert "<pre>&lt;&amp;&gt;\n</pre>" in page


def test_no_arm_to_compare_with_is_said_and_not_guessed(view: Overview) -> None:
    ((name, lines),) = view.headlines[0].files.items()
    head = json.loads(json.dumps(lines[0].record))
    head["arms"] = [arm for arm in head["arms"] if arm["gil"]]
    files = {name: [rows.Row(1, head), *lines[1:]]}
    assert "No run with several threads" in answer_scaling.gil_alone(files).text
    assert "No run has both" in answer_scaling.gain(files).text


@pytest.mark.parametrize("name", ["thread_safety", "tuning", "dynamic_batching"])
def test_an_experiment_by_itself_has_an_overview_that_says_no_more_than_it_can(
    tmp_path: Path, name: str
) -> None:
    shutil.copytree(ROOT / name / "results", folder_with(tmp_path, name))
    view = Whole(find.experiments(tmp_path)).view
    assert view.sentences
    for said in view.sentences:
        assert said.sources, said.text
        assert rows.again(said, tmp_path) == said
    assert any("of CPython" in said.text for said in view.limits) is False
