"""What none of the result sets shows, as sentences made from what their headers say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import prose
from ..statistics import what_blocks_allow, what_cores_allow
from . import rows
from .find import Experiment, machine_text
from .rows import Files, Row, Rule, Sentence

Header = Mapping[str, Any]


def limits(experiments: Iterable[Experiment]) -> list[Sentence]:
    """Return the sentences; each rests on the first lines of the files it speaks of."""
    files = {
        name: lines[:1]
        for experiment in experiments
        for one in experiment.sets
        for name, lines in one.files.items()
    }
    return [rule(files) for rule, wanted in _RULES if _heads(files, wanted)]


def machines(files: Files) -> Sentence:
    """Say how many cores were had at most, and what they allow."""
    heads = _heads(files, _every)
    most = max(row.record["machine"]["cores"] for row in heads.values())
    names = sorted({machine_text(row.record["machine"]) for row in heads.values()})
    number = "One machine was" if len(names) == 1 else f"{len(names)} machines were"
    text = f"{number} measured ({'; '.join(names)}). {_capital(what_cores_allow(most))}."
    return rows.sentence(machines, text, {name: [row] for name, row in heads.items()})


def versions(files: Files) -> Sentence:
    """Say which interpreters the figures are of."""
    heads = _heads(files, _arms)
    arms = {
        (arm["version"], arm["free_threaded"])
        for row in heads.values()
        for arm in row.record["arms"]
    }
    said = [f"{version}{'t' if free else ''}" for version, free in sorted(arms)]
    text = f"Figures are of CPython {prose.join(said)} and of no other."
    if any(free and version.startswith("3.13") for version, free in arms):
        text += (
            " 3.13t is experimental and gets no further free-threading fixes; later versions need "
            "runs of their own."
        )
    return rows.sentence(versions, text, {name: [row] for name, row in heads.items()})


def inputs(files: Files) -> Sentence:
    """Say where the inputs came from."""
    heads = _heads(files, _data)
    said = sorted({_data(row.record) for row in heads.values()})
    text = f"Inputs were {prose.join(said)}, in memory; other images take other times."
    return rows.sentence(inputs, text, {name: [row] for name, row in heads.items()})


def smallest(files: Files) -> Sentence:
    """Say what the set with the fewest blocks allows."""
    heads = _heads(files, _blocks)
    fewest = min(_blocks(row.record) for row in heads.values())
    mine = {name: [row] for name, row in heads.items() if _blocks(row.record) == fewest}
    allowed = _capital(what_blocks_allow(fewest))
    text = f"The fewest blocks that a set rests on are {fewest}. {allowed}."
    return rows.sentence(smallest, text, mine)


def code(files: Files) -> Sentence:
    """Say that sets are of different states of the code."""
    heads = _heads(files, _commit)
    commits = {_commit(row.record) for row in heads.values()}
    changed = sum("+changes" in commit for commit in commits)
    number = "one commit" if len(commits) == 1 else f"{len(commits)} commits, not of one,"
    text = f"The sets are of {number} of ftloader"
    text += f"; {changed} had changes that were not committed" if changed else ""
    return rows.sentence(code, f"{text}.", {name: [row] for name, row in heads.items()})


def _heads(files: Files, wanted: Callable[[Header], object]) -> dict[str, Row]:
    """Return the first line of each file that has what is wanted."""
    return {name: lines[0] for name, lines in files.items() if wanted(lines[0].record)}


def _every(head: Header) -> bool:
    return True


def _arms(head: Header) -> object:
    return head.get("arms")


def _data(head: Header) -> str:
    data = head.get("data", "")
    return str(data if isinstance(data, str) else data.get("about", ""))


def _blocks(head: Header) -> int:
    return int(head.get("run", head).get("blocks", 0))


def _commit(head: Header) -> str:
    return str(head.get("run", head).get("commit", ""))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


#: Each rule, and what a header must have for it to say anything.
_RULES: tuple[tuple[Rule, Callable[[Header], object]], ...] = (
    (machines, _every),
    (versions, _arms),
    (inputs, _data),
    (smallest, _blocks),
    (code, _commit),
)
