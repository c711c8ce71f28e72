"""``./noxw -s bench -- --check``: has ftloader become slower than an earlier commit of it?

Exit codes: 0 no regression was found; 1 there is one, or the measurement must not be believed;
2 bad arguments, or no earlier source; 130 interrupted. The answer is printed; no file is written,
since a later check measures both sources anew.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...errors import ArmError
from .. import command
from ..command import count, fail, say
from . import instructions, judge, sources
from .runner import EARLIER, NOW, WORKS, Plan, run

_BLOCKS = 12
_ROUNDS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Check for regressions; return an exit code.

    Args:
        argv: arguments; the command line's by default.
    """
    return command.guarded(lambda: _arguments().parse_args(argv), _check)


def _arguments() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="python -m ftloader.lab.guard",
        description="Compare this source with an earlier one, interleaved in one run.",
    )
    add = parser.add_argument
    add("--check", action="store_true", help="what this is; taken for the session's sake")
    add("--interpreter", action="append", default=[], metavar="PATH", type=Path,
        help="a Python with what ftloader needs; repeat for more (default: this one)")  # fmt: skip
    add("--gil", choices=("both", "off", "on"), default="both",
        help="which arms of a free-threaded interpreter (default: both)")  # fmt: skip
    add("--against", metavar="REVISION",
        help=f"the earlier commit (default: the one in {sources.BASELINE})")  # fmt: skip
    add("--accept", action="store_true",
        help="make what is checked out the one to compare with, and measure nothing")  # fmt: skip
    add("--works", metavar="NAME,NAME", help=f"measure these only (of {', '.join(WORKS)})")
    add("--blocks", type=count, default=_BLOCKS, metavar="N",
        help=f"blocks (default: {_BLOCKS}; fewer than 10 may show nothing)")  # fmt: skip
    add("--instructions", action="store_true",
        help="count the engine's instructions as well (Valgrind; 5 minutes per arm)")  # fmt: skip
    add("--seed", type=int, default=20261122, help="seed of the order and the intervals")
    return parser


def _check(asked: argparse.Namespace) -> int:
    root = Path(__file__).resolve().parents[4]
    if asked.accept:
        say(f"baseline: {sources.accept(root)}; commit {sources.BASELINE}")
        return 0
    works = asked.works.split(",") if asked.works else list(WORKS)
    for name in works:
        if name not in WORKS:
            return fail(f"--works: there is no {name!r}; choose from {', '.join(WORKS)}", 2)
    try:
        arms, interpreters = command.arms_of(asked)
    except ArmError as error:  # nothing was measured: the argument is at fault
        return fail(str(error), 2)
    missing = instructions.unavailable() if asked.instructions else ""
    if missing:
        return fail(f"--instructions: {missing}", 2)
    with tempfile.TemporaryDirectory(prefix="ftloader-guard-") as folder:
        revision = asked.against or sources.baseline(root)
        commit, earlier = sources.extract(root, revision, Path(folder))
        places = {EARLIER: earlier, NOW: root / "src"}
        names = ", ".join(arm.name for arm in arms)
        say(f"this source against {commit[:12]}: {names}, {asked.blocks} blocks, seed {asked.seed}")
        plan = Plan(arms, interpreters, places, works, asked.blocks, _ROUNDS, asked.seed)
        lines = judge.lines(run(plan), plan)
        counts = {
            arm.name: instructions.count(arm, interpreters[arm.name], places)
            for arm in arms
            if asked.instructions
        }
    print(judge.table(lines, counts, commit))
    return 1 if judge.worse(lines, counts) else 0
