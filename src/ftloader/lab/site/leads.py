"""One sentence per experiment: what its own report leads with, said again from the same rows."""

from __future__ import annotations

from pathlib import Path

from .. import prose, results
from ..statistics import estimate
from . import answer_batching, answer_safety, ratios_own, rows
from .find import COSTS, SCALING, TRIALS, Experiment
from .rows import Files, Rule, Sentence


def lead(experiment: Experiment) -> Sentence | None:
    """Return what the newest result set of an experiment says; ``None`` where there is none.

    Raises:
        MeasurementError: the run must not be believed.
    """
    if not experiment.sets:
        return None
    newest = experiment.sets[-1]
    files = newest.files
    if newest.form == "thread_safety":  # a library that was audited again has a set of its own
        files = {name: lines for one in experiment.sets for name, lines in one.files.items()}
    return _RULES[newest.form](files)


def _scaling(files: Files) -> Sentence:
    from ..analyse import summarise

    return _of_file(_scaling, files, prose.lead(summarise(_arranged(files))))


def _costs(files: Files) -> Sentence:
    from ..costs.analyse import summarise
    from ..costs.prose import lead

    return _of_file(_costs, files, lead(summarise(_arranged(files))))


def _trials(files: Files) -> Sentence:
    from ..trials.analyse import summarise
    from ..trials.prose import lead

    return _of_file(_trials, files, lead(summarise(_arranged(files))))


def _of_file(rule: Rule, files: Files, text: str) -> Sentence:
    """A report's lead rests on every row of its file."""
    return rows.sentence(rule, text, files)


def _arranged(files: Files) -> results.ResultFile:
    ((name, lines),) = files.items()
    return results.arrange(Path(name), [row.record for row in lines])


def _tuning(files: Files) -> Sentence:
    """Say what the chosen settings reach of the best, at least."""
    found = [
        (estimate(list(by_pair.values())), panel.partition(":")[0], arm)
        for panel, arm, by_pair in ratios_own.tuned(files)
    ]
    lowest, workload, arm = min(found, key=lambda one: one[0].value)
    used = {name: [lines[0], *rows.of_kind(lines, "final")] for name, lines in files.items()}
    text = (
        f"In the median the chosen setting did at least {lowest.value:.3f} times what the best of "
        f"the grid did, in {len(found)} cases; the lowest is {workload} on {arm}, "
        f"{lowest.value:.3f} ({lowest.low:.3f} to {lowest.high:.3f})."
    )
    return rows.sentence(_tuning, text, used)


_RULES: dict[str, Rule] = {
    SCALING: _scaling,
    COSTS: _costs,
    TRIALS: _trials,
    "dynamic_batching": answer_batching.measured,
    "thread_safety": answer_safety.shareable,
    "tuning": _tuning,
}
