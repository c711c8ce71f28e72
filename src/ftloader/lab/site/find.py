"""Finds what an experiments folder holds: experiments, their questions, their result sets.

An experiment is a folder whose README asks a question in its first line; a result set is a folder
below its ``results``. Sets are in the order in which they were measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import DataError
from .. import results
from . import rows
from .rows import Files

#: Forms of result files that the laboratory itself renders.
SCALING, COSTS, TRIALS = "scaling", results.COSTS, "trials"
#: Forms of experiments with files of their own: which files, and how a report is made again.
OWN = {
    "dynamic_batching": ("figures.jsonl", "./noxw -s dynamic-batching"),
    "thread_safety": ("verdicts.jsonl", "./noxw -s thread-safety"),
    "tuning": ("tuning-*.jsonl", "python experiments/tuning/run.py --out FILE"),
}


@dataclass(frozen=True)
class ResultSet:
    """One run that is kept.

    Attributes:
        experiment: name of the experiment's folder.
        name: name of its own folder.
        folder: where it is.
        form: one of the names above.
        files: rows of each result file, by its path below the experiments folder.
    """

    experiment: str
    name: str
    folder: Path
    form: str
    files: Files

    @property
    def header(self) -> Mapping[str, Any]:
        """The first line of the first file."""
        return next(iter(self.files.values()))[0].record

    @property
    def started(self) -> str:
        """When it began: ISO 8601, or the date of its folder's name where that is all there is."""
        run = self.header.get("run", self.header)
        return str(run.get("started", self.name[:10]))

    @property
    def date(self) -> str:
        """The day it began."""
        return self.started[:10]

    @property
    def commit(self) -> str:
        """The commit that was measured; empty if it was not recorded."""
        return str(self.header.get("run", self.header).get("commit", ""))

    @property
    def machine(self) -> str:
        """The processor and its cores, as text; sets with the same text are of one machine."""
        return machine_text(self.header["machine"])

    @property
    def command(self) -> str:
        """The command that measures this again."""
        run = self.header.get("run", {})
        return str(run["command"]) if "command" in run else OWN[self.form][1]

    @cached_property
    def file(self) -> results.ResultFile:
        """The result file, of a form that the laboratory renders."""
        return results.read(self.folder)


@dataclass(frozen=True)
class Experiment:
    """A question; ``sets`` in the order of measuring, none where nothing is committed yet."""

    name: str
    folder: Path
    title: str
    question: str
    sets: tuple[ResultSet, ...]


def experiments(root: Path) -> tuple[Experiment, ...]:
    """Return the experiments of a folder by name.

    Raises:
        DataError: the folder holds none, or a result set cannot be read.
    """
    found = tuple(
        _experiment(readme.parent, root)
        for readme in sorted(root.glob("*/README.md"))
        if _heading(readme)[1].endswith("?")
    )
    if not found:
        raise DataError(f"{root}: no experiment there; give the folder that holds them")
    return found


def _experiment(folder: Path, root: Path) -> Experiment:
    sets = sorted(_sets(folder, root), key=lambda one: (one.started, one.name))
    title, question = _heading(folder / "README.md")
    if sets and "experiment" in sets[-1].header:
        described = sets[-1].header["experiment"]
        title, question = described["title"], described["question"]
    return Experiment(folder.name, folder, title, question, tuple(sets))


def _sets(folder: Path, root: Path) -> Iterator[ResultSet]:
    for place in sorted(folder.glob("results/*/")):
        yield result_set(place, folder.name, root)


def result_set(folder: Path, experiment: str = "", root: Path | None = None) -> ResultSet:
    """Return the result set of a folder.

    Args:
        folder: the folder.
        experiment: name of its experiment; by default what its header says, if anything.
        root: the folder that paths of rows start from; its own by default.

    Raises:
        DataError: it holds no result file, or one without a header.
    """
    form, paths = _form(folder)
    files = {}
    for path in paths:
        lines = rows.read(path)
        if not lines or not lines[0].record.get("machine"):
            raise DataError(f"{path}: its first line is not a header")
        files[path.relative_to(root or folder).as_posix()] = lines
    found = ResultSet(experiment or folder.name, folder.name, folder, form, files)
    name = found.header.get("experiment", {}).get("name", "")
    return found if experiment or not name else replace(found, experiment=name)


def _form(place: Path) -> tuple[str, list[Path]]:
    one = place / results.FILE_NAME
    if one.is_file():
        return results.read(one).header.get("form", SCALING), [one]
    for form, (pattern, _) in OWN.items():
        if paths := sorted(place.glob(pattern)):
            return form, paths
    raise DataError(f"{place}: no result file there that a report can be made of")


def _heading(readme: Path) -> tuple[str, str]:
    """Return the title and the question of a README: "# name: question" or "# question"."""
    first = readme.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").strip()
    name, colon, rest = first.partition(": ")
    question = rest if colon and re.fullmatch(r"\w+", name) else first
    title = readme.parent.name.replace("_", " ").capitalize()
    return title, question[:1].upper() + question[1:]


def machine_text(machine: Mapping[str, Any]) -> str:
    """Return a machine as text: its processor and how many cores could be used."""
    cores = machine["cores"]
    return f"{machine['cpu']}, {cores} {'core' if cores == 1 else 'cores'}"
