"""From a result file to the numbers of a report of trials; nothing is measured, nothing guessed.

A trial is one observation: one process, one value of each metric. Summaries are over blocks, ratios
are taken inside blocks. A hypothesis is judged by its interval alone: confirmed if all of it lies
on the right side of the limit, refuted if none of it does, undecided otherwise, and not judged
where the blocks are too few for any of that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..arms import Arm
from ..controls import bounds
from ..costs.analyse import LEFT_OUT, MET, MISSED, NOT_JUDGED, NOT_MEASURED, ControlRow, pairs_of
from ..costs.analyse import verdict as judge
from ..results import ResultFile
from ..statistics import Estimate
from . import check
from .lookup import Lookup, ratios
from .summary import Entry, Failure, Fate, Group, Job, Judged, Row, Table, Tested, TrialSummary

CONFIRMED, REFUTED, UNDECIDED = "confirmed", "refuted", "undecided"
NOT_MEANT = "speaks of other arms"
Item = Mapping[str, Any]


def summarise(file: ResultFile) -> TrialSummary:
    """Check a result file and work out its numbers.

    Raises:
        MeasurementError: the file holds something that must not be believed.
    """
    check.result(file)
    described = file.header["experiment"]
    measured = {record["arm"] for record in file.processes}
    arms = tuple(Arm.from_json(one) for one in file.header["arms"] if one["name"] in measured)
    look = Lookup(file)
    jobs = tuple(_job(cell, described, arms, look) for cell in described["cells"])
    tried = [record["trial"] for record in look.trials if "missing" not in record["trial"]]
    return TrialSummary(
        header=file.header,
        status=file.status,
        arms=arms,
        jobs=jobs,
        groups=_groups(described, jobs),
        hypotheses=tuple(_tested(one, described, arms, look) for one in described["hypotheses"]),
        controls=tuple(_controls(file, arms, look)),
        counts=tuple(_counts(described, arms, look)),
        failures=_failures(file, arms, look),
        left_out=_left_out(described, arms, look),
        notes=_notes(described, look),
        blocks=len({record["block"] for record in (*look.trials, *file.failures)}),
        processes=file.processes,
        refused=(sum(not trial["accepted"] for trial in tried), len(tried)),
    )


def verdict(found: Estimate | None, better: str, limit: float) -> str:
    """Judge an interval against a limit."""
    word = judge(found, better, limit)
    return {MET: CONFIRMED, MISSED: REFUTED}.get(word, word)


def speaks_of(hypothesis: Item, arm: Arm) -> bool:
    """Tell whether a hypothesis speaks of an arm."""
    asked: str = hypothesis["arms"]
    if asked in ("gil on", "gil off"):
        return arm.gil == (asked == "gil on")
    return asked == "all" or arm.free_threaded == (asked == "free-threaded build")


def _job(cell: Item, described: Item, arms: Sequence[Arm], look: Lookup) -> Job:
    places = {one["name"]: place for place, one in enumerate(described["contenders"])}
    titles = {one["name"]: one["title"] for one in described["contenders"]}
    base = cell["baseline"]

    def row(name: str, metric: str) -> Row:
        entries, fates = [], []
        for arm in arms:
            mine = look.values(arm.name, cell["name"], name, metric)
            theirs = look.values(arm.name, cell["name"], base, metric) if base != name else {}
            found = look.estimate(list(mine.values()))
            ratio = look.estimate(list(ratios(mine, theirs).values()))
            points = look.points(arm.name, cell["name"], name, metric)
            entries.append(Entry(mine, found, ratio, points))
            fates.append(look.fate(arm, cell["name"], name))
        return Row(name, titles[name], places[name], name == base, tuple(entries), tuple(fates))

    tables = [
        Table(metric, tuple(row(name, metric["name"]) for name in cell["contenders"]))
        for metric in described["metrics"]
    ]
    return Job(
        name=cell["name"],
        title=cell["title"],
        about=cell["about"],
        settings=", ".join(f"{name} {value}" for name, value in cell["settings"].items()),
        baseline=titles.get(base, ""),
        group=cell["group"],
        x=float(cell["x"]),
        tables=tuple(
            table for table in tables if any(one.value for row in table.rows for one in row.entries)
        ),
    )


def _groups(described: Item, jobs: Sequence[Job]) -> tuple[Group, ...]:
    titles = {cell["group"]: cell["x_title"] for cell in described["cells"] if cell["group"]}
    groups = []
    for name, x_title in titles.items():
        mine = tuple(sorted((job for job in jobs if job.group == name), key=lambda job: job.x))
        has = Counter(table.metric["name"] for job in mine for table in job.tables)
        metrics = tuple(one for one in described["metrics"] if has[one["name"]] > 1)
        if metrics:
            groups.append(Group(name, x_title, mine, metrics))
    return tuple(groups)


def _tested(one: Item, described: Item, arms: Sequence[Arm], look: Lookup) -> Tested:
    mine = (one["cell"], one["contender"])
    other = (one["against_cell"] or one["cell"], one["against"] or one["contender"])
    sides = {mine, other}

    def numbers(arm: Arm) -> dict[int, float]:
        above = look.values(arm.name, *mine, one["metric"])
        if other == mine:
            return above
        return ratios(above, look.values(arm.name, *other, one["metric"]))

    def judged(where: str, found: Mapping[int, float], places: Sequence[Arm]) -> Judged:
        fates = [look.fate(arm, cell, name) for arm in places for cell, name in sides]
        estimate = look.estimate(list(found.values()))
        word = verdict(estimate, one["better"], one["limit"])
        if any(fate.missing or not fate.fits for fate in fates):
            word = LEFT_OUT
        if not all(speaks_of(one, arm) for arm in places):
            word = NOT_MEANT
        return Judged(where, estimate, word, sum(fate.failed for fate in fates))

    if one["across_gil"]:
        results = tuple(
            judged(f"{off.name} over on", ratios(numbers(off), numbers(on)), (off, on))
            for off, on in pairs_of(arms)
        )
    else:
        results = tuple(judged(arm.name, numbers(arm), (arm,)) for arm in arms)
    metric = next(metric for metric in described["metrics"] if metric["name"] == one["metric"])
    unit = "" if other != mine or one["across_gil"] else metric["unit"]
    subject = _subject(one, described)
    across = bool(one["across_gil"])
    return Tested(one["text"], subject, one["better"], one["limit"], unit, across, results)


def _subject(one: Item, described: Item) -> str:
    """Say what number is judged."""

    def title(kind: str, name: str) -> str:
        return str(next(item["title"] for item in described[kind] if item["name"] == name))

    said = f"{title('metrics', one['metric'])}: {title('contenders', one['contender'])}"
    if one["against"]:
        said += f" over {title('contenders', one['against'])}"
    said += f" – {title('cells', one['cell'])}"
    if one["against_cell"]:
        said += f" over {title('cells', one['against_cell'])}"
    return said


def _controls(file: ResultFile, arms: Sequence[Arm], look: Lookup) -> list[ControlRow]:
    rows = []
    for control in file.header["experiment"]["controls"]:
        name = control["name"]
        for arm in arms:
            mine = [r for r in file.processes if r["arm"] == arm.name and not r["cell"]]
            found = [record["controls"][name] for record in mine]
            estimate = look.estimate([one["ratio"] for one in found if one["ratio"] is not None])
            refused = sum(one["refused"] for one in found)
            rows.append(ControlRow(name, arm.name, estimate, bounds(name, arm.gil), refused))
    return rows


def _counts(
    described: Item, arms: Sequence[Arm], look: Lookup
) -> Iterator[tuple[str, tuple[Fate, ...]]]:
    for one in described["contenders"]:
        cells = [cell["name"] for cell in described["cells"] if one["name"] in cell["contenders"]]
        totals = []
        for arm in arms:
            fates = [look.fate(arm, cell, one["name"]) for cell in cells]
            totals.append(
                replace(
                    fates[0],
                    blocks=sum(fate.blocks for fate in fates),
                    failed=sum(fate.failed for fate in fates),
                    busy=sum(fate.busy for fate in fates),
                    refused=sum(fate.refused for fate in fates),
                )
            )
        yield one["title"], tuple(totals)


def _failures(file: ResultFile, arms: Sequence[Arm], look: Lookup) -> tuple[Failure, ...]:
    described = file.header["experiment"]
    who = {one["name"]: one["title"] for one in described["contenders"]}
    what = {one["name"]: one["title"] for one in described["cells"]}
    fates = {arm.name: arm for arm in arms}
    same: dict[tuple[str, str, str, str], list[Item]] = {}
    for record in file.failures:
        key = (record["contender"], record["cell"], record["arm"], record["trial"]["failed"])
        same.setdefault(key, []).append(record)
    found = []
    for (name, cell, arm, how), records in same.items():
        tried = look.fate(fates[arm], cell, name).blocks if arm in fates else len(records)
        words = _telling(records[0]["trial"]["words"])
        found.append(Failure(who[name], what[cell], arm, len(records), tried, how, words))
    return tuple(found)


def _telling(words: Sequence[str]) -> str:
    """Return the last line that says what happened, rather than where; empty if there is none."""
    places = ("Current thread", "Thread ", "Extension modules", " ")
    return next((line for line in reversed(words) if not line.startswith(places)), "")


def _left_out(
    described: Item, arms: Sequence[Arm], look: Lookup
) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in described["contenders"]:
        for arm in arms:
            why = look.missing.get((arm.name, one["name"]))
            if why:
                found.setdefault((one["title"], why), []).append(arm.name)
    return tuple((title, why, tuple(names)) for (title, why), names in found.items())


def _notes(described: Item, look: Lookup) -> tuple[str, ...]:
    """Return each note once, with the contenders and arms that left it."""
    titles = {one["name"]: one["title"] for one in described["contenders"]}
    found: dict[str, dict[str, set[str]]] = {}
    for record in look.trials:
        for note in record["trial"].get("notes", ()):
            arms = found.setdefault(note, {}).setdefault(titles[record["contender"]], set())
            arms.add(record["arm"])
    said = []
    for note, whose in sorted(found.items()):
        names = "; ".join(f"{title} on {', '.join(sorted(on))}" for title, on in whose.items())
        said.append(f"{names}: {note}")
    return tuple(said)


__all__ = [
    "CONFIRMED",
    "LEFT_OUT",
    "NOT_JUDGED",
    "NOT_MEASURED",
    "REFUTED",
    "UNDECIDED",
    "summarise",
    "verdict",
]
