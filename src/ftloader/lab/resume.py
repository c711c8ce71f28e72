"""Going on with a run that was interrupted: only with what was described, and block by block.

A block pairs its processes in time; that is what its ratios rest on. So a block that was
interrupted in its middle is measured again as a whole: its earlier part stays in the file, marked
as superseded, and counts nowhere. Blocks that were complete are kept. Whatever was described must
be the same as before, else the run is refused with the names of what differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import DataError
from . import provenance
from .results import ResultFile

Record = Mapping[str, Any]
#: Which process a record is of; its block comes first.
Key = tuple[Any, ...]

#: What is compared, by part of the header; nothing named: all of it.
_DESCRIBED: Mapping[str, tuple[str, ...]] = {
    "form": (),
    "experiment": (),
    "run": (
        "seed",
        "blocks",
        "threads",
        "oversubscribed",
        "mode",
        "settings",
        "source_digest",
        "experiment_digest",
    ),
    "arms": (),
    "environments": (),
    "machine": ("cpu", "cores", "cpus", "kernel", "machine", "libc", "quota", "governor", "turbo"),
    "data": (),
}
_NAMES = {
    "run.source_digest": "ftloader's source",
    "run.experiment_digest": "the experiment's own code",
    "data.digest": "the images",
}
_MOST_NAMED = 4
_LONGEST_VALUE = 40


def require_interrupted(file: ResultFile, where: str) -> None:
    """Refuse a run that is over.

    Raises:
        DataError: it was measured to its end, or failed.
    """
    if file.status == "complete":
        raise DataError(f"--continue {where}: that run is complete; there is nothing to go on with")
    if file.status == "failed":
        raise DataError(
            f"--continue {where}: that run failed ({file.end and file.end['reason']}); going on "
            "until it passes would be choosing results, so start a new one"
        )


def require_same(file: ResultFile, header: Record, where: str) -> None:
    """Refuse to go on with a run that was described differently.

    Args:
        file: what was measured.
        header: what would be measured now, as the first line of a new file.
        where: the folder, for the message.

    Raises:
        DataError: naming what differs.
    """
    found = list(_differences(file.header, json.loads(json.dumps(header))))
    if found:
        rest = len(found) - _MOST_NAMED
        more = f"; and {rest} more" if rest > 0 else ""
        raise DataError(
            f"--continue {where}: not the same run: {'; '.join(found[:_MOST_NAMED])}{more} "
            f"(it was started with: {file.header['run'].get('command', 'unknown')})"
        )


def incomplete(
    file: ResultFile, planned: Collection[Key], key: Callable[[Record], Key]
) -> list[int]:
    """Return the blocks that hold some of their processes, but not all."""
    recorded = {key(record) for record in (*file.processes, *file.failures)}
    begun = {int(one[0]) for one in recorded}
    lacking = {int(one[0]) for one in planned if one not in recorded}
    return sorted(begun & lacking)


def line(file: ResultFile, repeated: Collection[int], commit: str) -> dict[str, Any]:
    """Return the line of a result file that says that the run goes on here; see ``results``."""
    again = [one for one in (*file.processes, *file.failures) if one["block"] in set(repeated)]
    return {
        "moment": datetime.now(UTC).isoformat(timespec="seconds"),
        "after": str(file.end["reason"]) if file.end else "cut off without a last line",
        "commit": commit,
        "load": provenance.moment()["load"],
        "repeated": sorted(repeated),
        "superseded": len(again),
    }


def said(file: ResultFile) -> str:
    """Return the words of a report on how often a run was continued; empty if it was not."""
    times = len(file.resumes)
    if not times:
        return ""
    often = "once" if times == 1 else f"{times} times"
    moments = ", ".join(record["moment"] for record in file.resumes)
    text = f"; interrupted and continued {often} ({moments}), between blocks"
    if file.superseded:
        again = len(file.superseded)
        processes = "process" if again == 1 else "processes"
        text += (
            f"; a block that was cut in two was measured again as a whole, and its {again} earlier "
            f"{processes} count{'s' if again == 1 else ''} nowhere"
        )
    return text


def _differences(before: Record, now: Record) -> Iterator[str]:
    for part, fields in _DESCRIBED.items():
        old, new = before.get(part), now.get(part)
        if fields and isinstance(old, dict) and isinstance(new, dict):
            old = {name: old.get(name) for name in fields}
            new = {name: new.get(name) for name in fields}
        yield from _walk(part, old, new)


def _walk(name: str, old: Any, new: Any) -> Iterator[str]:
    """Name the innermost places in which two JSON values differ."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _walk(f"{name}.{key}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            known = one if isinstance(one, dict) else {}
            label = f"{name} {known['name']}" if "name" in known else f"{name}[{place}]"
            yield from _walk(label, one, other)
    else:
        yield f"{_NAMES.get(name, name)} was {_short(old)}, is {_short(new)}"


def _short(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, dict) and "name" in one for one in value):
        text = ", ".join(str(one["name"]) for one in value) or "none"
    else:
        text = "not recorded" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
