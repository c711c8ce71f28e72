"""What the site's templates say beside sentences: names, summaries of comparisons, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .. import prose
from . import compare
from .compare import Change, Comparison
from .find import OWN, ResultSet

TITLE = "What was measured, and what it says"


def others(one: ResultSet) -> str:
    """Return what a set's name has beside its date."""
    return one.name.removeprefix(one.date).strip("-")


def memory(one: ResultSet) -> str:
    """Return a machine's memory and system."""
    machine = one.header["machine"]
    size = machine.get("memory_bytes")
    return f"{size / 2**30:.0f} GiB, {machine['kernel']}" if size else str(machine["kernel"])


def p_text(value: float | None) -> str:
    """Write a p-value; blocks can be too few for one."""
    if value is None:
        return "n too small"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def summary(found: Comparison) -> str:
    """Say in a few words how many ratios have which verdict."""
    counts = found.counts
    said = {
        compare.REGRESSED: "{} regressed",
        compare.IMPROVED: "{} improved",
        compare.CHANGED: "{} changed that had no direction written before the run",
        compare.SAME: f"{{}} did not differ by more than {compare.MARGIN:.0%}",
        compare.OPEN: "{} are not resolved",
    }
    parts = [said[word].format(counts[word]) for word in compare.VERDICTS if counts[word]]
    number = len(found.changes)
    none = "" if counts[compare.REGRESSED] else "No regression is shown. "
    return f"{none}Of {number} ratios that both sets took inside their blocks, {prose.join(parts)}."


def tables(found: Comparison) -> list[tuple[str, str, Sequence[Change]]]:
    """Return the tables of a comparison: heading, what it holds, rows."""
    return [
        (
            "Ratios whose good direction was written before the run",
            "Targets, hypotheses, speed-ups and the GIL off over on.",
            found.table(True),
        ),
        (
            "All other ratios",
            "Contenders over the baseline of their cell, which may be either's doing.",
            found.table(False),
        ),
    ]


def caveats(found: Comparison) -> list[str]:
    """Return in which build flags arms of a ratio differ, each once."""
    return sorted({one.ratio.caveat for one in found.changes} - {""})


def provenance(one: ResultSet) -> str:
    """Return, as HTML, how a set with files of its own was made and is made again."""
    files = ", ".join(f"<code>{escape(name.rpartition('/')[2])}</code>" for name in one.files)
    entries: Iterable[tuple[str, str]] = (
        ("Command", f"<code>{escape(one.command)}</code>"),
        ("Started", escape(one.started)),
        ("Machine", escape(f"{one.machine}; {memory(one)}")),
        ("Source", escape(f"commit {one.commit}" if one.commit else "commit not recorded")),
        ("Result files", f"{files}, from which this page's figures come"),
    )
    inner = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in entries)
    return f'<h2 id="made">How it was made</h2>\n<div class="card"><dl>{inner}</dl></div>'


def is_own(one: ResultSet) -> bool:
    """Tell whether a set's experiment has result files, and a report, of its own."""
    return one.form in OWN
