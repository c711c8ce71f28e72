"""``python -m ftloader plan``: what an epoch's batches will be, before training.

Text goes to stdout, figures and plots to files. Exit codes are those of ``ftloader.cli``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ftloader.batching import EpochPlan
from ftloader.errors import DataError, PlanError, summary
from ftloader.inspect.layout import Style
from ftloader.planreport.choosing import Epoch
from ftloader.planreport.figures import Figures, figures
from ftloader.planreport.options import Options, parse
from ftloader.planreport.report import Compared, Report, document
from ftloader.planreport.sources import open_source
from ftloader.planreport.text import as_text
from ftloader.planreport.worlds import world_sizes

_NARROWEST, _WIDEST = 60, 110
#: From here on, planning takes seconds, and a terminal is told so.
_MANY: Final = 20_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments after ``plan``; by default the process's own.

    Returns:
        0.

    Raises:
        DataError: the data are no good, or a file cannot be written.
        PlanError: the arguments are no good, or nothing can be planned with them.
    """
    try:
        options = parse(argv)
    except SystemExit:  # --help
        return 0
    draw = _plots(options.plot)
    report = make_report(options)
    _say(as_text(report, _style()))
    try:
        if options.json is not None:
            text = json.dumps(document(report), indent=1)
            options.json.write_text(text + "\n", encoding="utf-8")
            _say(f"\nfigures: {options.json}")
        if draw is not None and options.plot is not None:
            draw(report, options.plot)
            _say(f"plot: {options.plot}")
    except OSError as error:
        raise DataError(f"plan: cannot write: {summary(error)}") from error
    return 0


def make_report(options: Options) -> Report:
    """Plan, and describe the plan.

    Raises:
        DataError: the data are no good.
        PlanError: nothing can be planned as asked.
    """
    source = open_source(options)
    if len(source.original) > _MANY and sys.stderr.isatty():
        print(f"planning {len(source.original):,} images ...", file=sys.stderr, flush=True)
    epoch = Epoch.of(options, source)
    plan = epoch.plan(options.policy)
    if not len(plan):
        raise PlanError(_no_step(plan, options))
    others = world_sizes(plan.batches_per_step)
    own = figures(plan, epoch.budget, options.ranks, others)
    compared: list[Compared] = []
    if options.compare:
        for name, other in epoch.all_plans():
            same = name == options.policy
            compared.append(Compared(name, own if same else _figures(other, epoch)))
    return Report(
        title=source.title,
        made_by=source.made_by,
        options=options,
        names=source.names,
        plan=plan,
        budget=epoch.budget,
        figures=own,
        compared=tuple(compared),
    )


def _figures(plan: EpochPlan, epoch: Epoch) -> Figures | None:
    return figures(plan, epoch.budget, epoch.options.ranks) if len(plan) else None


def _no_step(plan: EpochPlan, options: Options) -> str:
    count = int(plan.sizes.kept.sum())
    if options.tail == "drop":
        return (
            f"plan: {count:,} images make no whole step of {plan.batches_per_step} batches, and "
            f"--tail drop leaves them out; give fewer --batches-per-step, or --tail fill"
        )
    if options.policy == "budget":
        return "plan: every image is over the budget by itself and left out; give a larger --budget"
    return (
        f"plan: {count:,} images make no batch of {options.batch_size} by the policy "
        f"{options.policy!r}; give a smaller --batch-size, or another --policy"
    )


def _plots(path: Path | None) -> Callable[[Report, Path], None] | None:
    """Return what draws, if anything is to be drawn; refuse before the work if nothing can."""
    if path is None:
        return None
    try:
        from ftloader.planreport.plots import draw_report  # matplotlib: only where a plot is drawn
    except ImportError as error:
        raise PlanError(
            f"plan: --plot needs matplotlib, which pip install 'ftloader[report]' adds ({error})"
        ) from error
    return draw_report


def _style() -> Style:
    columns = shutil.get_terminal_size((80, 24)).columns
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return Style(min(max(columns, _NARROWEST), _WIDEST), colour)


def _say(text: str) -> None:
    try:
        try:
            print(text, flush=True)
        except UnicodeEncodeError:  # a terminal or a log that has no bars
            print(text.encode("ascii", "replace").decode(), flush=True)
    except BrokenPipeError:  # "| head" has read enough; files are still written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
