"""Makes ``report.md`` and ``report.html`` of a result file, and of nothing else."""

from __future__ import annotations

import json
import statistics
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ftloader.audit import Finding, ThreadSafety, Verdict
from ftloader.audit.verdict import EFFECTS
from ftloader.errors import DataError

HERE = Path(__file__).resolve().parent
TITLES = {
    "ours": "ftloader",
    "mmcv": "mmcv (visdet has the same code)",
    "mmdet": "mmdet",
    "torchvision": "torchvision, transforms v2",
    "albumentations": "albumentations",
    "pillow": "What people do with Pillow",
}
#: What a cell says, by the worst effect found.
IN_WORDS = {
    "crash": "unsafe: crashes",
    "hang": "unsafe: hangs",
    "wrong data": "unsafe: wrong data",
    "order": "order-dependent",
    "latent": "unsafe: writes, no harm seen",
}
#: What it says where results depend on the order of calls as well.
NOT_REPEATABLE = "unsafe: writes, not repeatable"


@dataclass(frozen=True)
class Row:
    """One transform on all arms."""

    name: str
    cells: tuple[str, ...]
    why: str
    wrong: str


@dataclass(frozen=True)
class Group:
    """One library: its rows, and what can be said of all of them."""

    title: str
    versions: str
    rows: tuple[Row, ...]
    absent: tuple[str, ...]
    counts: tuple[str, ...]


@dataclass(frozen=True)
class Race:
    """Wrong results of one race on one arm."""

    name: str
    arm: str
    interval: str
    calls: int
    wrong: str


def write(folder: Path) -> None:
    """Write both reports beside a result file.

    Raises:
        DataError: there is none, or it is of another schema.
    """
    source = folder / "verdicts.jsonl"
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}") from None
    records = [json.loads(line) for line in lines]
    if not records or records[0].get("schema") != 1:
        raise DataError(f"{source} is no result file of this experiment")
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), trim_blocks=True, lstrip_blocks=True
    )
    style = (files("ftloader.lab") / "templates" / "style.css").read_text(encoding="utf-8")
    facts = {
        "header": records[0],
        "arms": arm_names(records),
        "groups": list(groups(records)),
        "races": list(races(records)),
        "style": style,
    }
    for name in ("report.md", "report.html"):
        template = templates.get_template(f"{name}.j2")
        template.environment.autoescape = name.endswith("html")
        (folder / name).write_text(template.render(facts), encoding="utf-8")


def arm_name(arm: Mapping[str, Any]) -> str:
    """Return an arm's name as the tables have it."""
    if not arm["interpreter"].endswith("t"):
        return str(arm["interpreter"])
    return f"{arm['interpreter']}, GIL {'on' if arm['gil'] else 'off'}"


def arm_names(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the arms in the order in which they were run, each once."""
    return list(dict.fromkeys(arm_name(record["arm"]) for record in records if "arm" in record))


def groups(records: Sequence[Mapping[str, Any]]) -> Iterable[Group]:
    """Yield the tables."""
    arms = arm_names(records)
    for key, title in TITLES.items():
        mine = [record for record in records if record.get("group") == key]
        if not mine:
            continue
        cases: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        for record in mine:
            if "case" in record:
                cases[record["case"]][arm_name(record["arm"])] = record
        rows = tuple(row(name, found, arms) for name, found in cases.items())
        absent = tuple(
            f"{arm_name(record['arm'])}: {record['why']}"
            for record in mine
            if record["record"] == "absent"
        )
        counts = tuple(counted([row.cells[place] for row in rows]) for place in range(len(arms)))
        yield Group(title, versions(key, mine), rows, absent, counts)


def counted(cells: Iterable[str]) -> str:
    """Return how many transforms of an arm are what, in few words."""
    kinds = {"safe": 0, "order-dependent": 0, "unsafe": 0}
    for text in cells:
        if text not in ("–", "no verdict"):
            kinds[text.partition(":")[0] if text.startswith(("order", "unsafe")) else "safe"] += 1
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count) or "–"


def versions(group: str, records: Iterable[Mapping[str, Any]]) -> str:
    """Return the versions of a group's library."""
    package = {"mmcv": "mmcv-lite", "ours": ""}.get(group, group)
    seen = {record["arm"]["packages"].get(package) for record in records} - {None}
    return ", ".join(sorted(f"{package} {version}" for version in seen))


def row(name: str, found: Mapping[str, Mapping[str, Any]], arms: Sequence[str]) -> Row:
    """Return the line of one transform."""
    verdicts = {
        arm: Verdict.from_json(record["verdict"])
        for arm, record in found.items()
        if record["record"] == "verdict"
    }
    cells = tuple(
        cell(verdicts[arm]) if arm in verdicts else ("no verdict" if arm in found else "–")
        for arm in arms
    )
    whys = [record["why"] for record in found.values() if record["record"] == "none"]
    worst = max(verdicts.values(), key=lambda verdict: len(verdict.findings), default=None)
    why = "; ".join(whys) if worst is None else reasons(worst)
    return Row(name, cells, why, hammered(verdicts, arms))


def cell(verdict: Verdict) -> str:
    """Return a verdict in few words."""
    if verdict.safety.is_safe:
        return str(verdict.safety)
    if verdict.safety is ThreadSafety.ORDER_DEPENDENT or verdict.effect is None:
        return str(verdict.safety)
    effects = {finding.effect for finding in verdict.findings}
    if verdict.effect == "latent" and "order" in effects:
        return NOT_REPEATABLE
    return IN_WORDS[verdict.effect]


def reasons(verdict: Verdict, most: int = 2) -> str:
    """Return the first findings, each place once."""
    told: dict[str, Finding] = {}
    # What was seen to happen before what the source says; the hammer has a column of its own.
    for finding in sorted(verdict.findings, key=lambda finding: finding.detector == "scan"):
        if finding.effect != "caution" and finding.detector != "hammer":
            told.setdefault(finding.where or finding.what, finding)
    worst_first = sorted(told.values(), key=lambda finding: EFFECTS.index(finding.effect))
    return "; ".join(sentence(finding) for finding in worst_first[:most])


def sentence(finding: Finding, longest: int = 160) -> str:
    """Return a finding with its place."""
    what = textwrap.shorten(finding.what, longest, placeholder=" …")
    return f"{what} ({finding.where})" if finding.where else what


def hammered(verdicts: Mapping[str, Verdict], arms: Iterable[str]) -> str:
    """Return wrong calls of all calls that the hammer made, arm by arm."""
    counts = []
    for arm in arms:
        for part in verdicts[arm].evidence if arm in verdicts else ():
            if part.detector == "hammer" and "calls" in part.numbers:
                wrong, calls = int(part.numbers["wrong_calls"]), int(part.numbers["calls"])
                counts.append(f"{wrong:,} of {calls:,}")
    return "; ".join(counts)


def races(records: Iterable[Mapping[str, Any]]) -> Iterable[Race]:
    """Yield each race, arm and interval with the median of its processes, and their range."""
    counts: dict[tuple[str, str, float], list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        if record["record"] == "race":
            counts[record["race"], arm_name(record), record["interval"]].append(record)
    for (name, arm, interval), found in counts.items():
        numbers = sorted(record["wrong"] for record in found)
        median = f"{statistics.median(numbers):,.0f}"
        text = f"{median} ({numbers[0]:,}–{numbers[-1]:,})" if len(numbers) > 1 else median
        without = arm.endswith("off")
        yield Race(name, arm, "–" if without else f"{interval * 1e6:g} µs", found[0]["calls"], text)
